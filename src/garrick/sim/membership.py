"""`WorldMembership`: a simulated system in the convention of its world, by the real gateway.

Owns the connection of `SimNode`, `garrick.node.gateway.Gateway` and `garrick.sim.ether`. Messages between systems are pickled, enveloped
and sent through the real link, on a simulated loop of the system's own. Must not know user messages.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.node.admin import AdminMachine, Effect
from garrick.node.gateway import Gateway
from garrick.node.inbound import Inbound
from garrick.node.returned import Returned
from garrick.node.salvage import salvage
from garrick.runtime.signals import SystemInfo
from garrick.sim.ether import Ether, EtherEngine
from garrick.sim.hands import Once
from garrick.sim.loop import StepLoop
from garrick.wire.codec import dumps
from garrick.wire.envelope import SIGNAL, Raw, decode, encode

if TYPE_CHECKING:
    from garrick.sim.node import SimNode

JOIN_SECONDS = 10.0
LEAVE_SECONDS = 10.0


class WorldMembership:
    """See `garrick.sim.node.Membership`; also the `garrick.node.gateway.House` of the gateway."""

    def __init__(self, node: SimNode, ether: Ether) -> None:
        self._node = node
        self._runtime = node.runtime
        self.loop = StepLoop(node.crew, f"{node.runtime.system} gateway")
        self._engine = EtherEngine(ether, self.loop)
        self._gateway = Gateway(node.runtime.system, self, self._engine)
        self._inbound = Inbound(node.runtime, _NoLinks())  # type: ignore[arg-type]

    def join(self) -> None:
        """Take part from now on; returns when the convention knows."""
        self._do(self._gateway.start(True), JOIN_SECONDS)

    # --- Membership ------------------------------------------------------------------------------------------------------

    def forward(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """See Membership."""
        system = self._runtime.system
        raw = encode(kind, target, sender, dumps(message), system)
        self.loop.call_soon_threadsafe(self._gateway.forward, raw)

    def announce(self, info: SystemInfo) -> None:
        """See Membership."""
        self._gateway.announce(info)

    def leave(self) -> None:
        """See Membership."""
        self._do(self._gateway.leave(), LEAVE_SECONDS)

    def cut(self) -> None:
        """See Membership."""
        self._engine.cut("crashed")
        self.loop.dead = True

    def close(self) -> None:
        """Release the loop."""
        self.loop.forget()
        self.loop.close()

    # --- House -------------------------------------------------------------------------------------------------------------

    @property
    def machine(self) -> AdminMachine:
        """See House."""
        return self._node.admin.machine

    def deliver(self, number: int, envelope: Raw) -> None:
        """See House: there is one process. By its lane, so that what the admin has told it before comes first."""
        self._runtime.post(self._receive, bytes(envelope))

    def to_admin(self, envelope: Raw, origin: str) -> None:
        """See House."""
        _, target, sender, body = decode(envelope, self._runtime.system)
        admin = self._node.admin
        admin.apply(self.machine.handle(salvage(body), sender, admin.clock.now(), target=target, origin=origin))

    def apply(self, effects: list[Effect]) -> None:
        """See House."""
        self._node.admin.apply(effects)

    def _receive(self, raw: bytes) -> None:
        kind, target, _, body = decode(raw, self._runtime.system)
        if kind == SIGNAL and target.serial == 0:
            signal = salvage(body)
            if isinstance(signal, Returned):
                self._inbound.undeliverable(signal.envelope, signal.reason)
                return
        self._inbound.receive([raw], 0)

    def _do(self, coroutine: Coroutine[Any, Any, None], seconds: float) -> None:
        crew = self._node.crew
        over = Once()
        tasks = []

        def begin() -> None:
            task = self.loop.create_task(coroutine)
            tasks.append(task)
            task.add_done_callback(lambda _: over.finish())

        self.loop.call_soon(begin)
        crew.wait(over, crew.kernel.clock.now() + seconds)
        if tasks and tasks[0].done():
            tasks[0].result()


class _NoLinks:
    """Stands in for `garrick.node.links.Links`, of which `Inbound` needs this much."""

    def __init__(self) -> None:
        self.aliases: dict[int, int] = {}
        self.undeliverable: Any = None

    def lost(self, number: int, reason: str) -> None:
        """There are no links between processes here."""
