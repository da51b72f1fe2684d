"""What the admin does about each signal that is sent to it: one function per signal, and two tables.

Owns who may ask for what: `FROM_HERE` for processes of the system, `FROM_ANYWHERE` for other systems too. Must not know inputs of
the edge.
"""

# ruff: noqa: ARG001 - all handlers have the same parameters

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from garrick.address import Address, control
from garrick.errors import ActorGone
from garrick.messages import ChildExited, Terminated
from garrick.node.admin.core import Core
from garrick.node.admin.effects import StartProcess
from garrick.node.admin.ending import shut_down
from garrick.node.admin.processes import State
from garrick.observe.letters import hint
from garrick.runtime import signals
from garrick.wire.envelope import FAILURE, REPLY

STATUS_WAIT = 1.0
"""Seconds that processes get to answer a request for their status."""

Sender: TypeAlias = "Address[Any] | None"
Handler: TypeAlias = Callable[[Core, Any, Sender, float], None]


def name_claim(core: Core, message: signals.NameClaim, sender: Sender, now: float) -> None:
    """Grant the name, or say who has it."""
    number = sender.process if sender is not None else message.address.process
    if not core.processes.alive(number):
        return  # its process is gone: nobody waits for the answer, and nobody would free the name
    if message.everywhere:
        core.everywhere.claim(message.name, message.address, sender or control(core.system, number), now)
        return
    holder = core.names.claim(message.name, message.address, number)
    core.send(sender or control(core.system, number), signals.NameAnswer(message.name, message.address, holder))


def name_released(core: Core, message: signals.NameReleased, sender: Sender, now: float) -> None:
    """The name is free again."""
    if message.everywhere:
        core.everywhere.release(message.name, message.address, now)
    else:
        core.names.release(message.name, message.address)


def lookup(core: Core, message: signals.Lookup, sender: Sender, now: float) -> None:
    """Who has the name?"""
    if message.everywhere:
        core.everywhere.find(message.name, sender, now)
    else:
        core.reply(sender, core.names.find(message.name))


def numbers_wanted(core: Core, message: signals.NumbersWanted, sender: Sender, now: float) -> None:
    """Numbers for dedicated processes."""
    if sender is not None:
        core.reply(sender, core.processes.block(sender.process))


def start_process(core: Core, message: signals.StartProcess, sender: Sender, now: float) -> None:
    """A dedicated process for one actor, whose Spawn is already on its way there."""
    process = core.processes.claim(message.number, message.address, now)
    if process is None:
        core.report("error", f"{sender} asks for process {message.number}, a number that is not free")
    elif core.ending is None:
        core.out.append(StartProcess(process.number, process.role, message.address))
    else:
        core.processes.gone(process.number, now, "stopped", "the system is ending")
        core.broadcast(signals.ProcessLost((process.number,), "stopped", "the system is ending"))


def keep(core: Core, message: signals.Keep, sender: Sender, now: float) -> None:
    """An actor that is to survive its process."""
    if sender is not None and core.processes.alive(sender.process):
        core.kept.keep(message, sender.process)


def forget(core: Core, message: signals.Forget, sender: Sender, now: float) -> None:
    """It ends."""
    core.kept.forget(message.address)


def load(core: Core, message: signals.Load, sender: Sender, now: float) -> None:
    """How many actors a process has; what the View says of it follows when it has changed notably."""
    process = core.processes.table.get(sender.process) if sender is not None else None
    if process is None or process.state is not State.UP or process.load == message.actors:
        return
    if abs(process.load - message.actors) * 8 >= max(process.load, message.actors):
        process.load = message.actors
        core.view_changed()


def feel_pulse(core: Core, now: float) -> None:
    """Ask for signs of life, and suspect who owes one."""
    ask, suspects = core.pulse.look(core.processes.with_pulse(), now)
    for process in ask:
        core.send(control(core.system, process.number), signals.Ping())
    for process in suspects:
        core.report(
            "warning", f"{process.role} process {process.number} (pid {process.pid}) does not answer: it is suspect"
        )
    if suspects:
        core.send_view(now)


def farewell(core: Core, message: signals.Farewell, sender: Sender, now: float) -> None:
    """A dedicated process is about to end."""
    process = core.processes.table.get(sender.process) if sender is not None else None
    if process is not None and process.role == "dedicated":
        process.farewell = message.reason


def pong(core: Core, message: signals.Pong, sender: Sender, now: float) -> None:
    """A sign of life."""
    process = core.processes.table.get(sender.process) if sender is not None else None
    since = core.pulse.answered(process) if process is not None else None
    if process is not None and since is not None:
        core.report("warning", f"{process.role} process {process.number} answers again after {now - since:.1f} s")
        core.send_view(now)


def dead_letters(core: Core, message: signals.DeadLetterNote, sender: Sender, now: float) -> None:
    """A process reports its dead letters."""
    process = core.processes.table.get(sender.process) if sender is not None else None
    if process is not None and process.state is not State.GONE:
        core.letters.note(process.number, message.total, message.by_reason, message.newest)


def subscribe(core: Core, message: signals.SubscribeDeadLetters, sender: Sender, now: float) -> None:
    """Somebody wants all dead letters, or no longer."""
    core.subscribe(message.subscriber, active=message.active)


def set_capability(core: Core, message: signals.SetCapability, sender: Sender, now: float) -> None:
    """A capability changes; runtimes learn it, and what their actors lost, from the View."""
    before = dict(core.capabilities)
    if message.value is None:
        core.capabilities.pop(message.key, None)
    else:
        core.capabilities[message.key] = message.value
    if core.capabilities != before:
        # Before its actors end: whoever makes them again must not choose this system by what the directory says of it.
        core.tell_contacts()
        core.send_view(now)


def awaits(core: Core, message: signals.Await, sender: Sender, now: float) -> None:
    """Actors of a process wait for a system that fits, or no longer."""
    if sender is not None and message.active:
        core.awaiting.add(sender.process)
    elif sender is not None:
        core.awaiting.discard(sender.process)


def status_wanted(core: Core, message: signals.StatusWanted, sender: Sender, now: float) -> None:
    """Somebody asks for the status."""
    if sender is not None:
        survey(core, sender, now)


def survey(core: Core, token: Any, now: float) -> None:
    """Ask all processes for their status, on behalf of ``token``."""
    numbers = [p.number for p in core.processes.in_state(State.UP)]
    for number, serial in core.surveys.open(token, numbers, now + STATUS_WAIT).items():
        core.send(control(core.system, number), signals.StatusWanted(), sender=core.one_shot(serial))


def shutdown(core: Core, message: signals.Shutdown, sender: Sender, now: float) -> None:
    """Somebody wants the system to end."""
    shut_down(core, message.grace, now, "stopped", sender)


def started(core: Core, message: signals.Started, sender: Sender, now: float) -> None:
    """A top-level actor runs."""
    core.top.started(message.address)


def told(core: Core, message: signals.Told, sender: Sender, now: float) -> None:
    """A notice for the parent of the top-level actors."""
    notice = message.notice
    if not isinstance(notice, ChildExited):
        core.report("warning", f"{type(notice).__name__} for the system itself: {notice}")
        return
    core.top.ended(notice.child, notice.reason, notice.detail, notice.name, now)
    if notice.reason == "failed":
        core.report("warning", f"top-level actor {notice.name or notice.child} failed: {notice.detail}")


def foreign_loss(core: Core, message: signals.ProcessLost, sender: Sender, now: float) -> None:
    """Another system lost a process: told on with its admin as sender, which says whose processes are meant."""
    if sender is not None and sender.system != core.system:
        core.broadcast(message, sender=sender)


def foreign_view(core: Core, message: signals.View, sender: Sender, now: float) -> None:
    """Another admin tells of its own system, ahead of the directory."""
    info = message.systems.get(sender.system) if sender is not None else None
    if info is not None and core.members.put_ahead(info):
        core.send_view(now)


def bounce(core: Core, message: Any, target: Address[Any], reason: str) -> None:
    """A signal that reached nobody: told to those who wait for what it should have done."""
    if isinstance(message, signals.Spawn):
        if message.notify is not None:
            error = ActorGone(f"{target} can't be created: {reason}", reason=reason, hint=hint(reason))
            core.send(message.notify, error, kind=FAILURE, sender=target)
        exited = ChildExited(target, reason, name=message.spec.name)
        core.send(message.parent, signals.Told(exited), sender=target)
    elif isinstance(message, signals.Watch):
        core.send(message.watcher, signals.Told(Terminated(target, reason)), sender=target)
    elif isinstance(message, signals.Stop) and message.notify is not None:
        core.send(message.notify, None, kind=REPLY, sender=target)


def source_act(core: Core, message: signals.SourceAct, sender: Sender, now: float) -> None:
    """A program of the system does something about sources."""
    from garrick.node.admin import sources  # late: most systems have none

    sources.asked(core, message, sender, now)


FROM_ANYWHERE: Mapping[type, Handler] = {
    signals.Lookup: lookup,
    signals.SubscribeDeadLetters: subscribe,
    signals.StatusWanted: status_wanted,
    signals.Started: started,
    signals.Told: told,
    signals.ProcessLost: foreign_loss,
    signals.View: foreign_view,
}
FROM_HERE: Mapping[type, Handler] = {
    **FROM_ANYWHERE,
    signals.NameClaim: name_claim,
    signals.NameReleased: name_released,
    signals.NumbersWanted: numbers_wanted,
    signals.StartProcess: start_process,
    signals.Keep: keep,
    signals.Forget: forget,
    signals.DeadLetterNote: dead_letters,
    signals.Load: load,
    signals.Pong: pong,
    signals.Farewell: farewell,
    signals.SetCapability: set_capability,
    signals.Await: awaits,
    signals.SourceAct: source_act,
    signals.Shutdown: shutdown,
}
