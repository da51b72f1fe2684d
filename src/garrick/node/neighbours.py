"""`Neighbours`: what an operator asks about the systems of the convention, and the draining of the own one.

Owns the shape of the answers (plain data). Must not know sockets; `garrick.node.host` puts it behind the management socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from garrick.engine.carrier import name_of
from garrick.errors import InvalidArgument
from garrick.observe.management import is_plain

if TYPE_CHECKING:
    from garrick.node.host import Host

Method = Callable[[dict[str, Any]], Awaitable[Any]]
LONGEST = 60.0
"""Seconds that a ping may wait."""


class Neighbours:
    """See the module; of one system."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def looks(self) -> dict[str, Method]:
        """Methods that change nothing."""
        return {"node.list": self.list, "node.ping": self.ping}

    @property
    def changes(self) -> dict[str, Method]:
        """Methods that do."""
        return {"node.drain": self.drain}

    async def list(self, _params: dict[str, Any]) -> dict[str, Any]:
        """All systems that are known here, and those that are gone."""
        machine, gateway, now = self._host.machine, self._host.gateway, self._host.now()
        suspected = gateway.suspected if gateway is not None else frozenset()
        systems = {info.system: info for info in (machine.info(), *machine.core.members.systems.values())}
        rows = [
            {
                "system": info.system,
                "name": info.name,
                "here": info.system == machine.core.system,
                "state": "suspect" if info.system in suspected else "up" if info.processes else "takes no actors",
                "load": sum(process.load for process in info.processes),
                "processes": [process.number for process in info.processes],
                "capabilities": {k: v if is_plain(v) else repr(v) for k, v in info.capabilities.items()},
            }
            for info in systems.values()
        ]
        gone = [{**lost, "ago": now - lost["at"]} for lost in machine.core.members.gone]
        return {
            "systems": sorted(rows, key=lambda row: str(row["name"])),
            "gone": gone,
            "member": gateway is not None,
            "directory": gateway.directory if gateway is not None else "",
        }

    async def ping(self, params: dict[str, Any]) -> dict[str, Any]:
        """Whether a system answers, and how fast.

        Raises:
            InvalidArgument: no name, or a time-out that makes no sense.
        """
        name, timeout = params.get("name"), params.get("timeout", 2.0)
        if not isinstance(name, str) or not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
            raise InvalidArgument(f"name={name!r}, timeout={timeout!r}", hint=f"a name, and up to {LONGEST:g} seconds")
        machine, gateway = self._host.machine, self._host.gateway
        name = name_of(name)
        if name == name_of(machine.core.system):
            return {"system": machine.core.system, "verdict": "reached", "seconds": 0.0}
        known = [system for system in machine.core.members.systems if name_of(system) == name]
        if not known or gateway is None:
            return {"system": name, "verdict": "unknown", "seconds": 0.0}
        began = self._host.loop.time()
        verdict = await gateway.ping(name, float(timeout))
        return {"system": known[0], "verdict": verdict, "seconds": self._host.loop.time() - began}

    async def drain(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let no new actors come here, and those move away that can; or let them come again."""
        active = not params.get("undo", False)
        self._host.apply(self._host.machine.drain(self._host.now(), active=active))
        return {"system": self._host.system, "draining": active}
