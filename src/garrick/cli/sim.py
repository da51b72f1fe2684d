"""``garrick sim``: runs scenarios in simulated worlds, and works on the files of those that failed.

Owns what the commands print and their exit codes. Scenarios are functions with a world as their parameter, named ``file.py::function``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from garrick.cli import FAILED, OK
from garrick.errors import InvalidArgument
from garrick.sim.artefact import Artefact
from garrick.sim.explore import explore, nearest
from garrick.sim.loading import load
from garrick.sim.replay import compare, difference, event_text, is_code_of_users
from garrick.sim.runs import Outcome, Plan, run
from garrick.sim.sentences import sentence
from garrick.sim.shrink import Shrinker
from garrick.sim.timeline import page

TAIL = 15
"""Events that a replay shows at the end."""


def run_seeds(
    scenario: str, *, seeds: int, first: int, policy: str, jobs: int, shrink: bool, artefacts: Path, fences: bool
) -> int:
    """Run a scenario with many seeds; tells the lowest that fails."""
    with _quietly():
        report = explore(
            load(scenario),
            range(first, first + seeds),
            policy=policy,
            jobs=jobs,
            shrink=shrink,
            artefacts=artefacts,
            fences=fences,
        )
    _say(str(report))
    for goal, count in sorted(report.goals.items()):
        _say(f"goal {goal!r}: {f'met {count} times' if count else 'never met'}")
    return OK if report.ok else FAILED


def record(scenario: str, output: Path, *, seed: int, policy: str) -> int:
    """Run a scenario once, and write its artefact whether it fails or not."""
    outcome = run(load(scenario), Plan(seed, policy, record=True))
    Artefact.of(scenario, outcome).save(output)
    _tell(outcome)
    return OK if outcome.ok else FAILED


def replay(path: Path, *, strict: bool, break_step: int | None) -> int:
    """Make the run of an artefact again."""
    artefact = Artefact.load(path)
    scenario = load(artefact.scenario)

    def watched(world: object) -> object:
        if break_step is not None:
            world.break_at(break_step)  # type: ignore[attr-defined]
        return scenario(world)  # type: ignore[arg-type]

    for difference_now in artefact.differences():
        _say(f"not as it was: {difference_now}")
    outcome = run(watched, artefact.plan())
    if strict:
        compare(artefact, outcome)
    for entry in list(filter(is_code_of_users, outcome.events))[-TAIL:]:
        _say(event_text(entry, outcome.names))
    _tell(outcome)
    if outcome.failure != artefact.failure:
        _say(
            f"the recorded run failed with {artefact.failure}" if artefact.failure else "the recorded run did not fail"
        )
    return OK if outcome.ok else FAILED


def shrink(path: Path, output: Path | None, *, runs: int) -> int:
    """Look for the smallest run that fails like an artefact's."""
    artefact = Artefact.load(path)
    scenario = load(artefact.scenario)
    failed = run(scenario, artefact.plan())
    if failed.failure is None:
        raise InvalidArgument(
            "the run does not fail any more", hint="`garrick sim replay --strict` tells what is different now"
        )
    shrinker = Shrinker(scenario, failed, runs)
    with _quietly():
        best = run(scenario, shrinker.search().plan.recorded())
    output = output or path.with_name(f"{path.stem.removesuffix('-shrunk')}-shrunk.json")
    Artefact.of(artefact.scenario, best).save(output)
    _say(f"{len(failed.made)} deviations became {len(best.made)} in {shrinker.runs} runs")
    _tell(best)
    _say(str(output))
    return OK


def diff(path: Path, other: Path | None) -> int:
    """Show where two runs part; without a second one, where it parts from the nearest that does not fail."""
    artefact = Artefact.load(path)
    if other is not None:
        found = difference(Artefact.load(other).events, artefact.events, artefact.names)
    else:
        scenario = load(artefact.scenario)
        found = nearest(scenario, run(scenario, artefact.plan()))
        if found is None:
            _say("no run with one deviation less passes; shrink it first")
            return FAILED
    _say("the runs are the same" if found is None else str(found))
    return OK


def timeline(path: Path, output: Path | None) -> int:
    """Write a page that shows a run."""
    artefact = Artefact.load(path)
    output = output or path.with_suffix(".html")
    output.write_text(page(artefact), encoding="utf-8")
    _say(str(output))
    return OK


@contextmanager
def _quietly() -> Iterator[None]:
    """What hundreds of runs would log is of no use together; a replay shows it for one."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


def _tell(outcome: Outcome) -> None:
    end = "does not fail" if outcome.failure is None else f"fails: {outcome.failure}"
    _say(f"seed {outcome.plan.seed}, {outcome.steps} steps, {outcome.now:.6f} s: {end}")
    _say(f"with {sentence(outcome.made, outcome.names)}")


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the command line talks to its user
