"""What a process tells an operator of its actors: answers to `Inspect`, as plain data.

Owns reading cells; changes nothing and runs no user code. Lists are made in steps of `CHUNK` actors with the lane's other work between
them, and only what is shown is turned into text, so that a question about 100,000 actors holds up nobody. Invariant: every answer is
bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress
from garrick.observe.references import EXACT, fit
from garrick.runtime.cell import ENDED, RUNNING, STATES, Cell
from garrick.runtime.doing import doing, executor_of
from garrick.runtime.history import Ended, Failure, KeptLetter

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

CHUNK = 500
"""Actors that are looked at in one step of the lane: about a millisecond."""
ROWS = 100
"""Actors that are turned into text in one step."""
LOOK = 50_000
"""Envelopes of the lane, or of one mailbox, that are counted."""
CANDIDATES = 20
RELATIVES = 50
TIMERS = 20
FAILURES = 5
PENDING = "pending"
"""The state of an actor that waits for a place."""
RECENT = 3600.0
"""Seconds for which actors that failed are listed."""

Answer = Callable[[Any], None]
Steps = Iterator[None]
"""A question in several steps; it gives its answer in the last one."""


def inspect(runtime: Runtime, what: str, params: Mapping[str, Any], answer: Answer) -> bool:
    """Answer a question, now or in later steps of the lane; False when there is no such question."""
    ask = QUESTIONS.get(what)
    if ask is None:
        return False
    in_steps(runtime, ask(runtime, params, answer))
    return True


def in_steps(runtime: Runtime, steps: Steps) -> None:
    """Take the steps: the first now, each other one behind what is in the lane then."""
    if runtime.answers_at_once:
        for _ in steps:
            pass
    else:
        _go_on(runtime, steps)


def _go_on(runtime: Runtime, steps: Steps) -> None:
    if next(steps, StopIteration) is not StopIteration:
        runtime.post(lambda rest: _go_on(runtime, rest), steps)


# --- lists ---------------------------------------------------------------------------------------------------------------


def _find(runtime: Runtime, params: Mapping[str, Any], answer: Answer) -> Steps:
    """Whom a person may mean by this reference: the living that fit best, and who has ended, if nobody living fits exactly."""
    reference = str(params.get("reference", ""))
    best: list[tuple[int, Any]] = []
    names: list[str] = []
    count = 0
    for cells in chunks(runtime):
        for cell in cells:
            name = cell.spec.name
            if name is not None and len(names) < 1000:
                names.append(name)
            grade = fit(reference, str(cell.address), name)
            if grade is not None:
                count += 1
                best.append((grade, cell))
                if len(best) > 10 * CANDIDATES:
                    best = sorted(best, key=lambda item: item[0])[:CANDIDATES]
        yield
    found = [{"fit": grade, **row(cell, {})} for grade, cell in sorted(best, key=lambda item: item[0])[:CANDIDATES]]
    ended: list[dict[str, Any]] = []
    for each in runtime.history.all_ended():
        grade = fit(reference, str(each.address), each.name)
        if grade is not None and len(ended) < CANDIDATES:
            ended.append({"fit": grade, **ended_row(runtime, each)})
    # A name may be used again and again: only its last holder is meant by it.
    seen: set[str] = set()
    for item in list(ended):
        if item["fit"] == EXACT and item["name"] == reference:
            if reference in seen:
                ended.remove(item)
            seen.add(reference)
    answer({"found": found, "count": count, "ended": ended, "names": names})


def _list(runtime: Runtime, params: Mapping[str, Any], answer: Answer) -> Steps:
    """The first actors of those that match, as the caller wants them sorted, and those that failed lately."""
    limit = int(params.get("limit", 50))
    wanted = Wanted(params)
    key = SORTS[params.get("sort", "mailbox")]
    matched = 0
    best: list[tuple[Any, int, Cell]] = []
    waiting = waiting_in_lane(runtime)
    for cells in chunks(runtime):
        for cell in cells:
            if wanted.living and wanted(cell):
                matched += 1
                best.append((key(cell, waiting), -cell.address.serial, cell))
        if len(best) > max(4 * limit, CHUNK):
            best = nlargest(limit, best, key=lambda item: item[:2])
        yield
    rows = []
    for at, (_, _, cell) in enumerate(nlargest(limit, best, key=lambda item: item[:2])):
        rows.append(row(cell, waiting))
        if at % ROWS == ROWS - 1:
            yield
    now = runtime.clock.now()
    failed = [
        ended_row(runtime, ended)
        for ended in runtime.history.all_ended()
        if ended.reason != "stopped" and now - ended.at < RECENT and wanted.ended(ended)
    ]
    answer(
        {
            "rows": rows,
            "matched": matched,
            "actors": len(runtime.cells),
            "failed": failed[:limit],
            "failed_count": len(failed),
        }
    )


def _show(runtime: Runtime, params: Mapping[str, Any], answer: Answer) -> Steps:
    """Everything that is known of one actor."""
    serial = int(params["serial"])
    cell = runtime.cells.get(serial)
    if cell is not None:
        answer(facts(cell))
    elif (ended := runtime.history.find_ended(serial)) is not None:
        answer({**ended_row(runtime, ended), "failures": _failures(runtime, serial)})
    elif serial in runtime.tombstones:
        answer({"state": "ended", "reason": runtime.tombstones[serial], "failures": _failures(runtime, serial)})
    else:
        answer({"state": "unknown", "failures": _failures(runtime, serial)})
    yield


def _letters(runtime: Runtime, params: Mapping[str, Any], answer: Answer) -> Steps:
    """The newest dead letters, and how many there were in all."""
    limit = int(params.get("limit", 100))
    reason = params.get("reason")
    kept = [k for k in tuple(runtime.history.letters) if reason is None or k.letter.reason == reason]
    answer(
        {
            "letters": [letter_row(runtime, each) for each in kept[-limit:]],
            "kept": len(kept),
            "by_reason": dict(runtime.dead_letter_count),
        }
    )
    yield


def chunks(runtime: Runtime) -> Iterator[list[Cell]]:
    """The living actors, in parts that are looked at in one step."""
    cells = list(runtime.cells.values())
    for start in range(0, len(cells), CHUNK):
        yield [cell for cell in cells[start : start + CHUNK] if cell.state != ENDED]


class Wanted:
    """Which actors a list is about."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._class = params.get("class")
        self._name = params.get("name")
        self._state = params.get("state")
        self.living = not params.get("failed", False)
        self._classes: dict[Any, bool] = {}

    def __call__(self, cell: Cell) -> bool:
        """Whether a living actor is one of them."""
        return self._fits(cell.spec.actor_class, cell.spec.name) and (self._state is None or state(cell) == self._state)

    def ended(self, ended: Ended) -> bool:
        """Whether one that has ended is."""
        return self._fits(ended.actor_class, ended.name) and self._state in (None, "ended", "failed")

    def _fits(self, actor_class: Any, name: str | None) -> bool:
        if self._name is not None and (name is None or not fnmatchcase(name, self._name)):
            return False
        if self._class is None:
            return True
        fits = self._classes.get(actor_class)
        if fits is None:
            text = class_text(actor_class)
            fits = text.endswith(f".{self._class}") or fnmatchcase(text, self._class)
            self._classes[actor_class] = fits
        return fits


def mailbox(cell: Cell, waiting: Mapping[int, int]) -> int:
    """How many messages wait for the actor."""
    queue = cell.queue
    return (len(queue) if queue is not None else 0) + waiting.get(id(cell), 0)


SORTS: Mapping[str, Callable[[Cell, Mapping[int, int]], Any]] = {
    "mailbox": mailbox,
    "address": lambda _cell, _waiting: 0,
    "class": lambda cell, _waiting: _backwards(class_text(cell.spec.actor_class)),
    "name": lambda cell, _waiting: _backwards(cell.spec.name or "\U0010ffff"),
    "state": lambda cell, _waiting: _backwards(state(cell)),
}
"""The largest come first."""


def _backwards(text: str) -> tuple[int, ...]:
    return (*(-ord(character) for character in text), 1)


# --- one actor -----------------------------------------------------------------------------------------------------------


def state(cell: Cell) -> str:
    """One of `garrick.observe.why.LIVING`."""
    if cell.state != RUNNING:
        return STATES[cell.state] if cell not in cell.runtime.relocations.waiting else PENDING
    if cell.waits:
        return "waiting"
    return "busy" if cell.handling or _under_way(cell) else "running"


def _under_way(cell: Cell) -> int:
    """How many handlers of a reentrant actor have begun and not ended."""
    return len(cell.executor.flights) if cell.executor is not None else 0


def class_text(actor_class: Any) -> str:
    """A class as people know it."""
    if isinstance(actor_class, str):
        return actor_class
    # The program's main file has a private name in other processes (garrick.node.mainmodule).
    module = "__main__" if actor_class.__module__.startswith("__garrick_main_") else actor_class.__module__
    return f"{module}.{actor_class.__qualname__}"


def type_text(value: Any) -> str:
    """The type of a message, for a table."""
    return type(value).__qualname__


def waiting_in_lane(runtime: Runtime) -> Counter[int]:
    """How many messages for each actor are in the lane: ``id(cell)`` -> count."""
    for _ in range(3):
        try:
            counts = Counter([id(envelope[0]) for envelope in islice(runtime.lane, LOOK)])
        except RuntimeError:  # another thread appended meanwhile
            continue
        del counts[id(runtime.control)]
        return counts
    return Counter()


def row(cell: Cell, waiting: Mapping[int, int]) -> dict[str, Any]:
    """One actor in a list."""
    waits = tuple(cell.waits)
    return {
        "address": str(cell.address),
        "class": class_text(cell.spec.actor_class),
        "name": cell.spec.name,
        "state": state(cell),
        "process": cell.runtime.number,
        "mailbox": mailbox(cell, waiting),
        "waits_for": str(waits[-1].target) if waits else None,
        "pending": cell.runtime.relocations.why(cell),
        "parent": str(cell.parent),
    }


def ended_row(runtime: Runtime, ended: Ended) -> dict[str, Any]:
    """One actor that has ended."""
    return {
        "address": str(ended.address),
        "class": class_text(ended.actor_class),
        "name": ended.name,
        "state": "ended",
        "process": runtime.number,
        "reason": ended.reason,
        "detail": ended.detail,
        "ago": runtime.clock.now() - ended.at,
        "parent": str(ended.parent),
    }


def facts(cell: Cell) -> dict[str, Any]:
    """Everything that is known of one actor."""
    runtime, spec = cell.runtime, cell.spec
    now = runtime.clock.now()
    types, counted = _waiting_types(runtime, cell)
    failures = cell.failures
    timers = list(cell.timers or ())  # copied at once: any thread may cancel one
    timers.sort(key=lambda timer: timer.due)
    return {
        **row(cell, {}),
        "mailbox": counted,
        "mailbox_types": dict(types.most_common(10)),
        "isolation": spec.isolation,
        "supervision": None if spec.supervision is None else repr(spec.supervision),
        "requires": {str(key): repr(value) for key, value in (spec.requires or {}).items()},
        "runs_on": executor_of(cell),
        "mailbox_bound": cell.mailbox.bound.limit if cell.mailbox is not None else None,
        "stashed": len(cell.stash.aside) if cell.stash is not None else 0,
        "behaviour": getattr(cell.behaviour, "__name__", None),
        "under_way": _under_way(cell),
        "doing": doing(cell) if state(cell) in ("busy", "waiting") or cell.busy else None,
        "waits": [
            {
                "target": str(slot.target),
                "seconds": now - (slot.deadline - slot.timeout),
                "gives_up_in": slot.deadline - now,
            }
            for slot in [slot for wait in tuple(cell.waits) for slot in wait.open()][:RELATIVES]
        ],
        "children": _relatives(cell.children),
        "watchers": _relatives(cell.watchers),
        "watching": _relatives(cell.watching),
        "timers": [
            {"message": type_text(t.message), "due_in": t.due - now, "period": t.period, "keep": t.keep}
            for t in timers[:TIMERS]
        ],
        "timer_count": len(timers),
        "restarts": None
        if failures is None
        else {
            "recent": [now - at for at in failures.intensity._times],
            "in_backoff": failures.waiting,
            "until_in": failures.until - now if failures.waiting else None,
        },
        "failures": _failures(runtime, cell.address.serial),
    }


def _waiting_types(runtime: Runtime, cell: Cell) -> tuple[Counter[str], int]:
    types: Counter[str] = Counter()
    queue = cell.queue
    for source in (queue if queue is not None and cell.state != ENDED else (), runtime.lane):
        for _ in range(3):
            try:
                types.update([type_text(e[1]) for e in islice(source, LOOK) if e[0] is cell])
            except RuntimeError:  # another thread appended meanwhile
                continue
            break
    return types, types.total()


def _relatives(addresses: Mapping[Address[Any], Any] | None) -> dict[str, Any]:
    known = list((addresses or {}).items())
    first = [
        {"address": str(address), "name": name if isinstance(name, str) else None}
        for address, name in known[:RELATIVES]
    ]
    return {"count": len(known), "first": first}


def _failures(runtime: Runtime, serial: int) -> list[dict[str, Any]]:
    return [_failure(runtime, failure) for failure in runtime.history.failures_of(serial, FAILURES)]


def _failure(runtime: Runtime, failure: Failure) -> dict[str, Any]:
    lines = list(failure.trace.format())
    return {
        "ago": runtime.clock.now() - failure.at,
        "message": failure.message,
        "error": lines[-1].strip() if lines else "",
        "traceback": "".join(lines),
    }


# --- dead letters --------------------------------------------------------------------------------------------------------


def letter_row(runtime: Runtime, kept: KeptLetter) -> dict[str, Any]:
    """One dead letter in a list. Its message stays where it is: its type is enough there, and its text is user code."""
    letter = kept.letter
    sender = letter.sender
    return {
        "letter": f"{runtime.number}.{kept.number}",
        "process": runtime.number,
        "ago": runtime.clock.now() - kept.at,
        "reason": letter.reason,
        "message": type_text(letter.message),
        "target": str(letter.target),
        "target_class": _class_at(runtime, letter.target),
        "sender": None if sender is None else "ask" if isinstance(sender, ReplyAddress) else str(sender),
        "replayed": kept.replayed,
    }


def _class_at(runtime: Runtime, target: Address[Any]) -> str | None:
    cell = target._cell
    if cell is not None:
        return class_text(cell.spec.actor_class)
    ended = runtime.history.find_ended(target.serial) if target.process == runtime.number else None
    return class_text(ended.actor_class) if ended is not None else None


QUESTIONS: Mapping[str, Callable[[Runtime, Mapping[str, Any], Answer], Steps]] = {
    "find": _find,
    "list": _list,
    "show": _show,
    "letters": _letters,
}
"""What can be asked, each as steps."""
