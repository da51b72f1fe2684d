"""An operator's questions about actors and dead letters: which processes are asked, and how their answers become one.

Owns resolving addresses to processes and merging. Must not know what a process does to answer, nor decode anything of a user.
Invariant: a question is answered in any case, with what is known here when a process is gone or does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from garrick.address import Address, control
from garrick.errors import AskTimeout, GarrickError, InvalidArgument, ManagementError, NoSuchActor, NoSuchDeadLetter
from garrick.node.admin.core import Core
from garrick.node.admin.effects import Answer
from garrick.node.admin.processes import State
from garrick.observe.references import EXACT, fit, natural, read_address
from garrick.observe.why import LIVING
from garrick.runtime import signals

WAIT = 2.0
"""Seconds that processes get to answer a question."""
LONGEST_WAIT = 3600.0
LONGEST_LIST = 10_000
_STATES = (*LIVING, "ended", "failed")
_NO_HINT = "garrick actor why says more about an actor, garrick status about processes"
RECENT = 3600.0
"""Seconds for which lost actors are listed; as in `garrick.runtime.inspection`."""

Params = Mapping[str, Any]
Merge = Callable[[Core, "Query", Mapping[int, Any], float], Any]


@dataclass
class Query:
    """A question under way.

    Attributes:
        token: who wants the answer.
        what: is asked.
        params: of the question.
        merge: makes one answer of many.
        asked: the processes that were asked.
        address: the actor that it is about, if it is about one.
        process: where that actor is, or was last.
    """

    token: Any
    what: str
    params: dict[str, Any]
    merge: Merge
    asked: tuple[int, ...] = ()
    address: Address[Any] | None = None
    process: int = 0


@dataclass(frozen=True)
class Question:
    """One kind of question: to all processes, or to the one that hosts an actor or keeps a dead letter.

    Attributes:
        merge: makes one answer of many.
        about: ``address`` or ``letter``: the parameter that names what it is about; None: it is for all processes.
        defaults: of parameters.
    """

    merge: Merge
    about: str | None = None
    defaults: Params = field(default_factory=dict)


def ask(core: Core, token: Any, what: str, params: Params, now: float) -> None:
    """Ask the processes that can tell; the answer comes as ``Answer(token, ...)``.

    Raises:
        InvalidArgument: there is no such question, or it names no actor of this system.
    """
    question = QUESTIONS.get(what)
    if question is None:
        raise InvalidArgument(f"there is no question {what!r}", hint=f"there are {', '.join(sorted(QUESTIONS))}")
    query = Query(token, what, {**question.defaults, **params}, question.merge)
    _check(query.params)
    up = [p.number for p in core.processes.in_state(State.UP)]
    if question.about == "address":
        query.address = _address(core, query.params.get("address"))
        query.process = core.kept.place(query.address)
        query.params["serial"] = query.address.serial
    elif question.about == "letter":
        query.process, query.params["number"] = _letter(core, query.params.get("letter"))
    if question.about is not None:
        up = [number for number in up if number == query.process]
    query.asked = tuple(up)
    wait = min(float(query.params.get("timeout", 0.0)), LONGEST_WAIT) + WAIT
    if what == "stop":
        wait -= WAIT  # nobody answers before it has happened
    for number, serial in core.surveys.open(query, up, now + wait).items():
        sender = core.one_shot(serial)
        core.send(control(core.system, number), signals.Inspect(what, query.params), sender=sender)


def close(core: Core, query: Query, answers: Mapping[int, Any], now: float) -> None:
    """All have answered, or their time is over."""
    good = {number: dict(answer) for number, answer in answers.items() if isinstance(answer, Mapping)}
    errors = [answer["error"] for answer in good.values() if isinstance(answer.get("error"), Mapping)]
    if errors:
        refusal = ManagementError(
            str(errors[0].get("message")), code=str(errors[0].get("code")), hint=errors[0].get("hint") or _NO_HINT
        )
        core.out.append(Answer(query.token, refusal))
        return
    try:
        value = query.merge(core, query, good, now)
    except GarrickError as error:
        core.out.append(Answer(query.token, error))
        return
    value["unanswered"] = [number for number in query.asked if number not in good]
    core.out.append(Answer(query.token, value))


def _check(params: Params) -> None:
    if params.get("sort", "mailbox") not in _ORDER:
        raise InvalidArgument(f"can't sort by {params['sort']!r}", hint=f"sort by {', '.join(_ORDER)}")
    state = params.get("state")
    if state is not None and state not in _STATES:
        raise InvalidArgument(f"there is no state {state!r} of an actor", hint=f"there are {', '.join(_STATES)}")
    limit = params.get("limit", 1)
    if not isinstance(limit, int) or not 1 <= limit <= LONGEST_LIST:
        raise InvalidArgument(f"{limit!r} is no limit of a list", hint=f"give 1 to {LONGEST_LIST}")


def _letter(core: Core, text: Any) -> tuple[int, int]:
    process, _, number = str(text).partition(".")
    if not process.isdecimal() or not number.isdecimal():
        raise InvalidArgument(f"{text!r} is no dead letter", hint="garrick deadletter ls shows them: 3.17, for example")
    if process == "0":
        raise NoSuchDeadLetter(
            f"letter {text} died in the admin, which never sees what a message says",
            hint="it can't be shown or replayed",
        )
    if not core.processes.alive(int(process)):
        raise NoSuchDeadLetter(
            f"letter {text} went with its process {process}: {core.processes.table[int(process)].detail}"
            if int(process) in core.processes.table
            else f"letter {text} is of a process {process} that this system has never had",
            hint="dead letters are kept where they died; only their number by reason outlives that",
        )
    return int(process), int(number)


def _address(core: Core, text: Any) -> Address[Any]:
    place = read_address(text) if isinstance(text, str) else None
    if place is None:
        raise InvalidArgument(f"{text!r} is no address", hint="it looks like system@incarnation/process/creator.number")
    if place.system is not None and place.system != core.system:
        raise InvalidArgument(
            f"{text} is no address of {core.system}",
            hint=f"ask the system {place.system.partition('@')[0]!r}"
            if place.system.partition("@")[0] != core.system.partition("@")[0]
            else "it is of an earlier start of this system, which has ended with all its actors",
        )
    if place.serial == 0:
        raise InvalidArgument(f"{text} is a process and no actor", hint="garrick status tells about processes")
    return Address(core.system, place.process, place.serial)


# --- merging -------------------------------------------------------------------------------------------------------------


def _find(core: Core, query: Query, answers: Mapping[int, dict[str, Any]], _now: float) -> dict[str, Any]:
    reference = str(query.params.get("reference", ""))
    found = [item for answer in answers.values() for item in answer.get("found", ())]
    ended = [item for answer in answers.values() for item in answer.get("ended", ())]
    known = {item["address"] for item in (*found, *ended)}
    for stone in core.top.tombstones:
        grade = fit(reference, str(stone.address), stone.name)
        if grade is not None and str(stone.address) not in known:
            ended.append({"fit": grade, **_stone(core, stone, _now)})
    best = min((item["fit"] for item in found), default=None)
    found = [item for item in found if item["fit"] == best]
    exact = [item for item in ended if item["fit"] == EXACT]
    ended = sorted(exact or ended, key=lambda item: item["ago"])
    names = {name for answer in answers.values() for name in answer.get("names", ())} | set(core.names.items())
    names |= {stone.name for stone in core.top.tombstones if stone.name}
    from difflib import get_close_matches  # late: a start would pay for it

    return {
        "reference": reference,
        "found": sorted(found, key=lambda item: natural(item["address"])),
        "count": sum(int(answer.get("count", 0)) for answer in answers.values()),
        "ended": ended[:20],
        "close": get_close_matches(reference, sorted(names), n=3),
        "searched": len(answers),
    }


def _stone(core: Core, stone: Any, now: float) -> dict[str, Any]:
    return {
        "address": str(stone.address),
        "class": None,
        "name": stone.name,
        "state": "ended",
        "process": stone.address.process,
        "reason": stone.reason,
        "detail": stone.detail,
        "ago": now - stone.at,
        "parent": str(core.address),
    }


_ORDER: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "mailbox": lambda row: -row["mailbox"],
    "address": lambda _row: 0,
    "class": lambda row: row["class"],
    "name": lambda row: (row["name"] is None, row["name"] or ""),
    "state": lambda row: row["state"],
}


def _list(core: Core, query: Query, answers: Mapping[int, dict[str, Any]], now: float) -> dict[str, Any]:
    order = _ORDER[query.params["sort"]]
    limit = int(query.params["limit"])
    rows = sorted(_all(answers, "rows"), key=lambda row: (order(row), natural(row["address"])))
    failed = _all(answers, "failed")
    known = {row["address"] for row in failed}
    lost = [
        _stone(core, stone, now)
        for stone in core.top.tombstones
        if stone.reason != "stopped" and now - stone.at < RECENT and str(stone.address) not in known
    ]
    if any(query.params.get(key) for key in ("class", "state", "name")):
        lost = []  # of those that were lost with their process nothing is known here that could be compared
    failed = sorted((*failed, *lost), key=lambda row: row["ago"])
    return {
        "rows": rows[:limit],
        "matched": sum(int(answer.get("matched", 0)) for answer in answers.values()),
        "actors": sum(int(answer.get("actors", 0)) for answer in answers.values()),
        "processes": len(answers),
        "failed": failed[:limit],
        "failed_count": sum(int(answer.get("failed_count", 0)) for answer in answers.values()) + len(lost),
    }


def _show(core: Core, query: Query, answers: Mapping[int, dict[str, Any]], now: float) -> dict[str, Any]:
    address, number = query.address, query.process
    known: dict[str, Any] = {"address": str(address), "class": None, "name": None, "state": "unknown"}
    stone = next((s for s in core.top.tombstones if s.address == address), None)
    answer = answers.get(number)
    if answer is None and stone is not None:
        known |= _stone(core, stone, now)
    process = core.processes.table.get(number)
    if answer is None and address in core.kept.entries:
        known |= {"state": "starting", "again": True}
    elif process is not None and process.state is State.GONE and known["state"] == "unknown":
        known |= {"state": "ended", "reason": process.reason, "detail": process.detail, "ago": now - process.since}
    return {
        **known,
        **(answer or {}),
        "process": number,
        "host": None
        if process is None
        else {
            "number": number,
            "role": process.role,
            "state": process.state.value,
            "pid": process.pid,
            "suspect": None if process.suspect is None else now - process.suspect,
            "seconds": now - process.since,
            "answered": answer is not None,
            "reason": process.reason,
            "detail": process.detail,
        },
    }


def _letters(core: Core, query: Query, answers: Mapping[int, dict[str, Any]], now: float) -> dict[str, Any]:
    limit = int(query.params["limit"])
    letters = sorted((*_all(answers, "letters"), *core.letters.own_rows(now)), key=lambda row: row["ago"])
    reason = query.params.get("reason")
    letters = [letter for letter in letters if reason is None or letter["reason"] == reason]
    totals = core.letters.totals({number: answer.get("by_reason", {}) for number, answer in answers.items()})
    return {
        "letters": letters[:limit],
        "kept": len(letters),
        "total": totals.total(),
        "by_reason": dict(sorted(totals.items())),
    }


def _all(answers: Mapping[int, dict[str, Any]], key: str) -> list[dict[str, Any]]:
    found: Iterable[list[dict[str, Any]]] = (answer.get(key, []) for answer in answers.values())
    return [row for rows in found for row in rows]


def _done(core: Core, query: Query, answers: Mapping[int, dict[str, Any]], _now: float) -> dict[str, Any]:
    """What one process did."""
    answer = answers.get(query.process)
    if answer is not None:
        return answer
    process = core.processes.table.get(query.process)
    if process is None:
        raise NoSuchActor(f"{query.address} is unknown: this system has never had a process {query.process}")
    if process.state is State.GONE:
        if query.what == "stop" and query.asked:
            return {"ended": True}  # its process was there for it alone, and ended with it
        raise NoSuchActor(f"process {query.process} has ended ({process.reason}: {process.detail})")
    if query.what == "stop":
        return {"ended": False}
    raise AskTimeout(f"process {query.process} did not answer in time", hint="garrick status shows its state")


QUESTIONS: Mapping[str, Question] = {
    "find": Question(_find),
    "list": Question(_list, defaults={"sort": "mailbox", "limit": 50}),
    "show": Question(_show, about="address"),
    "letters": Question(_letters, defaults={"limit": 100}),
    "letter": Question(_done, about="letter"),
    "replay": Question(_done, about="letter"),
    "stop": Question(_done, about="address", defaults={"timeout": 30.0}),
    "restart": Question(_done, about="address"),
    "tell": Question(_done, about="address"),
    "ask": Question(_done, about="address", defaults={"timeout": 30.0}),
}
