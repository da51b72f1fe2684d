"""`explore`: a scenario with many seeds, until one fails; and what a person needs then.

Owns the loop over seeds, its processes, and the report. Rulings:

* In one process, one seed after the other: a world leaves nothing behind, and a child for every seed would cost more than most scenarios.
  ``jobs=2`` or ``isolate=True`` run batches of seeds in children that are forked from the state before the first seed. Either way a failure
  is run again by itself, and if it then runs differently, that is said: something stays from seed to seed.
* The seed that is reported is the lowest that fails, whatever the number of jobs.
"""

from __future__ import annotations

import inspect
import itertools
import os
import pickle
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from garrick.errors import Diverged, InvalidArgument
from garrick.sim.artefact import Artefact
from garrick.sim.policies import FIFO, PORTFOLIO, policy_of
from garrick.sim.replay import Difference, difference
from garrick.sim.rng import derive
from garrick.sim.runs import Failure, Outcome, Plan, Scenario, run
from garrick.sim.sentences import sentence
from garrick.sim.shrink import RUNS, Shrinker, neighbours
from garrick.sim.systematic import outcomes

BATCH: Final = 25
"""Seeds that one child runs."""
SYSTEMATIC: Final = "systematic"
FOLDER: Final = ".sim"
"""Where artefacts go."""
DIVERGED: Final = Failure("Diverged", "", "two runs of the same seed differ")


@dataclass
class Report:
    """What `explore` has found."""

    runs: int = 0
    failures: dict[int, Failure] = field(default_factory=dict)
    """By seed."""
    error: BaseException | None = None
    """Of the lowest seed that failed."""
    failed: Artefact | None = None
    """Its run."""
    shrunk: Artefact | None = None
    """The smallest run that fails alike."""
    path: Path | None = None
    """The file of `shrunk`, or of `failed` if it was not shrunk."""
    difference: Difference | None = None
    """Where the shrunk run parts from one with a deviation less that does not fail."""
    unstable: bool = False
    """Whether the failing seed ran differently when it was run by itself."""
    coverage: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """See `World.coverage`; of all runs."""
    goals: Counter[str] = field(default_factory=Counter)
    """See `World.goals`; of all runs."""

    @property
    def ok(self) -> bool:
        """Whether no seed failed."""
        return not self.failures

    @property
    def seed(self) -> int | None:
        """The lowest seed that failed."""
        return min(self.failures, default=None)

    @property
    def story(self) -> str:
        """What is different in the smallest failing run from the simplest one."""
        artefact = self.shrunk or self.failed
        return "" if artefact is None else sentence(artefact.overrides, artefact.names)

    def __str__(self) -> str:
        if self.ok:
            return f"{self.runs} runs, none failed"
        assert self.failed is not None
        lines = [f"seed {self.seed} fails with policy {self.failed.policy}: {self.failures[min(self.failures)]}"]
        if self.unstable:
            lines.append(
                "run by itself it ran differently: something stays from seed to seed; isolate=True keeps seeds apart"
            )
        lines.append(f"it fails with {self.story}")
        if self.difference is not None:
            lines.append(f"against a run that does not fail: {self.difference}")
        if self.path is not None:
            lines.append(f"garrick sim replay {self.path}")
        return "\n".join(lines)

    def check(self) -> None:
        """Raise the error of the lowest seed that failed, with the report as a note."""
        if self.error is not None:
            self.error.add_note(str(self))
            raise self.error


def explore(
    scenario: Scenario,
    seeds: Iterable[int] = range(100),
    *,
    policy: str = PORTFOLIO,
    jobs: int = 1,
    isolate: bool = False,
    until_fail: bool = True,
    check_determinism: float = 0.0,
    shrink: bool = True,
    shrink_runs: int = RUNS,
    artefacts: str | Path | None = FOLDER,
    fences: bool = True,
) -> Report:
    """Run a scenario with many seeds.

    Args:
        scenario: called with a new `World` for each seed. What it raises and what the world's checks find is a failure. With more than one
            job it runs in other processes, so that only what it raises gets back.
        seeds: in the order in which they are run; the lowest first.
        policy: order of events; see `garrick.sim.policies.policy_of`. ``systematic:2`` runs each seed in every order with at most two
            deviations from that of arrival, in this process: for small scenarios.
        jobs: processes that run seeds at the same time.
        isolate: run batches of seeds in processes of their own also with one job.
        until_fail: stop at the first seed that fails.
        check_determinism: this part of the seeds is run twice, and it is a failure (`Diverged`) when the runs differ.
        shrink: look for the smallest run that fails in the same way.
        shrink_runs: that this may take.
        artefacts: directory for the file of a failure; None: write none.
        fences: see `World`.

    Raises:
        InvalidArgument: there is no such policy, or no job.
    """
    most = _deviations(policy)
    if most is None:
        policy_of(policy, 0)
    if jobs < 1:
        raise InvalidArgument(f"jobs={jobs}", hint="at least 1")
    report = Report()
    plans = (Plan(seed, policy, fences=fences) for seed in seeds)
    batch = _Batch(scenario, until_fail, check_determinism)
    results: Iterable[_Brief]
    if most is not None:
        results = (
            batch.brief(outcome) for plan in plans for outcome in outcomes(scenario, replace(plan, policy=FIFO), most)
        )
    else:
        results = _forked(batch, plans, jobs) if jobs > 1 or isolate else map(batch.one, plans)
    suspect: _Brief | None = None
    for brief in results:
        report.runs += 1
        report.coverage.update(brief.coverage)
        for goal, count in brief.goals.items():
            report.goals[goal] += count
        if brief.failure is not None:
            report.failures[brief.plan.seed] = brief.failure
            if suspect is None or brief.plan.seed < suspect.plan.seed:
                suspect = brief
            if until_fail:
                break
    if suspect is not None:
        _explain(report, scenario, suspect, shrink_runs if shrink else 0, artefacts)
    return report


@dataclass
class _Brief:
    """What is told of a run between processes."""

    plan: Plan
    failure: Failure | None
    trace: str
    coverage: Counter[tuple[str, str, str]]
    goals: Counter[str]


@dataclass(frozen=True)
class _Batch:
    """How plans are run."""

    scenario: Scenario
    until_fail: bool
    twice: float

    def one(self, plan: Plan) -> _Brief:
        """Run one plan."""
        outcome = run(self.scenario, plan)
        failure = outcome.failure
        if failure is None and derive(plan.seed, "twice") < self.twice * 2**64:
            again = run(self.scenario, plan)
            if again.trace != outcome.trace:
                failure = DIVERGED
        return replace(self.brief(outcome), failure=failure)

    def brief(self, outcome: Outcome) -> _Brief:
        """What is told of a run."""
        return _Brief(outcome.plan, outcome.failure, outcome.trace, outcome.coverage, outcome.goals)

    def all(self, plans: Iterable[Plan]) -> list[_Brief]:
        """Run some plans."""
        found = []
        for plan in plans:
            found.append(self.one(plan))
            if found[-1].failure is not None and self.until_fail:
                break
        return found


def _deviations(policy: str) -> int | None:
    kind, _, most = policy.partition(":")
    if kind != SYSTEMATIC:
        return None
    if not most.isdecimal():
        raise InvalidArgument(f"{policy} has no number of deviations", hint="systematic:2")
    return int(most)


# --- after a failure ----------------------------------------------------------------------------------------------------------


def _explain(
    report: Report, scenario: Scenario, suspect: _Brief, shrink_runs: int, artefacts: str | Path | None
) -> None:
    plan = suspect.plan
    name = reference(scenario)
    again = run(scenario, plan.recorded())
    if suspect.failure == DIVERGED:
        third = run(scenario, plan.recorded())
        report.error = Diverged(
            f"two runs of seed {plan.seed} differ: {difference(again.events, third.events, again.names) or 'now they do not'}"
        )
    else:
        report.unstable = again.failure != suspect.failure or again.trace != suspect.trace
        report.error = again.error or AssertionError(f"seed {plan.seed} failed: {suspect.failure}")
    report.failed = artefact = Artefact.of(name, again)
    if report.failed.failure is None:
        report.failed.failure = suspect.failure
    folder = None if artefacts is None else Path(artefacts)
    stem = f"{name.rpartition('::')[2] or 'scenario'}-{plan.seed}".replace("<", "").replace(">", "").replace(".", "-")
    if folder is not None:
        report.path = artefact.save(folder / f"{stem}.json")
    if shrink_runs and again.failure is not None:
        best = Shrinker(scenario, again, shrink_runs).search()
        if best is not again:
            smallest = run(scenario, best.plan.forced(best.made).recorded())
            if smallest.failure == again.failure:
                report.shrunk = artefact = Artefact.of(name, smallest)
                report.difference = nearest(scenario, smallest)
                if folder is not None:
                    report.path = artefact.save(folder / f"{stem}-shrunk.json")


def nearest(scenario: Scenario, failed: Outcome) -> Difference | None:
    """Where a recorded run that fails parts from one with a deviation less that does not."""
    for deviations in neighbours(failed):
        other = run(scenario, failed.plan.forced(deviations).recorded())
        if other.ok:
            return difference(other.events, failed.events, failed.names)
    return None


def reference(scenario: Any) -> str:
    """How a scenario is found again: ``file.py::function``; without a file if it has none."""
    name = getattr(scenario, "__qualname__", type(scenario).__qualname__)
    try:
        path = inspect.getsourcefile(inspect.unwrap(scenario)) or ""
    except TypeError:
        path = ""
    if path:
        near = os.path.relpath(path)
        path = path if near.startswith("..") else near
    return f"{path}::{name}"


# --- processes ----------------------------------------------------------------------------------------------------------------


def _forked(batch: _Batch, plans: Iterable[Plan], jobs: int) -> Iterator[_Brief]:
    """Batches of plans in children, as many at once as there are jobs; their results in order."""
    left = iter(plans)
    running: list[_Child] = []
    try:
        while True:
            while len(running) < jobs and (some := list(itertools.islice(left, BATCH))):
                running.append(_Child(batch, some))
            if not running:
                return
            yield from running.pop(0).results()
    finally:
        for child in running:
            child.stop()


class _Child:
    """A process that runs some plans."""

    def __init__(self, batch: _Batch, plans: list[Plan]) -> None:
        self._plans = plans
        self._reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._reader)
            _work(batch, plans, writer)
        os.close(writer)

    def results(self) -> Iterator[_Brief]:
        """Of its plans, when it has ended."""
        with os.fdopen(self._reader, "rb") as pipe:
            content = pipe.read()
        self._reader = -1
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if os.waitstatus_to_exitcode(status) != 0 or not content:
            seeds = f"{self._plans[0].seed} to {self._plans[-1].seed}"
            raise RuntimeError(f"the process that ran the seeds {seeds} ended with {os.waitstatus_to_exitcode(status)}")
        yield from pickle.loads(content)  # from our own child

    def stop(self) -> None:
        """Nobody wants its results."""
        if self._reader >= 0:
            os.close(self._reader)
        if self._pid:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)


def _work(batch: _Batch, plans: list[Plan], writer: int) -> None:
    code = 1
    try:
        found = batch.all(plans)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(found, pipe)
        code = 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
