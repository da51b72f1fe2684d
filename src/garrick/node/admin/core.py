"""What all parts of the admin stand on: the registers, the effects being collected, and how the processes are told things.

Owns the outbox and the View. Must not decide anything but when a View goes out. Invariant: all processes that are up have the same
View, at most `VIEW_PAUSE` seconds old; whole when they join, and then what has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress, control
from garrick.errors import ActorGone
from garrick.messages import DeadLetter
from garrick.node.admin.effects import Announce, Effect, Report, Send
from garrick.node.admin.everywhere import Everywhere
from garrick.node.admin.kept import Kept
from garrick.node.admin.letters import Letters
from garrick.node.admin.members import Members, TopLevel
from garrick.node.admin.names import Names
from garrick.node.admin.processes import Processes, State
from garrick.node.admin.pulse import Pulse
from garrick.node.admin.surveys import Surveys
from garrick.observe.letters import hint
from garrick.runtime import signals
from garrick.runtime.signals import SystemInfo
from garrick.runtime.systems import Systems
from garrick.wire.envelope import FAILURE, MESSAGE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.node.admin.sources import Sources

VIEW_PAUSE = 0.05
"""Least seconds between two Views that only carry news of other systems and of loads."""


@dataclass
class Ending:
    """A shutdown under way.

    Attributes:
        reason: why the system ends.
        deadline: when the next, harder step is due.
        requesters: who asked, and waits for the end.
        abandoned: what did not end by itself.
        killed: whether the harder step was taken.
    """

    reason: str
    deadline: float
    requesters: list[Address[Any]] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    killed: bool = False


class Core:
    """Registers and outbox of one admin; see `AdminMachine` for its arguments."""

    def __init__(self, system: str, capabilities: Mapping[str, Any], detached: bool, now: float, pulse: bool) -> None:
        self.system = system
        self.address: Address[Any] = control(system, 0)
        self.capabilities = dict(capabilities)
        self.detached = detached
        self.began = now
        self.processes = Processes()
        self.names = Names()
        self.everywhere = Everywhere(self)
        self.kept = Kept()
        self.letters = Letters()
        self.members = Members()
        self.top = TopLevel()
        self.surveys = Surveys()
        self.pulse = Pulse(now, on=pulse)
        self._sources: Sources | None = None
        self.time = now
        """Of the input that is dealt with."""
        self.ending: Ending | None = None
        self.ended = False
        self.draining = False
        """No new actors are to come here, from wherever."""
        self.out: list[Effect] = []
        self._view_stale = False
        self._view_at = now - VIEW_PAUSE
        self.contacts: Collection[str] | None = None
        """Other systems that have had to do with this one; None: perhaps all."""
        self.pulled = False
        """Whether processes look at the list of systems themselves, instead of being told of its changes."""
        self.awaiting: set[int] = set()
        """Processes whose actors wait for a system that fits."""
        self._told: Mapping[str, SystemInfo] = {}
        """The other systems as all processes that are up know them."""
        self._told_own: SystemInfo | None = None
        self.announced: SystemInfo | None = None
        """What the convention was told last."""

    @property
    def sources(self) -> Sources:
        """The versions of sources. They and their code are made when first asked for: most systems never do."""
        if self._sources is None:
            from garrick.node.admin.sources import Sources

            self._sources = Sources()
        return self._sources

    @property
    def has_sources(self) -> bool:
        """Whether anybody has asked for sources."""
        return self._sources is not None

    # --- telling -----------------------------------------------------------------------------------------------------

    def send(
        self, target: Address[Any], message: Any, *, kind: int = SIGNAL, sender: Address[Any] | None = None
    ) -> None:
        """One envelope, from the admin unless another sender is given."""
        self.out.append(Send(target, message, kind, sender or self.address))

    def reply(self, target: Address[Any] | None, value: Any) -> None:
        """The answer to an ask; an ask that came without a sender gets none."""
        if target is not None:
            self.send(target, value, kind=REPLY)

    def broadcast(self, message: Any, *, sender: Address[Any] | None = None, but: int | None = None) -> None:
        """One signal to every process that is up."""
        for process in self.processes.in_state(State.UP):
            if process.number != but:
                self.send(control(self.system, process.number), message, sender=sender)

    def tell_contacts(self, message: Any = None) -> None:
        """To the admins of all systems that have had to do with this one: what is true of it now, and then ``message``."""
        others = self.members.systems if self.contacts is None else self.contacts
        for system in others:
            if system != self.system:
                self.send(control(system, 0), signals.View({self.system: self.info()}))
                if message is not None:
                    self.send(control(system, 0), message)

    def report(self, level: str, text: str) -> None:
        """A line for the log."""
        self.out.append(Report(level, text))

    def one_shot(self, serial: int) -> ReplyAddress:
        """The address of the admin at which an answer is expected."""
        return ReplyAddress(self.system, 0, serial)

    def subscribe(self, subscriber: Address[Any], *, active: bool) -> None:
        """Somebody wants all dead letters, or no longer; every process is told, since each delivers its own."""
        if self.letters.subscribe(subscriber, active):
            self.broadcast(signals.SubscribeDeadLetters(subscriber, active))

    def bury(
        self,
        target: Address[Any],
        sender: Address[Any] | None,
        reason: str,
        text: str,
        now: float,
        *,
        counts: bool = True,
    ) -> None:
        """A dead letter of the admin itself: shown to subscribers, and told to the asker if it was an ask.

        What was for a process and no actor does not count: no user has sent it.
        """
        if counts:
            self.letters.own(text, target, sender, reason, now)
            for subscriber in self.letters.subscribers:
                self.send(subscriber, DeadLetter(text or None, target, sender, reason), kind=MESSAGE)
        if isinstance(sender, ReplyAddress):
            error = ActorGone(f"{target} can't be reached: {reason}", reason=reason, hint=hint(reason))
            self.send(sender, error, kind=FAILURE)

    # --- the view ----------------------------------------------------------------------------------------------------

    def info(self) -> SystemInfo:
        """What others may know of this system."""
        hosts = () if self.ending is not None or self.draining else self.processes.hosts()
        return SystemInfo(self.system, dict(self.capabilities), hosts)

    def view(self) -> signals.View:
        """What every process knows."""
        return signals.View(Systems(self.info(), self.members.systems))

    def _change(self, own: SystemInfo) -> signals.ViewChange:
        """What the processes have not been told yet; from now on they have."""
        before, now = self._told, self.members.systems
        changed: dict[str, SystemInfo] = {}
        gone: tuple[str, ...] = ()
        if now is not before:
            changed = {s: info for s, info in now.items() if s != self.system and before.get(s) != info}
            gone = tuple(s for s in before if s not in now and s != self.system)
        if own != self._told_own:
            changed = {self.system: own, **changed}
        self._told, self._told_own = now, own
        return signals.ViewChange(changed, gone)

    def view_changed(self) -> None:
        """The View is out of date; the next one goes out soon."""
        self._view_stale = True

    def view_due(self) -> float | None:
        """When a View must go out."""
        return self._view_at + VIEW_PAUSE if self._view_stale else None

    def send_view(self, now: float, *, but: int | None = None) -> None:
        """Tell everybody now (``but`` has it already), and the convention what concerns it."""
        self._view_stale, self._view_at = False, now
        info = self.info()
        if self.pulled:
            self.broadcast(self.view(), but=but)
        else:
            change = self._change(info)
            if change.changed or change.gone:
                self.broadcast(change, but=but)
        if info != self.announced:
            self.announced = info
            self.out.append(Announce(info))
