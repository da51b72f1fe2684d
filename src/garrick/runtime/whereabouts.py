"""Where a question is that was not answered in time: what `AskTimeout` says.

Owns the sentences. In the process of the target they are made from its cell (`of`). To another process the asker's runtime sends a `Probe`
shortly before the time is over, which is answered past everything that waits there; no answer says something too. An ask that is answered
in time costs nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress, control
from garrick.runtime.cell import ENDED, RESTARTING, STARTING, STOPPING, SUSPENDED, Cell
from garrick.runtime.doing import doing
from garrick.runtime.signals import Found, Probe
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.ask import Slot
    from garrick.runtime.fanout import Gathering
    from garrick.runtime.runtime import Runtime

LONGEST = 0.25
SHARE = 0.2
"""A probe is sent this share of the time-out before its end, and at most `LONGEST` seconds."""
LOOK = 10_000
"""Messages that are looked at to find the question among them."""
PROBES = 100
"""Probes for one question to many."""


# --- at the asker --------------------------------------------------------------------------------------------------------


def margin(timeout: float) -> float:
    """How many seconds before the end a probe is sent."""
    return min(LONGEST, SHARE * timeout)


def is_elsewhere(slot: Slot) -> bool:
    """Whether only another process can say where the question is."""
    target, runtime = slot.target, slot.runtime
    return (
        target._cell is None
        and target.serial != 0
        and not (target.process == runtime.number and target.system == runtime.system)
    )


def probe(slot: Slot) -> None:
    """Ask the target's process where the question is; any thread."""
    if not slot.done and slot.where is None:
        slot.where = ""
        slot.runtime.route(slot.target, Probe(slot.address), None, SIGNAL)


def found(runtime: Runtime, answer: Found) -> None:
    """The answer to a probe; any thread."""
    slot = runtime.slots.get(answer.serial)
    if slot is not None:
        slot.where = answer.text


class Countdown:
    """The timer of a wait on an event loop: `probe` shortly before the end, if that makes sense, and then ``expire``."""

    __slots__ = ("_expire", "_handle", "_loop", "_wait")

    def __init__(self, loop: Any, wait: Slot | Gathering, expire: Callable[[], object]) -> None:
        self._loop = loop
        self._wait = wait
        self._expire = expire
        left = self._left()
        early = margin(wait.timeout) if any(map(is_elsewhere, islice(wait.open(), 1))) else 0.0
        if early and left > early:
            self._handle = loop.call_later(left - early, self._probe)
        else:
            self._handle = loop.call_later(left, expire)

    def _left(self) -> float:
        return max(0.0, self._wait.deadline - self._wait.runtime.clock.now())

    def _probe(self) -> None:
        self._wait.probe()
        self._handle = self._loop.call_later(self._left(), self._expire)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._handle.cancel()


def sentence(slot: Slot, *, brief: bool = False) -> str:
    """For the error of an ask whose time is over."""
    target, runtime = slot.target, slot.runtime
    if not is_elsewhere(slot):
        cell = target._cell or runtime.cells.get(target.serial)
        if cell is not None:
            return of(cell, slot.address, brief=brief)
        return of_nobody(runtime, target) if target.serial else "the admin did not answer"
    if slot.where:
        return slot.where
    there = f"process {target.process} of {target.system}"
    way = getattr(runtime.outbound, "way_to", None)
    state = way(target) if way is not None else ""
    if slot.where is None:
        return f"it was sent to {there}{state}"
    return (
        f"{there} did not say within {margin(slot.timeout):.3g} s where the question is:"
        f" it is suspended, busy in code that keeps the interpreter, or cut off{state}"
    )


# --- at the target -------------------------------------------------------------------------------------------------------


def answer(runtime: Runtime, target: Address[Any], signal: Probe) -> None:
    """A probe has arrived; any thread, past the lane."""
    cell = runtime.cells.get(target.serial)
    text = of(cell, signal.question) if cell is not None else of_nobody(runtime, target)
    asker = signal.question
    runtime.route(control(asker.system, asker.process), Found(asker.serial, text), runtime.address, SIGNAL)


def of_nobody(runtime: Runtime, target: Address[Any]) -> str:
    """About an actor that is not there."""
    reason = runtime.tombstones.get(target.serial)
    if reason is not None:
        return f"the actor has ended ({reason})"
    return "its process has never heard of such an actor: its creation has not arrived yet, or never will"


def of(cell: Cell, question: ReplyAddress, *, brief: bool = False) -> str:
    """What the actor does, and where the question is. ``brief``: nothing that takes a look at all threads."""
    runtime = cell.runtime
    since = f" for {_seconds(runtime.clock.now() - cell.since)}" if cell.busy and cell.since is not None else ""
    step = runtime.tenure.envelope
    handling = cell.busy or (step is not None and step[0] is cell)
    ahead = _ahead(runtime, cell, question)
    place = "" if ahead is None else f"the question waits behind {ahead} other message{'' if ahead == 1 else 's'}, and "
    if cell.state == STARTING:
        return f"{place}{_starting(cell, since, brief=brief)}"
    if cell.state == RESTARTING:
        return f"{place}the actor failed and is restarting{since}"
    if cell.state == SUSPENDED:
        return f"{place}the actor failed and waits for the decision of its parent or its group{since}"
    if cell.state == STOPPING:
        children = len(cell.children or ())
        return f"{place}the actor is stopping{since}" + (
            f" and waits for the end of {children} children" if children else ""
        )
    if cell.state == ENDED:
        return of_nobody(runtime, cell.address)
    waits = [wait.target for wait in tuple(cell.waits)]
    waiting = f", which waits for {waits[-1]}" if waits else ""
    under_way = [flight.sender for flight in list(cell.executor.flights)] if cell.executor is not None else []
    if ahead is None and (question in under_way or (handling and cell.sender == question)):
        return f"the actor has been handling the question{since}{waiting or ''}"
    if ahead is None:
        if cell.stash is not None and any(item[2] == question for item in tuple(cell.stash.aside)):
            return "the actor has put the question aside (stash)"
        return "the actor has handled the question without answering it (it may still do so)"
    if handling:
        what = None if brief or waits else doing(cell)
        other = f" a {what['message']}" if what is not None and what.get("message") else " another message"
        return f"{place}the actor has been handling{other}{since}{waiting}"
    return f"{place}the actor has not come to it"


def _starting(cell: Cell, since: str, *, brief: bool) -> str:
    """What an actor waits for that has not started."""
    reason = cell.runtime.relocations.why(cell)
    if reason is not None:
        return f"the actor waits for a place{since}: {reason or 'none has been looked for yet'}"
    names = cell.spec.name or cell.spec.global_name
    if names and not brief and doing(cell) is None:
        return f"the actor is still starting{since}: it waits until its name {names!r} is granted, or for its turn"
    return f"the actor is still starting{since}: its constructor or started() has not ended"


def _ahead(runtime: Runtime, cell: Cell, question: ReplyAddress) -> int | None:
    """How many messages of the actor come before the question; None when it does not wait, or too far back."""
    ahead = 0
    for source in (cell.queue if cell.queue is not None and cell.state != ENDED else (), runtime.lane):
        for _ in range(3):
            try:
                senders = [item[2] for item in islice(source, LOOK) if item[0] is cell]
            except RuntimeError:  # another thread appended meanwhile
                continue
            if question in senders:
                return ahead + senders.index(question)
            ahead += len(senders)
            break
    return None


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
