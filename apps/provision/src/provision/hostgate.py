"""A host's own actors: everything that happens to its customers' servers goes through them.

``HostGate`` is one per host. It starts the servers that should run, says that the host is ready, and hands each request to
the ``ServerGate`` of its server. A ``ServerGate`` is one per server: it does one thing after the other, however long that takes,
while those of other servers go on. It writes the host's journal around each effect, and answers a repeated attempt from it.

A host finds its place by its own means: the capability ``state`` (its state directory; ``<state>/journal.jsonl``,
``<state>/servers/``), and PROVISION_KEEPER in its environment (the process whose end ends the customers' servers, normally the
first one of the host's system; without it, the process in which the gate runs).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from garrick import Actor, on
from garrick.address import Address
from garrick.messages import ChildExited
from provision.drivers.base import Definition
from provision.drivers.process import ProcessDriver
from provision.errors import DriverError, ProvisionError
from provision.fence import Fence
from provision.journal import Journal
from provision.protocol import Effect, HostReady, Look, QueryStep, Seen, StepDone, StepFailed, StepKnown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.protocol import Values

KEEPER = "PROVISION_KEEPER"


def state_directory(capabilities: Mapping[str, Any], host: str) -> Path:
    """Where the host keeps its servers and its journal."""
    given = capabilities.get("state")
    directory = Path(given) if given else Path.home() / ".local" / "state" / "provision" / host
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


@dataclass(frozen=True, slots=True)
class Passed:
    """HostGate to ServerGate: a request, and who waits for its answer."""

    request: Effect | Look | QueryStep
    asker: Address[Any]


class HostGate(Actor):
    """The host's agent.

    Args:
        host: the host's name.
        control: whom to tell that the host is ready.
    """

    def __init__(self, host: str, control: Address[Any]) -> None:
        self.host = host
        self.control = control
        self.directory = state_directory(self.capabilities, host)
        self.keeper = int(os.environ.get(KEEPER) or os.getpid())
        self.gates: dict[str, Address[Any]] = {}
        self.number = 0

    def started(self) -> None:
        """Bring the host to what its files say, and report."""
        self.number = Fence(self.directory).take()
        journal = Journal(self.directory / "journal.jsonl")
        journal.agent_started(self.number)
        driver = ProcessDriver(self.directory, keeper=self.keeper)
        found = driver.recover(f"recover-{self.number}")
        journal.recovered(self.number, found.adopted, found.restarted)
        journal.close()
        self.send(self.control, HostReady(self.host, self.number, len(driver.servers()), len(found.restarted)))

    @on
    def request(self, message: Effect | Look | QueryStep) -> None:
        gate = self.gates.get(message.server)
        if gate is None:
            gate = self.spawn(ServerGate, message.server, str(self.directory), self.number, self.keeper)
            self.gates[message.server] = gate
        self.send(gate, Passed(message, self.defer()))

    @on
    def child_exited(self, message: ChildExited) -> None:
        self.gates = {server: gate for server, gate in self.gates.items() if gate != message.child}


class ServerGate(Actor):
    """Does to one server what is asked, in the order in which it is asked.

    Args:
        server: its name.
        directory: the host's state directory.
        number: the agent's number; once another agent has taken over, this one does nothing any more.
        keeper: the process whose end ends the server.
    """

    def __init__(self, server: str, directory: str, number: int, keeper: int) -> None:
        self.server = server
        self.number = number
        self.fence = Fence(directory)
        self.driver = ProcessDriver(directory, keeper=keeper)
        self.journal = Journal(Path(directory) / "journal.jsonl", server)

    def stopping(self, reason: str) -> None:
        self.journal.close()

    def restarting(self, error: BaseException) -> None:
        self.journal.close()

    @on
    def passed(self, message: Passed) -> None:
        request = message.request
        if isinstance(request, Effect):
            self.send(message.asker, self.once(request))
        elif isinstance(request, QueryStep):
            self.send(message.asker, self.journal.known(request.exec_id))
        else:
            self.send(message.asker, self.look(request))

    def once(self, effect: Effect) -> StepDone | StepFailed:
        """The effect, or what the journal knows of it already."""
        known = self.journal.known(effect.exec_id)
        if known.state != "unknown":
            return _as_answer(known)
        try:
            with self.fence.held(self.number):
                self.journal.begin(effect)
                try:
                    result = self.effect(effect)
                except Exception as error:
                    code = "driver_error" if isinstance(error, (ProvisionError, OSError)) else "internal_error"
                    if code == "internal_error":
                        self.log.exception("%s of %s", effect.what, effect.server)
                    self.journal.failed(effect, code, str(error))
                else:
                    self.journal.done(effect, result)
        except ProvisionError as error:
            return StepFailed(effect.exec_id, "fenced", str(error))
        return _as_answer(self.journal.known(effect.exec_id))

    def effect(self, effect: Effect) -> Values:
        """Do it; what is worth knowing afterwards."""
        driver, server, values = self.driver, self.server, effect.values
        match effect.what:
            case "define":
                definition = Definition(
                    address=str(values["address"]),
                    quota=int(values["quota"] or 0),
                    boot_seconds=float(values.get("boot_seconds") or 0.2),
                    halt_seconds=float(values.get("halt_seconds") or 0.1),
                )
                return {"port": driver.define(server, definition)}
            case "start":
                return {"boot": driver.start(server, effect.exec_id).boot}
            case "reboot":
                return {"boot": driver.reboot(server, effect.exec_id).boot}
            case "stop":
                driver.stop(server)
            case "destroy":
                driver.destroy(server)
            case "set_password":
                if effect.secret is None:
                    raise DriverError("there is no password to set")
                driver.set_password(server, effect.secret)
            case _:
                raise DriverError(f"this host does not know how to {effect.what!r}")
        return {}

    def look(self, look: Look) -> Seen:
        """Read, without a record."""
        try:
            if look.what == "disk":
                usage = self.driver.disk_usage(self.server)
                return Seen({"used": usage.used, "quota": usage.quota, "full": usage.full})
            status = self.driver.status(self.server)
            return Seen({"power": status.power, "running": status.running, "boot": status.boot, "port": status.port})
        except (ProvisionError, OSError) as error:
            return Seen(error=str(error))


def _as_answer(known: StepKnown) -> StepDone | StepFailed:
    if known.state == "done":
        return StepDone(known.exec_id, known.result)
    if known.state == "failed":
        return StepFailed(known.exec_id, known.code, known.reason)
    return StepFailed(known.exec_id, "interrupted", "the step was begun, and nobody knows how it ended")
