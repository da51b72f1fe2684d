"""The versions of sources in a system: their states, what operators do about them, and when nothing of one is in use any more.

Owns the table that every process has a copy of (`garrick.sources.roster`). Must not know modules, classes or bundles: processes count and
unload. Invariants:

* Whoever is told that something was done can rely on all processes knowing it: they have acknowledged the table of that epoch.
* Drained is a counted fact: two rounds in a row in which every process that is up found nothing.
* A version is taken out of the processes only when that is so, or by force.
"""

# ruff: noqa: ARG001 - all verbs have the same parameters

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from garrick.address import Address, control
from garrick.errors import (
    AskTimeout,
    GarrickError,
    InvalidArgument,
    SourceInUse,
    SourceLeaked,
    SourceMissing,
    SystemStopped,
)
from garrick.node.admin.effects import Answer
from garrick.node.admin.processes import State
from garrick.runtime import signals
from garrick.sources.authority import AUTHORITY, SourceOffered, decide
from garrick.sources.roster import (
    CURRENT,
    DRAINED,
    DRAINING,
    INACTIVE,
    RAMPING,
    UNLOADED,
    Group,
    Roster,
    Version,
)
from garrick.wire.envelope import FAILURE, MESSAGE

if TYPE_CHECKING:
    from garrick.node.admin.core import Core

WAIT = 2.0
"""Seconds that processes get to answer a question."""
UNLOAD_WAIT = 30.0
"""The same for unloading: they look at all that they have in memory."""
SOON = 0.05
"""Seconds between two rounds when something is expected to be over."""
LATER = 0.5
"""Seconds between two rounds while actors go on."""
SHORTEST = 4
"""Digits of a hash that lead to it, if no other one begins with them."""
GRACE = 10.0
"""Seconds that actors have for what waits in their mailboxes, when the deadline has passed."""
GONE_KEPT = 100
"""Versions that are remembered after they were unloaded."""
EVENTS = 200
"""Events that are remembered."""
SHOWN = 5
"""Actors and chains that an error names."""

Params = Mapping[str, Any]
Answers = Mapping[int, Mapping[str, Any]]
Then = Callable[["Core", Answers, float], None]


@dataclass
class Round:
    """A question to all processes; ``then`` gets what they answered."""

    asked: tuple[int, ...]
    then: Then
    raw: bool = False
    """Whether it is a question to an actor, whose answer may be anything."""


@dataclass
class Removal:
    """Somebody wants a version unloaded, and waits for it."""

    token: Any
    deadline: float
    force: bool
    before: str
    """The state that it has again if it can't be."""


@dataclass
class Entry:
    """One version; the attributes are those of `Version`, and these.

    Attributes:
        since: when it got its state.
        deadline: when its draining should be over.
        force: whether what is left then is ended.
        zero: rounds in a row that found nothing.
        next_round: when it is counted again; None: it is not.
        counts: of the last round, by process.
        removal: who waits for its end.
        waiters: who wait until it is drained, and until when.
        ended: whether its actors were told to end, after their deadline.
        leaked: what outlived its unloading.
    """

    hash: str
    name: str
    version: str
    state: str = INACTIVE
    since: float = 0.0
    successor: str | None = None
    deadline: float | None = None
    force: bool = False
    zero: int = 0
    next_round: float | None = None
    counts: Answers = field(default_factory=dict)
    removal: Removal | None = None
    leaked: tuple[str, ...] = ()
    waiters: list[tuple[Any, float]] = field(default_factory=list)
    ended: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.version} ({self.hash[:8]})"


@dataclass
class GroupEntry:
    """What a name means; ``previous`` is what `rollback` makes current again."""

    current: str | None = None
    previous: str | None = None
    ramping: str | None = None
    percent: float = 0.0


class Sources:
    """The table of one system."""

    def __init__(self) -> None:
        self.versions: dict[str, Entry] = {}
        self.groups: dict[str, GroupEntry] = {}
        self.epoch = 0
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS)

    def roster(self, now: float) -> Roster:
        """What processes are told."""
        versions = {
            e.hash: Version(
                e.hash,
                e.name,
                e.version,
                e.state,
                e.successor,
                None if e.deadline is None else max(0.0, e.deadline - now),
                e.removal is not None and e.state != UNLOADED,
            )
            for e in self.versions.values()
        }
        groups = {name: Group(g.current, g.ramping, g.percent) for name, g in self.groups.items()}
        return Roster(self.epoch, versions, groups)

    def deadline(self) -> float | None:
        """When `tick` is due."""
        due = [t for e in self.versions.values() for t in (e.next_round, e.deadline) if t is not None]
        return min(due, default=None)

    def find(self, reference: Any) -> Entry:
        """The version that is meant: a hash or the beginning of one, ``name@version``, or a name that has only one version.

        Raises:
            SourceMissing: there is none.
            InvalidArgument: several fit.
        """
        text = str(reference)
        if text in self.versions:
            return self.versions[text]
        known = self.versions.values()
        found = [e for e in known if f"{e.name}@{e.version}" == text]
        found = found or [e for e in known if e.name == text and e.state != UNLOADED]
        if not found and len(text) >= SHORTEST:
            found = [e for e in known if e.hash.startswith(text)]
        if not found:
            raise SourceMissing(f"this system has no source {text!r}", hint="garrick source ls shows all")
        if len(found) > 1:
            raise InvalidArgument(
                f"{text!r} fits {', '.join(map(str, found))}", hint="say which one: name@version, or its hash"
            )
        return found[0]


# --- entrances -----------------------------------------------------------------------------------------------------------


def act(core: Core, token: Any, verb: str, params: Params, now: float) -> None:
    """Do what an operator or a program asks for; ``token`` gets the answer, now or later.

    Raises:
        GarrickError: it makes no sense.
    """
    if core.ending is not None:
        raise SystemStopped(f"the actor system {core.system} is ending")
    verbs = VERBS.get(verb)
    if verbs is None:
        raise InvalidArgument(f"there is nothing to {verb!r} about sources", hint=f"there are {', '.join(VERBS)}")
    verbs(core, token, params, now)


def asked(core: Core, message: signals.SourceAct, sender: Address[Any] | None, now: float) -> None:
    """A program of the system asks for it."""
    try:
        act(core, sender, message.verb, message.params, now)
    except GarrickError as error:
        answer(core, sender, error)


def answer(core: Core, token: Any, value: Any) -> None:
    """The result for whoever waits for it, if anybody does."""
    if token is None:
        return
    if not isinstance(token, Address):
        core.out.append(Answer(token, value))
    elif isinstance(value, GarrickError):
        core.send(token, value, kind=FAILURE)
    else:
        core.reply(token, value)


def tick(core: Core, now: float) -> None:
    """Begin the rounds that are due, and deal with deadlines."""
    for entry in core.sources.versions.values():
        if entry.next_round is not None and entry.next_round <= now:
            entry.next_round = None
            _count(core, entry)
        if entry.deadline is not None and entry.deadline <= now:
            entry.deadline = None
            _overdue(core, entry, now)


def closed(core: Core, question: Round, found: Mapping[int, Any], now: float) -> None:
    """A round is over. A process that has gone meanwhile has nothing in use; one that is silent is missing in the answers."""
    if question.raw:
        question.then(core, found, now)
        return
    gone: dict[int, Mapping[str, Any]] = {number: {} for number in question.asked if not core.processes.alive(number)}
    good = {number: each for number, each in found.items() if isinstance(each, Mapping)}
    question.then(core, {**gone, **good}, now)


def _ask(core: Core, what: str, params: dict[str, Any], then: Then, *, wait: float = WAIT) -> None:
    """Ask all processes; a process that does not answer in time is missing in what ``then`` gets."""
    up = tuple(p.number for p in core.processes.in_state(State.UP))
    question = Round(up, then)
    for number, serial in core.surveys.open(question, up, core.time + wait).items():
        message = signals.Inspect(what, params)
        core.send(control(core.system, number), message, sender=core.one_shot(serial))


def _publish(core: Core, then: Callable[[Core, float], None]) -> None:
    """Tell all processes what is true now; ``then`` follows when they know it."""
    core.sources.epoch += 1
    core.broadcast(signals.SourcesAre(core.sources.roster(core.time)))
    _ask(core, "source.known", {}, lambda core, _answers, now: then(core, now))


def _event(core: Core, entry: Entry, text: str, *, level: str = "info") -> None:
    core.report(level, f"source {entry}: {text}")
    core.sources.events.append({"at": core.time, "hash": entry.hash, "source": str(entry), "event": text})


def _into(core: Core, entry: Entry, state: str, why: str = "") -> None:
    entry.state, entry.since = state, core.time
    _event(core, entry, f"{state}{', ' if why else ''}{why}")


def _silent(core: Core, answers: Answers) -> list[int]:
    """Processes of which nothing is known: those that do not answer, and those that are coming up, perhaps for an actor."""
    return [p.number for p in core.processes.in_state(State.STARTING, State.UP) if p.number not in answers]


# --- rounds --------------------------------------------------------------------------------------------------------------


def _count(core: Core, entry: Entry) -> None:
    def then(core: Core, answers: Answers, now: float) -> None:
        _counted(core, entry, answers, now)

    _ask(core, "source.count", {"hashes": [entry.hash]}, then)


def totals(counts: Answers) -> dict[str, int]:
    """What is in use of a version, all processes together."""
    sums: dict[str, int] = {}
    for each in counts.values():
        for kind, number in each.get("counts", {}).items():
            sums[kind] = sums.get(kind, 0) + int(number)
    return sums


def _counted(core: Core, entry: Entry, answers: Answers, now: float) -> None:
    entry.counts = {number: each.get(entry.hash, {}) for number, each in answers.items()}
    silent = _silent(core, answers)
    used = any(totals(entry.counts).values())
    lost = any(kept.due for kept in core.kept.entries.values())  # it is nowhere now, and will be made again
    entry.zero = entry.zero + 1 if not used and not silent and not lost else 0
    removal = entry.removal
    if removal is not None:
        if entry.zero >= 2 or (removal.force and now >= removal.deadline):
            _remove(core, entry)
        elif now >= removal.deadline and not used:
            _keep(core, entry, now, f"process {silent} does not answer")
        elif now >= removal.deadline or (used and not removal.force and set(totals(entry.counts)) != {"starting"}):
            _keep(core, entry, now)
        else:
            entry.next_round = now + SOON
    elif entry.state == DRAINING:
        if entry.zero >= 2:
            entry.deadline = None
            _into(core, entry, DRAINED)
            _publish(core, lambda core, _now: _tell_waiters(core, entry))
        else:
            entry.next_round = now + (SOON if entry.zero else LATER)


# --- states --------------------------------------------------------------------------------------------------------------


def _add(core: Core, token: Any, params: Params, now: float) -> None:
    entry = core.sources.versions.get(params["hash"])
    if entry is None:
        entry = core.sources.versions[params["hash"]] = Entry(params["hash"], params["name"], params["version"])
        core.sources.groups.setdefault(entry.name, GroupEntry())
        _into(core, entry, INACTIVE, "loaded")
    elif entry.state == UNLOADED:
        entry.leaked, entry.zero, entry.successor = (), 0, None
        _into(core, entry, INACTIVE, "loaded again")
    row = _row(core, entry)
    _publish(core, lambda core, _now: answer(core, token, row))


def _admit(core: Core, token: Any, params: Params, now: float) -> None:
    """A bundle that is in the store of the user, its signatures checked by who asks: let the authority decide, and take it in."""
    offered = SourceOffered(params["hash"], params["name"], params["version"], tuple(params["signers"]))
    own, development = list(params.get("own", ())), bool(params.get("development", False))
    authority = core.names.find(AUTHORITY)
    if authority is None:
        decide(offered, {}, own, development=development)
        _add(core, token, params, now)
        return

    def then(core: Core, answers: Mapping[int, Any], now: float) -> None:
        said = next(iter(answers.values()), AskTimeout(f"{AUTHORITY} did not answer"))
        try:
            decide(offered, {AUTHORITY: said}, own, development=development)
        except GarrickError as error:
            answer(core, token, error)
        else:
            _add(core, token, params, now)

    question = Round((authority.process,), then, raw=True)
    wait = float(params.get("grace", 5.0))
    for serial in core.surveys.open(question, question.asked, now + wait).values():
        core.send(authority, offered, kind=MESSAGE, sender=core.one_shot(serial))


def _row(core: Core, entry: Entry) -> dict[str, Any]:
    group = core.sources.groups[entry.name]
    return {
        "hash": entry.hash,
        "name": entry.name,
        "version": entry.version,
        "state": entry.state,
        "seconds": core.time - entry.since,
        "percent": group.percent if entry.hash == group.ramping else None,
        "previous": entry.hash == group.previous,
        "successor": entry.successor,
        "deadline": None if entry.deadline is None else entry.deadline - core.time,
        "leaked": list(entry.leaked),
    }


def _list(core: Core, token: Any, _params: Params, _now: float) -> None:
    entries = list(core.sources.versions.values())

    def then(core: Core, answers: Answers, _now: float) -> None:
        rows = []
        for entry in entries:
            counts = {number: each.get(entry.hash, {}) for number, each in answers.items()}
            rows.append({**_row(core, entry), "uses": totals(counts), "oldest": _oldest(counts)})
        answer(core, token, {"sources": rows, "unanswered": _silent(core, answers)})

    _ask(core, "source.count", {"hashes": [entry.hash for entry in entries]}, then)


def _oldest(counts: Answers) -> Any:
    return next((each["rows"][0] for _, each in sorted(counts.items()) if each.get("rows")), None)


def _why(core: Core, token: Any, params: Params, _now: float) -> None:
    entry = core.sources.find(params.get("source"))

    def then(core: Core, answers: Answers, now: float) -> None:
        counts = {number: each.get(entry.hash, {}) for number, each in answers.items()}
        rows = [row for _, each in sorted(counts.items()) for row in each.get("rows", ())]
        events = [
            {"ago": now - event["at"], "event": event["event"]}
            for event in core.sources.events
            if event["hash"] == entry.hash
        ]
        found = {**_row(core, entry), "uses": totals(counts), "actors": rows, "events": events}
        answer(core, token, {**found, "unanswered": _silent(core, answers)})

    _ask(core, "source.count", {"hashes": [entry.hash]}, then)


# --- unloading -----------------------------------------------------------------------------------------------------------


def _unload(core: Core, token: Any, params: Params, now: float) -> None:
    entry = core.sources.find(params.get("source"))
    force = bool(params.get("force", False))
    if entry.state == UNLOADED:
        raise SourceMissing(f"{entry} is unloaded already")
    if entry.removal is not None:
        raise InvalidArgument(f"{entry} is being unloaded already", hint="wait for it")
    group = core.sources.groups[entry.name]
    if entry.hash in (group.current, group.ramping) and not force:
        raise SourceInUse(
            f"{entry} is {entry.state}", hint="make another version current first, or say --force (force=True)"
        )
    if entry.hash == group.ramping:
        group.ramping, group.percent = None, 0.0
    if entry.hash == group.current:
        group.current = None
    entry.removal = Removal(token, now + float(params.get("grace", 5.0)), force, entry.state)
    if force:
        entry.removal.before = INACTIVE if entry.state in (CURRENT, RAMPING) else entry.state
        _event(core, entry, "is unloaded by force: its actors are ended")
    entry.zero, entry.next_round = 0, None

    def known(core: Core, _now: float) -> None:
        if force:
            _end(core, entry, at_once=True)
        _count(core, entry)

    _publish(core, known)


def _end(core: Core, entry: Entry, *, at_once: bool) -> None:
    """End all actors of a version."""
    _ask(core, "source.end", {"hash": entry.hash, "at_once": at_once}, lambda _core, _answers, _now: None)


def _keep(core: Core, entry: Entry, now: float, why: str = "") -> None:
    """It can't be unloaded."""
    removal = entry.removal
    assert removal is not None
    entry.removal = None
    entry.next_round = now + LATER if entry.state == DRAINING else None
    _event(core, entry, "was not unloaded: it is in use")
    uses = ", ".join(f"{number} {kind}" for kind, number in sorted(totals(entry.counts).items()) if number)
    oldest = _oldest(entry.counts)
    text = f"{entry} is in use: {uses or why}"
    if oldest is not None:
        text += f"; the oldest is {oldest['class'].rpartition('.')[2]} {oldest['address']}"
    error = SourceInUse(text, hint=f"garrick source why {entry.hash[:8]} lists them; garrick source drain ends them")
    _publish(core, lambda core, _now: answer(core, removal.token, error))


def _remove(core: Core, entry: Entry) -> None:
    removal = entry.removal
    assert removal is not None
    group = core.sources.groups[entry.name]
    if group.previous == entry.hash:
        group.previous = None
    entry.deadline, entry.next_round = None, None
    _into(core, entry, UNLOADED)
    _tell_waiters(core, entry)

    def then(core: Core, answers: Answers, _now: float) -> None:
        entry.removal = None
        gone = [e for e in core.sources.versions.values() if e.state == UNLOADED and e is not entry]
        for old in gone[: max(0, len(gone) - GONE_KEPT)]:
            del core.sources.versions[old.hash]
        leaked = [(number, name) for number, each in sorted(answers.items()) for name in each.get("leaked", ())]
        entry.leaked = tuple(f"{name} in process {number}" for number, name in leaked)
        chains = [(number, chain) for number, each in sorted(answers.items()) for chain in each.get("chains", ())]
        errors = [str(each["error"]["message"]) for each in answers.values() if "error" in each]
        complaints = [text for each in answers.values() for text in each.get("complaints", ())]
        if not leaked and not errors:
            found = {**_row(core, entry), "processes": len(answers), "complaints": complaints}
            answer(core, removal.token, {**found, "unanswered": _silent(core, answers)})
            return
        lines = [f"in process {number}: {' -> '.join(chain)}" for number, chain in chains[:SHOWN]]
        names = ", ".join(dict.fromkeys(name for _, name in leaked[:SHOWN])) or ", ".join(errors)
        _event(core, entry, f"{len(leaked)} pieces of it still live", level="warning")
        what = f"{entry} is unloaded, and {len(leaked)} pieces of it still live: {names}"
        answer(core, removal.token, SourceLeaked("\n".join([what, *lines])))

    def known(core: Core, _now: float) -> None:
        _ask(core, "source.unload", {"hash": entry.hash}, then, wait=UNLOAD_WAIT)

    _publish(core, known)


# --- current, ramping, draining ------------------------------------------------------------------------------------------


def _tell_waiters(core: Core, entry: Entry) -> None:
    """Whoever waits for the end of its draining learns what came of it."""
    waiters, entry.waiters = entry.waiters, []
    for token, until in waiters:
        if core.time < until:
            answer(core, token, {**_row(core, entry), "uses": totals(entry.counts)})


def _usable(core: Core, reference: Any) -> Entry:
    entry = core.sources.find(reference)
    if entry.state == UNLOADED or entry.removal is not None:
        raise SourceMissing(f"{entry} is unloaded", hint="load it again first")
    return entry


def _set_current(core: Core, entry: Entry, why: str = "") -> None:
    group = core.sources.groups[entry.name]
    before = core.sources.versions.get(group.current or "")
    if before is entry:
        return
    if before is not None:
        group.previous = before.hash
        _into(core, before, INACTIVE, f"{entry} is current")
    group.current = entry.hash
    if group.ramping == entry.hash:
        group.ramping, group.percent = None, 0.0
    _reopen(core, entry, CURRENT, why)


def _reopen(core: Core, entry: Entry, state: str, why: str = "") -> None:
    entry.deadline = entry.next_round = entry.successor = None
    entry.zero, entry.ended = 0, False
    _into(core, entry, state, why)
    _tell_waiters(core, entry)


def _activate(core: Core, token: Any, params: Params, now: float) -> None:
    entry = _usable(core, params.get("source"))
    _set_current(core, entry)
    _publish(core, lambda core, _now: answer(core, token, _row(core, entry)))


def _rollback(core: Core, token: Any, params: Params, now: float) -> None:
    name = str(params.get("source")).partition("@")[0]
    group = core.sources.groups.get(name)
    if group is None:
        raise SourceMissing(f"this system has no source {name!r}", hint="garrick source ls shows all")
    before = core.sources.versions.get(group.previous or "")
    if before is None:
        raise SourceMissing(f"no version of {name} was current before this one, or it was unloaded")
    _set_current(core, before, "rolled back")
    _publish(core, lambda core, _now: answer(core, token, _row(core, before)))


def _ramp(core: Core, token: Any, params: Params, now: float) -> None:
    entry = _usable(core, params.get("source"))
    percent = params.get("percent")
    if not isinstance(percent, (int, float)) or not 0 <= percent <= 100:
        raise InvalidArgument(f"{percent!r} is no share", hint="give 0 to 100 per cent")
    group = core.sources.groups[entry.name]
    if entry.hash == group.current:
        raise InvalidArgument(f"{entry} is current: all get it", hint="ramp the version that is to replace it")
    if group.current is None:
        raise InvalidArgument(f"no version of {entry.name} is current", hint="activate one first")
    other = core.sources.versions.get(group.ramping or "")
    if other is not None and other is not entry:
        _into(core, other, INACTIVE, f"{entry} ramps")
    group.ramping, group.percent = (entry.hash, float(percent)) if percent else (None, 0.0)
    _reopen(core, entry, RAMPING if percent else INACTIVE, f"{percent:g} %" if percent else "")
    _publish(core, lambda core, _now: answer(core, token, _row(core, entry)))


def _drain(core: Core, token: Any, params: Params, now: float) -> None:
    entry = _usable(core, params.get("source"))
    group = core.sources.groups[entry.name]
    if entry.hash == group.current:
        raise SourceInUse(f"{entry} is current", hint="activate another version first, or roll back")
    seconds = params.get("seconds")
    if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
        raise InvalidArgument(f"{seconds!r} is no number of seconds", hint="give more than 0, or none")
    if entry.hash == group.ramping:
        group.ramping, group.percent = None, 0.0
    entry.deadline = None if seconds is None else now + float(seconds)
    entry.force, entry.ended = bool(params.get("force", False)), False
    entry.successor = group.current
    if entry.state == DRAINED:
        entry.deadline = None
    elif entry.state != DRAINING:
        entry.zero = 0
        successor = core.sources.versions.get(group.current or "")
        _into(core, entry, DRAINING, f"in favour of {successor}" if successor is not None else "")
    else:
        _event(core, entry, "its deadline was changed")
    row = _row(core, entry)
    wait = bool(params.get("wait", False)) and entry.state == DRAINING
    if wait:
        entry.waiters.append((token, now + float(params.get("patience", 300.0))))

    def known(core: Core, now: float) -> None:
        if entry.state == DRAINING and entry.next_round is None:
            entry.next_round = now
        if not wait:
            answer(core, token, row)

    _publish(core, known)


def _overdue(core: Core, entry: Entry, now: float) -> None:
    """The deadline of a draining version has passed: that is told, or what is left of it ended, at last after what it does now."""
    if entry.state != DRAINING:
        return
    uses = ", ".join(f"{number} {kind}" for kind, number in sorted(totals(entry.counts).items()) if number)
    if not entry.force:
        _event(core, entry, f"its deadline has passed, in use: {uses or 'nothing'}", level="warning")
        _tell_waiters(core, entry)
        return
    _event(core, entry, f"its deadline has passed, what is left is ended: {uses or 'nothing'}", level="warning")
    _end(core, entry, at_once=entry.ended)
    if not entry.ended:
        entry.ended, entry.deadline = True, now + GRACE


Verb = Callable[["Core", Any, Params, float], None]
VERBS: dict[str, Verb] = {
    "source.add": _add,
    "source.admit": _admit,
    "source.list": _list,
    "source.why": _why,
    "source.unload": _unload,
    "source.activate": _activate,
    "source.ramp": _ramp,
    "source.drain": _drain,
    "source.rollback": _rollback,
}
"""What can be asked for."""
