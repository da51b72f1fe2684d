"""One session: every contestant of every chosen workload, in interleaved rounds, each run in a fresh process.

Owns: the order of runs and what is kept of them. Knows neither how figures are judged nor how they are shown.
A run that fails is kept with its reason; it never ends the session.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import environments, processes
from benchmarks.catalogue import CONTESTANTS, Contestant, Size, Workload, ours
from benchmarks.figures import Ratio, Summary, ratio, scaled, summarise, value_of
from benchmarks.interpreters import Interpreter, running

Outcomes = dict[tuple[str, ...], processes.Outcome]


@dataclass
class Series:
    """The runs of one contestant in one workload, a value or None for each round."""

    values: list[float | None] = field(default_factory=list)
    size: Size = field(default_factory=lambda: Size(1))
    version: str = ""
    python: str = ""
    """The version of the interpreter that ran it; empty for what is no Python."""
    failures: list[str] = field(default_factory=list)
    left_behind: int = 0
    hung: bool = False
    """A run timed out; it is not tried in further rounds, so that one that hangs can't hold up the session."""

    @property
    def summary(self) -> Summary | None:
        done = [value for value in self.values if value is not None]
        return summarise(done) if done else None


@dataclass
class Results:
    """What a session measured: series by workload and contestant."""

    series: dict[str, dict[str, Series]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Contestants that can't run on this machine, with the reason."""
    python: str = ""
    """The version of the interpreter that all run on, except who needs a later one."""

    def ratios(self, workload: Workload) -> dict[str, Ratio]:
        """Garrick's ratio to every other contestant of the workload, as far as both have figures."""
        rows = self.series.get(workload.key, {})
        mine = rows.get(ours(workload))
        if mine is None:
            return {}
        compared = {
            key: ratio(workload.unit, mine.values, other.values) for key, other in rows.items() if other is not mine
        }
        return {key: found for key, found in compared.items() if found is not None}

    def plain_ratios(self, workloads: Iterable[Workload]) -> dict[str, dict[str, float]]:
        """The ratios as they are recorded."""
        return {
            workload.key: {key: round(found.value, 3) for key, found in self.ratios(workload).items()}
            for workload in workloads
        }

    def failures(self) -> list[str]:
        """Every failed run, one line each."""
        return [
            f"{workload}, {CONTESTANTS[key].title}: {reason}"
            for workload, rows in self.series.items()
            for key, series in rows.items()
            for reason in dict.fromkeys(series.failures)
        ]


@dataclass(frozen=True)
class Plan:
    """What to run: workloads, rounds, by how much to shorten, the seconds that one run may take, who, and on what."""

    workloads: Sequence[Workload]
    rounds: int
    divisor: int
    timeout: float
    contestants: frozenset[str] = frozenset(CONTESTANTS)
    python: Interpreter = field(default_factory=running)


def hold(plan: Plan, say: Callable[[str], None]) -> Results:
    """Run the plan.

    Interleaved: all contestants of a workload run directly after one another, and the whole list is gone through once
    per round, so that a slow minute of the machine hits everybody; the order within a workload turns with each round.
    """
    results = prepare(plan, say)
    for turn in range(plan.rounds):
        done: Outcomes = {}
        for workload in plan.workloads:
            rows = list(results.series[workload.key].items())
            shift = turn % len(rows) if rows else 0
            for key, series in rows[shift:] + rows[:shift]:
                _run(workload, CONTESTANTS[key], series, plan, done)
            told = ", ".join(f"{key} {_short(series)}" for key, series in rows)
            say(f"round {turn + 1}/{plan.rounds}  {workload.key}: {told}")
    return results


def prepare(plan: Plan, say: Callable[[str], None]) -> Results:
    """Make what the contestants of a plan run in; results without figures yet, and without those who can't be had."""
    results = Results(python=plan.python.version)
    for workload in plan.workloads:
        results.series[workload.key] = {
            key: Series(size=size.shortened(plan.divisor))
            for key, size in workload.sizes.items()
            if key in plan.contestants
        }
    _prepare(results, plan.python, say)
    return results


def _short(series: Series) -> str:
    last = series.values[-1] if series.values else None
    return "failed" if last is None else f"{last:,.4g}"


def _prepare(results: Results, python: Interpreter, say: Callable[[str], None]) -> None:
    """Make what the contestants run in. Who can't be had is left out with the reason, in all its rows and no other's."""
    unavailable: dict[str, str] = {}
    for key in dict.fromkeys(key for rows in results.series.values() for key in rows):
        contestant = CONTESTANTS[key]
        shared = contestant.environment or contestant.program
        try:
            if shared not in unavailable:
                environments.prepare(contestant, python)
                continue
        except environments.Unavailable as error:
            unavailable[shared] = str(error)
            say(f"left out: {error}")
        results.left_out[key] = unavailable[shared]
        for rows in results.series.values():
            rows.pop(key, None)


def _run(workload: Workload, contestant: Contestant, series: Series, plan: Plan, done: Outcomes) -> None:
    """One run of one contestant; its value or its failure is added to the series.

    Args:
        done: The runs of this round by their command; rows that read different figures of one run find it there.
    """
    if series.hung:
        series.values.append(None)
        return
    line_to_run = tuple(command(workload, contestant, series.size, plan.python))
    if line_to_run not in done:
        done[line_to_run] = processes.run(
            line_to_run, timeout=plan.timeout, environment=environments.variables(contestant)
        )
    outcome = done[line_to_run]
    series.left_behind = max(series.left_behind, outcome.left_behind)
    series.hung = outcome.status is None
    try:
        line = result_line(outcome, plan.timeout)
        series.values.append(value(workload, line))
        series.version = str(line["version"])
        series.python = str(line.get("python", ""))
    except (ValueError, KeyError) as error:
        series.values.append(None)
        series.failures.append(str(error))


def value(workload: Workload, line: dict[str, Any]) -> float:
    """What a workload reads from the result of a run, in its unit."""
    if workload.figure:
        return scaled(workload.unit, line["figures"][workload.figure])
    return value_of(workload.unit, line["operations"], line["seconds"])


def command(workload: Workload, contestant: Contestant, size: Size, python: Interpreter) -> list[str]:
    """The command line of one run."""
    name = contestant.program.replace("use_", f"{workload.group}_", 1)
    program = environments.start(contestant, python, name)
    if contestant.program == "import_time.py":
        return [*program, contestant.base]
    return [
        *program, workload.program_key, contestant.base, str(size.operations), str(size.warm_up), str(size.batch)
    ]  # fmt: skip


def result_line(outcome: processes.Outcome, timeout: float) -> dict[str, Any]:
    """The JSON line a program printed last.

    Raises:
        ValueError: the program timed out, failed, or printed no such line.
    """
    if outcome.status is None:
        raise ValueError(f"not done within {timeout:g} s")
    lines = outcome.output.strip().splitlines()
    if outcome.status != 0 or not lines:
        last = (outcome.errors.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"exit status {outcome.status}: {last[:300]}")
    line = json.loads(lines[-1])
    if not isinstance(line, dict):
        raise ValueError(f"not a result: {lines[-1][:100]}")  # noqa: TRY004  (the text is wrong, not an argument)
    return line
