"""`Neighbourhood`: actors that want to hear of the other systems of the convention.

Owns who they are, and what they have been told. Must not know how the list of systems comes here. Runs on the holder of the baton. Costs
nothing while nobody listens; else one comparison of the list per change of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.messages import Notice, SystemChanged, SystemGone, SystemJoined
from garrick.runtime.cell import ENDED, Cell
from garrick.runtime.signals import Await, SystemInfo, Told
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime


class Neighbourhood:
    """See the module; of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.listeners: dict[Cell, None] = {}
        self._told: dict[str, SystemInfo] = {}
        self._interests: set[str] = set()

    def interested(self, what: str, active: bool) -> None:
        """Something in this process depends on which systems there are, or no longer: its admin has to know."""
        before = bool(self._interests)
        (self._interests.add if active else self._interests.discard)(what)
        if bool(self._interests) != before:
            runtime = self.runtime
            runtime.route(runtime.admin, Await(active), runtime.address, SIGNAL)

    def listen(self, cell: Cell) -> bool:
        """An actor wants to hear; it is told of those that are there."""
        if cell.state == ENDED or cell in self.listeners:
            return False
        if not self.listeners:
            self.interested("listeners", True)
            self._told = self._others()
        else:
            self.changed()
        self.listeners[cell] = None
        for info in self._told.values():
            self._tell(cell, SystemJoined(info.system, dict(info.capabilities)))
        return False

    def changed(self) -> None:
        """The list of systems has changed, or may have."""
        if not self.listeners:
            return
        before, now = self._told, self._others()
        self._told = now
        news: list[Notice] = [SystemGone(system) for system in before if system not in now]
        for system, info in now.items():
            known = before.get(system)
            if known is None:
                news.append(SystemJoined(system, dict(info.capabilities)))
            elif known.capabilities != info.capabilities:
                news.append(SystemChanged(system, dict(info.capabilities)))
        for cell in [cell for cell in self.listeners if cell.state == ENDED]:
            del self.listeners[cell]
        if not self.listeners:
            self.interested("listeners", False)
        for cell in self.listeners:
            for notice in news:
                self._tell(cell, notice)

    def _others(self) -> dict[str, SystemInfo]:
        own = self.runtime.system
        return {system: info for system, info in self.runtime.view.systems.items() if system != own}

    def _tell(self, cell: Cell, notice: Any) -> None:
        self.runtime.post(self.runtime.signal, (cell, Told(notice), None))
