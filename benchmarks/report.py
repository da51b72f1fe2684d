"""The results as a Markdown table for people and as JSON for programs.

Owns: how figures are written. Measures and judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.catalogue import BUDGETS, CONTESTANTS, WORKLOADS, Contestant, Unit, Workload, ours
from benchmarks.figures import keeps
from benchmarks.session import Results, Series

PAGE_PYTHON = "3.11"
"""The Python that the page shows in full: the first that Garrick runs on."""


def marks(minor: str) -> tuple[str, str]:
    """What stands before and after the part of the page that is written by a run on this Python."""
    name, more = ("benchmarks", "") if minor == PAGE_PYTHON else (f"benchmarks on {minor}", f" --python {minor}")
    return f"<!-- {name}: begin (written by `python -m benchmarks --record{more}`) -->", f"<!-- {name}: end -->"


def place_for(page: str, minor: str) -> bool:
    """Whether the page has a part for results on this Python."""
    begin, end = marks(minor)
    return end in page.partition(begin)[2]


def figure(unit: Unit, value: float) -> str:
    """A figure with its unit, three digits of it: `1.23 M/s`, `45.6 k/s`, `789 /s`, `12.3 ms`, `987 bytes`."""
    if unit != "/s":
        return f"{_three(value)} {unit}"
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{_three(value / size)} {letter}/s"
    return f"{_three(value)} /s"


def _three(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(value: float) -> str:
    """A ratio, with three digits of it."""
    return f"{_three(value)}\N{MULTIPLICATION SIGN}"


def table(results: Results, workloads: Sequence[Workload]) -> str:
    """One line for each contestant of each workload."""
    lines = [
        "| workload | contestant | operations | median | lowest to highest | Garrick is (lowest to highest round) |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for workload in workloads:
        ratios = results.ratios(workload)
        first = f"**{workload.key}**"
        for key, series in results.series[workload.key].items():
            found = ratios.get(key)
            last = f"{times(found.value)} ({times(found.lowest)} to {times(found.highest)})" if found else ""
            lines.append(f"| {first} | {_line(workload.unit, CONTESTANTS[key], series, results.python)} | {last} |")
            first = ""
    return "\n".join(lines)


def _line(unit: Unit, contestant: Contestant, series: Series, python: str) -> str:
    title = f"**{contestant.title}**" if contestant.ours else contestant.title
    if series.version and not contestant.ours and not (contestant.floor and not contestant.requirement):
        other = f", Python {series.python}" if python and series.python not in {"", python} else ""
        title += f" ({series.version}{other})"
    operations = f"{series.size.operations:,}"
    if series.summary is None:
        return f"{title} | {operations} | failed | "
    found = series.summary
    return (
        f"{title} | {operations} | {figure(unit, found.median)} | "
        f"{figure(unit, found.lowest)} to {figure(unit, found.highest)}"
    )


def counted(workloads: Sequence[Workload]) -> str:
    """What one operation is, in each workload, and the batches of the floods."""
    lines = []
    for workload in workloads:
        text = f"* *{workload.key}* counts {workload.counts}."
        if workload.program_key == "flood":
            batches = ", ".join(
                f"{CONTESTANTS[key].title} {size.batch:,}" for key, size in workload.sizes.items() if size.batch
            )
            text += f" Batches: {batches}."
        lines.append(text)
    return "\n".join(lines)


def budgets(results: Results) -> str:
    """The promises and whether this run kept them, as far as it had the workload and the contestant in its plan."""
    lines = []
    for budget in BUDGETS:
        workload = WORKLOADS[budget.workload]
        rows = results.series.get(workload.key)
        if rows is None or ours(workload) not in rows:
            continue
        if budget.against and budget.against not in rows and budget.against not in results.left_out:
            continue
        found = results.ratios(workload).get(budget.against)
        summary = rows[ours(workload)].summary
        own = summary.median if summary else None
        other = _own_median(results, budget.beside)
        state = keeps(budget, workload.unit, own, found.value if found else None, other)
        if budget.against:
            name = f"{workload.key} against {CONTESTANTS[budget.against].title}"
            limits = [f"≥ {times(limit)}" if limit else "" for limit in (budget.must, budget.aim)]
            cells = [*limits, times(found.value) if found else "none"]
        elif budget.beside:
            name = f"{workload.key}, of {budget.beside}"
            share = times(own / other) if own is not None and other else "none"
            cells = [f"≤ {times(budget.must)}", f"≤ {times(budget.aim)}", share]
        else:
            name, sign = workload.key, "≥" if workload.unit == "/s" else "≤"
            cells = [f"{sign} {figure(workload.unit, limit)}" for limit in (budget.must, budget.aim)]
            cells.append("none" if own is None else figure(workload.unit, own))
        least = "must" if budget.must else "aim missed"
        verdict = "not measured" if state is None else "aim" if state[1] else least if state[0] else "**missed**"
        lines.append(f"| {name} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(
        ["| promise | must | aim | measured | kept |", "|---|---:|---:|---:|---|", *lines] if lines else []
    )


def _own_median(results: Results, key: str) -> float | None:
    """Garrick's median in a workload, if there is one."""
    rows = results.series.get(key, {})
    series = rows.get(ours(WORKLOADS[key])) if rows else None
    return series.summary.median if series and series.summary else None


def markdown(results: Results, workloads: Sequence[Workload], facts: dict[str, Any]) -> str:
    """The whole report."""
    lines = [
        measured_on(facts),
        "",
        table(results, workloads),
        "",
        counted(workloads),
        "",
        budgets(results),
    ]
    notes = [f"* failed: {text}" for text in results.failures()] + left_out(results) + left_behind(results)
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def measured_on(facts: dict[str, Any]) -> str:
    """When, how often and on what."""
    machine = ", ".join(f"{name} {value}" for name, value in facts["machine"].items())
    return (
        f"Measured on {facts['date']}, {facts['rounds']} interleaved rounds. Machine: {machine}; load before "
        f"{facts['load before']}, after {facts['load after']}."
    )


def promises(results: Results, facts: dict[str, Any]) -> str:
    """The short report: the promises alone."""
    return f"{measured_on(facts)}\n\n{budgets(results)}\n"


def left_out(results: Results) -> list[str]:
    """Who could not take part here, and why."""
    return [f"* left out: {CONTESTANTS[key].title}: {reason}." for key, reason in results.left_out.items()]


def left_behind(results: Results) -> list[str]:
    """Who left processes running after its shutdown (the harness ended them)."""
    return [
        f"* {CONTESTANTS[key].title} left up to {series.left_behind} processes running in *{workload}*."
        for workload, rows in results.series.items()
        for key, series in rows.items()
        if series.left_behind
    ]


def as_json(results: Results, workloads: Sequence[Workload], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, each single run included."""
    return {
        **facts,
        "left out": results.left_out,
        "workloads": {
            workload.key: {
                "unit": workload.unit,
                "counts": workload.counts,
                "contestants": {
                    key: {
                        "version": series.version,
                        "python": series.python,
                        "operations": series.size.operations,
                        "warm-up": series.size.warm_up,
                        "batch": series.size.batch,
                        "runs": series.values,
                        "median": series.summary.median if series.summary else None,
                        "spread": round(series.summary.spread, 3) if series.summary else None,
                        "failures": series.failures,
                        "left behind": series.left_behind,
                    }
                    for key, series in results.series[workload.key].items()
                },
                "ratios": {key: vars(found) for key, found in results.ratios(workload).items()},
            }
            for workload in workloads
        },
    }


def insert(page: str, generated: str, minor: str = PAGE_PYTHON) -> str:
    """The page with the part between its two marks replaced.

    Raises:
        ValueError: the marks are not there.
    """
    if not place_for(page, minor):
        raise ValueError(f"the page has no place for the benchmarks on Python {minor}")
    begin, end = marks(minor)
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{generated}\n{end}{rest.partition(end)[2]}"
