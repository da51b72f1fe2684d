"""`AdminMachine`: the inputs of an admin and the order in which things follow from them.

Owns what happens when processes and systems come and go. Its parts own the registers. Must not know clocks, sockets, processes of
the operating system or user code. Invariants:

* Whoever is told of a lost worker has been told its replacement before, so that what is created anew finds a place.
* Each loss is told once to every process that is there, and to each that comes later before it gets any work.
* After `EndSystem` there are no effects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address, control
from garrick.errors import SystemStopped
from garrick.node.admin import inspection
from garrick.node.admin.core import Core, Ending
from garrick.node.admin.effects import Answer, Effect, KillProcess, StartProcess
from garrick.node.admin.ending import GRACE, ask_to_end, continue_end, note_abandoned, shut_down
from garrick.node.admin.moving import give_up, hand_over, rehouse
from garrick.node.admin.processes import Process, State
from garrick.node.admin.requests import FROM_ANYWHERE, FROM_HERE, bounce, feel_pulse, survey
from garrick.node.admin.status import status_of
from garrick.node.admin.surveys import Survey
from garrick.runtime import signals
from garrick.runtime.signals import SystemInfo

if TYPE_CHECKING:
    from garrick.engine.names import Reply

START_ATTEMPTS = 3
"""So many workers may die before any has come up; then the system ends."""


class AdminMachine:
    """The admin of one system: inputs in, effects out.

    Args:
        system: ``name@incarnation``.
        capabilities: of this system, as known at its start.
        detached: whether the system goes on when its owner ends.
        now: monotonic seconds.
        pulse: whether processes are asked for signs of life.
    """

    def __init__(
        self,
        system: str,
        *,
        capabilities: Mapping[str, Any] | None = None,
        detached: bool = False,
        now: float = 0.0,
        pulse: bool = False,
    ) -> None:
        self.core = Core(system, capabilities or {}, detached, now, pulse)
        self._start_failures = 0
        self._any_worker_up = False

    @property
    def ended(self) -> bool:
        """Whether `EndSystem` was given out."""
        return self.core.ended

    @property
    def deadline(self) -> float | None:
        """When `tick` is due; None if nothing waits for time."""
        core = self.core
        if core.ended:
            return None
        others: list[float | None]
        if core.ending is not None:
            others = [core.ending.deadline]
        else:
            others = [core.processes.next_start(), core.pulse.deadline(core.processes.with_pulse())]
            others.append(core.sources.deadline() if core.has_sources else None)
        others.append(core.everywhere.deadline())
        return min((t for t in (core.surveys.deadline(), core.view_due(), *others) if t is not None), default=None)

    def alive(self, number: int) -> bool:
        """Whether the process is there or on its way."""
        return self.core.processes.alive(number)

    def why_gone(self, number: int) -> str:
        """Why this process can't get anything: as in `DeadLetter.reason`."""
        process = self.core.processes.table.get(number)
        return (process.reason or "unknown") if process is not None else "unknown"

    @property
    def moved(self) -> Mapping[Address[Any], int]:
        """Actors of this system that are in another process than their addresses say, and where; always the same object."""
        return self.core.kept.places

    def info(self) -> SystemInfo:
        """What other systems may know of this one."""
        return self.core.info()

    # --- life of the system ------------------------------------------------------------------------------------------

    def start(self, workers: int, now: float) -> list[Effect]:
        """Start this many workers."""
        for _ in range(workers):
            self.core.processes.add("worker", State.STARTING, now)
        for process in self.core.processes.in_state(State.STARTING):
            self.core.out.append(StartProcess(process.number, process.role))
        return self._finish(now)

    def shutdown(self, grace: float, now: float, reason: str = "stopped") -> list[Effect]:
        """End the system: actors in order, then processes; what has not ended after ``grace`` seconds is abandoned."""
        if not self.ended:
            shut_down(self.core, grace, now, reason, None)
        return self._finish(now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called when ``now`` has reached `deadline`."""
        if self.core.ending is None:
            self._start_due(now)
            feel_pulse(self.core, now)
            self.core.time = now
            if self.core.has_sources:
                from garrick.node.admin import sources  # late: most systems have none

                sources.tick(self.core, now)
        self.core.everywhere.tick(now)
        return self._finish(now)

    def drain(self, now: float, *, active: bool) -> list[Effect]:
        """No new actors come here, and those that can move to other systems do; or they may come again.

        Args:
            now: monotonic seconds.
            active: False undoes it.
        """
        core = self.core
        if self.ended or core.ending is not None or core.draining == active:
            return []
        core.draining = active
        core.report("info", "no new actors are taken: it is drained" if active else "actors are taken again")
        core.tell_contacts()
        core.send_view(now)
        core.broadcast(signals.Drain(active))
        return self._finish(now)

    # --- processes ---------------------------------------------------------------------------------------------------

    def allot(self, role: str, now: float) -> int:
        """A number for a process that the edge did not start: a client that attaches, or the one process of ``local``."""
        return self.core.processes.add(role, State.STARTING, now).number

    def process_joined(
        self, number: int, role: str, now: float, *, pid: int | None = None, owner: bool = False
    ) -> list[Effect]:
        """A process has attached: it learns all that the others know, before anything else reaches it from here.

        Args:
            number: as started or allotted.
            role: ``worker``, ``dedicated`` or ``client``; must be what the number was meant for.
            now: monotonic seconds.
            pid: of the operating system, for ``status``.
            owner: whether the system ends with this process.
        """
        core = self.core
        if self.ended:
            return []
        listed = core.processes.hosts()
        process = core.processes.up(number, role, now, pid, owner)
        if process is None:
            core.out.append(KillProcess(number, f"no {role} process {number} is expected"))
            return self._finish(now)
        self._any_worker_up = self._any_worker_up or role == "worker"
        target = control(core.system, number)
        if core.view_due() is not None:
            core.send_view(now, but=number)  # so that what changes later is the same difference for all
        core.send(target, core.view())
        for reason, lost in core.processes.losses().items():
            core.send(target, signals.ProcessLost(lost, reason, moved=dict(core.kept.places)))
        for subscriber in core.letters.subscribers:
            core.send(target, signals.SubscribeDeadLetters(subscriber))
        if core.draining:
            core.send(target, signals.Drain(True))
        if core.has_sources and core.sources.epoch:
            core.send(target, signals.SourcesAre(core.sources.roster(now)))
        if core.ending is not None and role != "client":
            ask_to_end(core, [process], 0.0)
        if core.processes.hosts() != listed or not core.announced:
            core.send_view(now, but=number)
        if core.ending is None:
            hand_over(core, number)
        return self._finish(now)

    def process_died(self, number: int, detail: str, now: float, *, expected: bool = False) -> list[Effect]:
        """A process has ended.

        Args:
            number: which.
            detail: how, for a person (``killed by signal 9``).
            now: monotonic seconds.
            expected: it said good-bye: a client that closed, a dedicated process whose actor has ended.
        """
        core = self.core
        process = core.processes.table.get(number)
        if process is None or self.ended:
            return []
        came_up, lived = process.state is State.UP, now - process.since
        fine = expected or core.ending is not None
        reason = process.farewell if fine else "worker lost"
        if not core.processes.gone(number, now, reason, detail):
            return []
        if not fine:
            core.report("warning", f"{process.role} process {number} ended: {detail}")
        core.surveys.process_gone(number)
        core.awaiting.discard(number)
        core.letters.process_gone(number)
        for subscriber in core.letters.subscribers_at(core.system, number):
            core.subscribe(subscriber, active=False)
        replacement = None
        if process.role == "worker" and core.ending is None:
            replacement = self._replace(process, came_up, lived if came_up else 0.0, now)
        fine = fine or core.ending is not None
        moved = give_up(core, core.kept.at(number)) if fine else rehouse(core, process, replacement, now)
        self._start_due(now)  # what a process of their own is for
        names = {address: name for name, address in core.names.release_process(number)}
        core.everywhere.release_process(number, now)
        core.top.lost(core.system, number, reason, detail, now, moved, names)
        lost = signals.ProcessLost((number,), reason, detail, moved)
        core.broadcast(lost)
        core.tell_contacts(lost)  # with what is true now, since the directory's news of it come later
        for home in {place for place in moved.values() if place}:
            if core.processes.table[home].state is State.UP:
                hand_over(core, home)
        if process.owner and not core.detached and core.ending is None:
            shut_down(core, GRACE, now, f"its owner ended: {detail}", None)
        return self._finish(now)

    def _replace(self, dead: Process, came_up: bool, lived: float, now: float) -> Process | None:
        core = self.core
        if not came_up and not self._any_worker_up:
            self._start_failures += 1
            if self._start_failures >= START_ATTEMPTS:
                core.report("error", f"no worker comes up: {dead.detail}")
                shut_down(core, 0.0, now, f"its workers did not come up: {dead.detail}", None)
                return None
        replacement = core.processes.replace(dead, lived, now)
        if replacement.start_at > now:
            delay = replacement.start_at - now
            core.report("warning", f"worker {replacement.number} replaces {dead.number} in {delay:.1f} s")
        if not self._start_due(now):
            core.send_view(now)
        return replacement

    def _start_due(self, now: float) -> bool:
        due = self.core.processes.due(now)
        for process in due:
            self.core.out.append(StartProcess(process.number, process.role, process.address))
        if any(process.role == "worker" for process in due):
            self.core.send_view(now)
            return True
        return False

    # --- other systems -----------------------------------------------------------------------------------------------

    def system_joined(self, info: SystemInfo, now: float) -> list[Effect]:
        """Another system takes part in the convention from now on."""
        if not self.ended and info.system not in self.core.members.systems:
            self.core.report("info", f"system {info.system} joined")
        return self.system_changed(info, now)

    def system_changed(self, info: SystemInfo, now: float) -> list[Effect]:
        """Capabilities, processes or load of another system are different now."""
        if info.system != self.core.system and self.core.members.put(info):
            self.core.view_changed()
        return self._finish(now)

    def members_are(self, systems: Mapping[str, SystemInfo], now: float) -> list[Effect]:
        """The systems of the convention as of now, this one perhaps among them.

        Who is gone was told before by `system_left` or `system_lost`, if anything here can hang on it.
        """
        core = self.core
        if not core.members.adopt(systems):
            return []
        if not core.pulled:
            core.view_changed()
        elif core.awaiting:
            for number in core.awaiting:
                core.send(control(core.system, number), signals.SystemsChanged())
        else:
            return []
        return self._finish(now)

    def meets(self, contacts: Collection[str]) -> None:
        """These other systems, and those that will be among them, are the only ones that have had to do with this one."""
        self.core.contacts = contacts

    def joins(self, now: float) -> list[Effect]:
        """This system is about to be a member of a convention, which then decides about names that are unique there."""
        self.core.everywhere.joins(now)
        return self._finish(now)

    def names_replied(self, reply: Reply, now: float) -> list[Effect]:
        """The convention's authority over names has answered."""
        self.core.everywhere.replied(reply, now)
        return self._finish(now)

    @property
    def pulled(self) -> bool:
        """Whether processes look at the list of systems themselves, instead of being told of its changes."""
        return self.core.pulled

    @pulled.setter
    def pulled(self, pulled: bool) -> None:
        self.core.pulled = pulled

    @property
    def awaited(self) -> bool:
        """Whether a process wants to hear of every change of the list of systems."""
        return bool(self.core.awaiting)

    def system_left(self, system: str, now: float) -> list[Effect]:
        """Another system said good-bye; as `system_lost`."""
        return self._system_gone(system, "stopped", "it left the convention", now)

    def system_lost(self, system: str, detail: str, now: float) -> list[Effect]:
        """Another system is gone without a word; the caller tells each end once."""
        return self._system_gone(system, "system lost", detail, now)

    def _system_gone(self, system: str, reason: str, detail: str, now: float) -> list[Effect]:
        core = self.core
        # Not only if it is still in the list, which may be ahead: news that came together are told one by one, with the list after all.
        if not self.ended and system != core.system:
            core.members.remove(system, reason, detail, now)
            core.report("info" if reason == "stopped" else "warning", f"system {system} is gone: {detail}")
            for subscriber in core.letters.subscribers_at(system):
                core.subscribe(subscriber, active=False)
            core.top.lost(system, None, reason, detail, now)
            core.send_view(now)
            core.broadcast(signals.SystemLost(system, reason, detail))
        return self._finish(now)

    # --- envelopes to process 0 --------------------------------------------------------------------------------------

    def handle(
        self,
        message: Any,
        sender: Address[Any] | None,
        now: float,
        *,
        target: Address[Any] | None = None,
        origin: str | None = None,
    ) -> list[Effect]:
        """An envelope to process 0.

        Args:
            message: the decoded body.
            sender: its sender.
            now: monotonic seconds.
            target: the address it was sent to, when its serial is not 0 (an answer).
            origin: the system that it came from, when that is not this one.
        """
        core = self.core
        if self.ended:
            return []
        core.time = now
        kind = type(message).__name__
        if target is not None and target.serial != 0:
            if not core.surveys.answer(target.serial, message):
                core.report("info", f"{sender} answered too late")
            return self._finish(now)
        foreign = origin or (sender.system if sender is not None else core.system)
        handler = (FROM_HERE if foreign == core.system else FROM_ANYWHERE).get(type(message))
        if handler is None:
            core.report("warning", f"{kind} from {sender or foreign} is nothing for an admin")
            core.bury(target or core.address, sender, "unhandled", kind, now)
        else:
            handler(core, message, sender, now)
        return self._finish(now)

    def undeliverable(
        self, target: Address[Any], sender: Address[Any] | None, reason: str, now: float, text: str = ""
    ) -> list[Effect]:
        """The edge has an envelope that it can give to nobody: a dead letter of the admin, and an ask fails.

        Args:
            target: where it was to go.
            sender: who sent it.
            reason: as in `DeadLetter.reason`.
            now: monotonic seconds.
            text: what it was, for a person; the body is never decoded here.
        """
        if not self.ended:
            self.core.bury(target, sender, reason, text, now, counts=target.serial != 0)
        return self._finish(now)

    def bounced(self, message: Any, target: Address[Any], reason: str, now: float) -> list[Effect]:
        """A signal could not reach its actor: whoever waits for its effect is told (spawner and parent, watcher, stopper).

        Args:
            message: the decoded signal.
            target: where it was to go.
            reason: as in `ChildExited.reason`.
            now: monotonic seconds.
        """
        if not self.ended:
            bounce(self.core, message, target, reason)
        return self._finish(now)

    def status_wanted(self, token: Any, now: float) -> list[Effect]:
        """Somebody at the edge wants the status: comes as ``Answer(token, dict)``, in these effects or in later ones."""
        if self.ended:
            return [Answer(token, status_of(self.core, {}, now))]
        survey(self.core, token, now)
        return self._finish(now)

    def inspect(self, token: Any, what: str, params: Mapping[str, Any], now: float) -> list[Effect]:
        """An operator's question about actors or dead letters; answered as `status_wanted` is.

        Raises:
            InvalidArgument: it makes no sense.
            SystemStopped: there is nobody left to ask.
        """
        if self.ended:
            raise SystemStopped(f"the actor system {self.core.system} has ended")
        self.core.time = now
        if what.startswith("source."):
            from garrick.node.admin import sources

            sources.act(self.core, token, what, params, now)
        else:
            inspection.ask(self.core, token, what, params, now)
        return self._finish(now)

    # --- after every input -------------------------------------------------------------------------------------------

    def _finish(self, now: float) -> list[Effect]:
        core = self.core
        core.time = now
        if not core.ended:
            for closed in core.surveys.take_done(now):
                self._close(closed, now)
            view_due = core.view_due()
            if view_due is not None and now >= view_due:
                core.send_view(now)
            if core.ending is not None:
                continue_end(core, now)
        out, core.out = core.out, []
        return out

    def _close(self, closed: Survey, now: float) -> None:
        core = self.core
        if isinstance(closed.token, Ending):
            for answer in closed.answers.values():
                note_abandoned(closed.token, answer)
            return
        if core.has_sources:
            from garrick.node.admin import sources

            if isinstance(closed.token, sources.Round):
                sources.closed(core, closed.token, closed.answers, now)
                return
        if isinstance(closed.token, inspection.Query):
            inspection.close(core, closed.token, closed.answers, now)
            return
        for number, answer in closed.answers.items():
            process = core.processes.table.get(number)
            if process is not None and process.state is State.UP and isinstance(answer, Mapping):
                process.load = int(answer.get("actors", 0))
                core.letters.answered(number, answer)
        status = status_of(core, closed.answers, now)
        if isinstance(closed.token, Address):
            core.reply(closed.token, status)
        else:
            core.out.append(Answer(closed.token, status))
