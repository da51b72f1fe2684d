"""Status: the request, its answers and their text.

Owns the shapes. What a system knows of itself is Garrick's status; what an actor knows is its cell's. Counters that Garrick does not keep
are absent, and lists that it does not keep are empty.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from garrick.address import COUNTER_BITS, Address
from garrick.runtime.signals import StatusWanted
from garrick.wire.envelope import SIGNAL
from thespian._address import ActorAddress, actor_address
from thespian._messages import ActorSystemMessage
from thespian.system.timing import ExpirationTimer

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

SECONDS = 5.0
INTERNAL = "thespian: "
"""Names of actors that belong to this package begin with it."""


class Thespian_StatusReq(ActorSystemMessage):
    """Asks an actor or the system itself for its status; actors don't see it."""


class _Status(ActorSystemMessage):
    def __init__(self) -> None:
        self.pendingMessages: list[tuple[Any, Any, str]] = []
        self.receivedMessages: list[Any] = []
        self.pendingWakeups: list[tuple[ActorAddress, ExpirationTimer]] = []
        self.childActors: list[ActorAddress] = []
        self.governer = ""
        self.miscKeyVals: list[tuple[str, Any]] = []
        self._pendingAddrCnts: dict[Any, int] = {}


class Thespian_ActorStatus(_Status):
    """What an actor is and has."""

    def __init__(
        self, actorAddress: ActorAddress, actorClass: str, adminAddress: ActorAddress, parentAddress: Any
    ) -> None:
        super().__init__()
        self.actorAddress = actorAddress
        self.actorClass = actorClass
        self.adminAddress = adminAddress
        self.parentAddress = parentAddress
        self.sourceHash: str | None = None
        self.exiting = False


class Thespian_SystemStatus(_Status):
    """What a system is and has."""

    def __init__(self, adminAddress: ActorAddress) -> None:
        super().__init__()
        self.adminAddress = adminAddress
        self.conventionLeader: ActorAddress | None = None
        self.conventionRegisterTime: Any = None
        self.conventionAttendees: list[Any] = []
        self.capabilities: dict[str, Any] = {}
        self.inShutdown = False
        self.notifyAddresses: list[ActorAddress] = []
        self.deadLetterHandler: ActorAddress | None = None
        self.deadLetterAddresses: list[ActorAddress] = []
        self.globalActors: dict[str, ActorAddress] = {}
        self.sourceAuthority: ActorAddress | None = None
        self.loadedSources: list[tuple[str, Any]] = []


def system_status(runtime: Runtime) -> Thespian_SystemStatus:
    """Ask the system, and wait for its answer."""
    status = Thespian_SystemStatus(actor_address(runtime.admin))
    known: dict[str, Any] = runtime.ask(runtime.admin, StatusWanted(), SECONDS, kind=SIGNAL).result()
    status.capabilities = dict(known["capabilities"])
    for listed in known["actors"]:
        name = listed["name"] or ""
        if listed["parent"] != str(runtime.admin) or name.startswith(INTERNAL):
            continue
        address = actor_address(_parsed(listed["address"]))
        status.childActors.append(address)
        if name:
            status.globalActors[name] = address
    return status


def _parsed(text: str) -> Address[Any]:
    system, process, serial = text.rsplit("/", 2)
    creator, counter = serial.split(".")
    return Address(system, int(process), int(creator, 16) << COUNTER_BITS | int(counter))


def formatStatus(response: Any, showAddress: Callable[[Any], str] = str, tofd: TextIO | None = None) -> None:
    """Print a status.

    Args:
        response: `Thespian_ActorStatus` or `Thespian_SystemStatus`.
        showAddress: makes text of an address.
        tofd: where to print; None: standard output.
    """
    lines = []
    if isinstance(response, Thespian_SystemStatus):
        lines.append(f"Status of ActorSystem @ {showAddress(response.adminAddress)}{_closing(response.inShutdown)}")
        lines += ["Capabilities:", *(f"  {key}: {value}" for key, value in sorted(response.capabilities.items()))]
        lines.append(f"Convention leader: {_shown(response.conventionLeader, showAddress)}")
        lines.append(f"Dead letter handler: {_shown(response.deadLetterHandler, showAddress)}")
        named = sorted(response.globalActors.items())
        lines += [f"Global actors [{len(named)}]:", *(f"  {name} --> {showAddress(addr)}" for name, addr in named)]
        lines.append(f"Loaded sources [{len(response.loadedSources)}]:")
        lines += [f"  {source_hash}: {info}" for source_hash, info in response.loadedSources]
    elif isinstance(response, Thespian_ActorStatus):
        lines.append(f"Status of Actor @ {showAddress(response.actorAddress)}{_closing(response.exiting)}")
        lines.append(f"Class: {response.actorClass}")
        lines.append(
            f"Parent: {_shown(response.parentAddress, showAddress)}, Admin: {showAddress(response.adminAddress)}"
        )
        if response.sourceHash:
            lines.append(f"Source: {response.sourceHash}")
    else:
        lines.append(f"No status: {response}")
    if isinstance(response, _Status):
        children, wakeups = response.childActors, response.pendingWakeups
        lines += [f"Children [{len(children)}]:", *(f"  {showAddress(child)}" for child in children)]
        lines += [f"Pending wakeups [{len(wakeups)}]:", *(f"  {timer}" for _, timer in wakeups)]
        lines += [f"{key}: {value}" for key, value in response.miscKeyVals]
    print("\n".join(lines), file=tofd or sys.stdout)


def _shown(address: Any, show: Callable[[Any], str]) -> str:
    return "none" if address is None else show(address)


def _closing(ending: bool) -> str:
    return " (exiting)" if ending else ""
