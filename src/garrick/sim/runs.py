"""`run`: one run of a scenario in a world of its own, and what came of it.

Owns the making of the world from a `Plan`, and its end. Must not know seeds in plural, files or shrinking. Invariant: two runs of one plan
have equal outcomes, whatever ran before in the process, as long as the scenario keeps nothing between runs.
"""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from garrick.errors import SimFailure
from garrick.sim.choices import Choices, Draw, Label
from garrick.sim.order import PICK
from garrick.sim.policies import FIFO, Overtaking, chosen
from garrick.sim.trace import Entry
from garrick.sim.world import World

Scenario = Callable[[World], Any]
"""Drives a world; what it raises, and what the world's checks find, is a failure."""

_CHANGING: Final = re.compile(r"0x[0-9a-f]+|@[0-9a-f]{10}|\d+")
"""What differs between messages of one meaning."""


@dataclass(frozen=True)
class Plan:
    """How a scenario is run.

    Args:
        seed: of the world.
        policy: order of events, unless there are overrides.
        overrides: choices that are made whatever the seed says; None: none. With overrides the order is that of arrival, except for
            those of kind ``pick``.
        benign: all other choices are 0.
        record: keep all choices and events.
        fences: see `World`.
    """

    seed: int
    policy: str = FIFO
    overrides: Mapping[Label, int] | None = None
    benign: bool = False
    record: bool = False
    fences: bool = True

    def world(self) -> World:
        """A new world."""
        if self.overrides is None:
            return World(self.seed, self.policy, record=self.record, fences=self.fences)
        picks = {label: value for label, value in self.overrides.items() if label[0] == PICK}
        others = {label: value for label, value in self.overrides.items() if label[0] != PICK}
        choices = Choices(self.seed, others, benign=self.benign, taped=self.record)
        return World(self.seed, Overtaking(picks), choices=choices, record=self.record, fences=self.fences)

    def recorded(self) -> Plan:
        """The same, recorded."""
        return replace(self, record=True)

    def forced(self, overrides: Mapping[Label, int], *, benign: bool = True) -> Plan:
        """The same with these choices."""
        return replace(self, overrides=dict(overrides), benign=benign)


@dataclass(frozen=True)
class Failure:
    """How a run failed. Equal failures are of one kind: with the same cause, as far as one can tell."""

    error: str
    """Type of the exception."""
    check: str
    """Kind and name of the check; empty for exceptions of the scenario."""
    message: str
    """Without numbers and addresses: what failures are compared by."""
    said: str = field(default="", compare=False)
    """What was really said."""

    def __str__(self) -> str:
        return f"{self.check or self.error}: {self.said or self.message}"


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    policy: str
    """The one that was taken."""
    error: BaseException | None = None
    failure: Failure | None = None
    trace: str = ""
    """Hash of all events."""
    steps: int = 0
    now: float = 0.0
    """Virtual seconds at the end."""
    made: dict[Label, int] = field(default_factory=dict)
    """All choices that are not 0, in the order in which they were made. Those of the order of events are there only if the run was recorded
    or had overrides."""
    events: list[Entry] = field(default_factory=list)
    """Only if recorded."""
    tape: list[Draw] = field(default_factory=list)
    """Only if recorded."""
    contested: list[Label] = field(default_factory=list)
    """Events that were taken while others were ready too. Only if recorded."""
    names: dict[str, str] = field(default_factory=dict)
    """What those who appear in the order of events are."""
    coverage: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether it did not fail."""
        return self.failure is None


def run(scenario: Scenario, plan: Plan) -> Outcome:
    """Run a scenario. What `World.eventually` and `World.leads_to` still wait for after its end has to come, too."""
    outcome = Outcome(plan, chosen(plan.policy, plan.seed) if plan.overrides is None else "replay")
    world = plan.world()
    error: BaseException | None = None
    try:
        scenario(world)
        error = world.failure  # the scenario may have caught it
        if error is None:
            world.verify()
    except BaseException as raised:
        if not is_failure(raised):
            world.close()
            raise
        error = raised
    _keep(world, outcome)
    try:
        world.close()
    except Exception as raised:
        error = error or raised
    if error is not None:
        outcome.error, outcome.failure = error, failure_of(error)
    return outcome


def is_failure(error: BaseException) -> bool:
    """Whether an exception says that the scenario found something: also pytest's own for that, which is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "Failed"


def failure_of(error: BaseException) -> Failure:
    """Of which kind it is."""
    if isinstance(error, SimFailure):
        return Failure("SimFailure", f"{error.kind}: {error.check}", _normal(error.message), _first_line(error.message))
    message = said = _first_line(str(error))
    if isinstance(error, AssertionError):  # the values that it shows may differ
        frames = traceback.extract_tb(error.__traceback__)
        message = (frames[-1].line if frames else "") or message
        said = message if said in message else f"{message}: {said.removeprefix('AssertionError: ')}"
    return Failure(type(error).__qualname__, "", _normal(message), said)


def _first_line(message: str) -> str:
    return message.partition("\n")[0][:300]


def _normal(message: str) -> str:
    return _CHANGING.sub("#", _first_line(message))


def _keep(world: World, outcome: Outcome) -> None:
    outcome.trace = world.trace.hash
    outcome.steps, outcome.now = world.step, world.now
    outcome.made = world.made
    outcome.names = world.names
    outcome.coverage, outcome.goals = world.coverage, Counter(world.goals)
    if outcome.plan.record:
        outcome.events = world.trace.tail()
        outcome.tape = list(world.choices.tape or ())
        outcome.contested = world.contested
