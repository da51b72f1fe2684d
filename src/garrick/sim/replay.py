"""Replay of an artefact, and the comparison of runs.

Owns the two ways. Strict: the run must be the same event by event, and the first difference is named. Otherwise the choices are followed by
their labels, and a program that has been changed since may well run differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from garrick.errors import Diverged
from garrick.sim.artefact import Artefact
from garrick.sim.clock import SECOND
from garrick.sim.runs import Outcome, Scenario, run
from garrick.sim.trace import Entry, actor_text

AROUND = 4
"""Equal events that are shown before a difference."""


@dataclass(frozen=True)
class Difference:
    """Where two runs part."""

    index: int
    """Number of the first event that differs, counted from 0."""
    before: tuple[Entry, ...]
    """The last events that are equal."""
    one: Entry | None
    """None: that run has no more events."""
    other: Entry | None
    names: Mapping[str, str] = field(default_factory=dict)
    """The classes of actors."""

    def __str__(self) -> str:
        lines = [f"  {event_text(entry, self.names)}" for entry in self.before]
        return "\n".join(
            [
                f"event {self.index} is the first that differs",
                *lines,
                f"- {event_text(self.one, self.names)}",
                f"+ {event_text(self.other, self.names)}",
            ]
        )


def replay(scenario: Scenario, artefact: Artefact, *, strict: bool = False) -> Outcome:
    """Make the run again.

    Args:
        scenario: the one that the artefact names.
        artefact: of a run.
        strict: whether the run must be the same.

    Raises:
        Diverged: strict, and it is not.
    """
    outcome = run(scenario, artefact.plan())
    if strict:
        compare(artefact, outcome)
    return outcome


def compare(artefact: Artefact, outcome: Outcome) -> None:
    """Check that a run is the one of the artefact.

    Raises:
        Diverged: it is not.
    """
    if outcome.trace == artefact.trace and outcome.failure == artefact.failure:
        return
    found = difference(artefact.events, outcome.events[: len(artefact.events)], artefact.names)
    if found is not None:
        what = str(found)
    else:
        what = _draws(artefact, outcome) or f"the runs end differently: {artefact.failure}, and now {outcome.failure}"
    notes = artefact.differences()
    raise Diverged(what, hint=f"not as it was: {'; '.join(notes)}" if notes else None)


def difference(
    one: Sequence[Entry], other: Sequence[Entry], names: Mapping[str, str] | None = None
) -> Difference | None:
    """Where two runs part; None: they don't. ``names``: the classes of actors."""
    for index in range(max(len(one), len(other))):
        a = one[index] if index < len(one) else None
        b = other[index] if index < len(other) else None
        if a != b:
            return Difference(index, tuple(one[max(0, index - AROUND) : index]), a, b, names or {})
    return None


def is_code_of_users(entry: Entry) -> bool:
    """Whether an event is a step of an actor, or of one of its coroutines, and not of the machinery."""
    _, system, serial, what = entry
    return bool(serial) or (system.endswith(" loop") and what.startswith("task-"))


def event_text(entry: Entry | None, names: Mapping[str, str] | None = None) -> str:
    """One event in words.

    Args:
        entry: the event; None: there is none.
        names: the classes of actors.
    """
    if entry is None:
        return "nothing more"
    at, system, serial, what = entry
    who = system.partition("@")[0]
    if serial:
        who = actor_text(system, serial)
        if names and who in names:
            who = f"{names[who]} {who}"
    return f"{at / SECOND:.6f} s  {who}: {what}"


def _draws(artefact: Artefact, outcome: Outcome) -> str:
    for index, (one, other) in enumerate(zip(artefact.tape, outcome.tape, strict=False)):
        if one != other:
            return f"choice {index} is the first that differs: {one}, and now {other}"
    return ""
