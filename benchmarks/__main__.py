"""`python -m benchmarks`: measure, print the table, compare with the recorded ratios.

Exit status: 0 all ran and nothing got slower, 1 a run failed or a ratio fell too far, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import interpreters, machine, plots, processes, report
from benchmarks.catalogue import CONTESTANTS, WORKLOADS
from benchmarks.environments import BUILD, ROOT
from benchmarks.figures import FULL_FLOOR, SHORT_FLOOR, Finding, compare, missing
from benchmarks.interpreters import Interpreter
from benchmarks.session import Plan, Results, hold, prepare

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
RATIOS = HERE / "ratios"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
FULL = Plan((), rounds=5, divisor=1, timeout=60)
SHORT = Plan((), rounds=3, divisor=4, timeout=20)


def say(text: str) -> None:
    """Progress goes to standard error, results to standard output."""
    print(text, file=sys.stderr, flush=True)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, print, compare.")
    parser.add_argument("--short", action="store_true", help="fewer and smaller runs; fails only below half")
    parser.add_argument("--rounds", type=int, help=f"rounds (default {FULL.rounds}, short {SHORT.rounds})")
    parser.add_argument("--only", default="", metavar="TEXT", help="only workloads with TEXT in their name")
    parser.add_argument("--contestants", default="", metavar="A,B", help=f"of: {', '.join(CONTESTANTS)}")
    parser.add_argument("--python", default="", metavar="VERSION", help="run all on another Python, as 3.13, or a path")
    parser.add_argument(
        "--prepare", action="store_true", help="only make the environments of the peers; measure nothing"
    )
    parser.add_argument("--record", action="store_true", help="make this run the recorded one")
    parser.add_argument("--busy", action="store_true", help="record even if the machine is not quiet")
    chosen = parser.parse_args(argv)
    if unknown := set(filter(None, chosen.contestants.split(","))) - set(CONTESTANTS):
        parser.error(f"no such contestant: {', '.join(sorted(unknown))}")
    if not any(chosen.only in key for key in WORKLOADS):
        parser.error(f"no workload has {chosen.only!r} in its name; there are: {', '.join(WORKLOADS)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds needs at least one")
    if chosen.record and (chosen.short or chosen.only or chosen.contestants):
        parser.error("--record needs a full run of everything")
    chosen.interpreter = interpreters.find(chosen.python) if chosen.python else interpreters.running()
    if chosen.interpreter is None:
        parser.error(f"no Python {chosen.python} that can make environments is on this machine")
    if chosen.record and not report.place_for(PAGE.read_text(encoding="utf-8"), chosen.interpreter.minor):
        parser.error(f"the page has no place for results on Python {chosen.interpreter.minor}")
    return chosen


def plan_for(chosen: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    base = SHORT if chosen.short else FULL
    everybody = [key for key, contestant in CONTESTANTS.items() if contestant.guard or not chosen.short]
    contestants = frozenset(filter(None, chosen.contestants.split(","))) or frozenset(everybody)
    workloads = [
        workload
        for key, workload in WORKLOADS.items()
        if chosen.only in key and contestants.intersection(workload.sizes) and (workload.short or not chosen.short)
    ]
    return replace(
        base,
        workloads=workloads,
        rounds=chosen.rounds or base.rounds,
        contestants=contestants,
        python=chosen.interpreter,
    )


def recorded_ratios(python: Interpreter) -> dict[str, dict[str, float]]:
    """The ratios that later runs on this Python are held against; none before its first `--record`."""
    file = RATIOS / f"{python.minor}.json"
    if not file.exists():
        return {}
    found: dict[str, dict[str, float]] = json.loads(file.read_text(encoding="utf-8"))["ratios"]
    return found


def regressions(results: Results, plan: Plan, floor: float) -> list[Finding]:
    """The ratios below the floor; what looks slower is measured once more, and counts only if it is slower again."""
    recorded = recorded_ratios(plan.python)
    slower = [f for f in compare(results.plain_ratios(plan.workloads), recorded, floor) if f.regressed]
    if not slower:
        return []
    again = replace(plan, workloads=[w for w in plan.workloads if w.key in {finding.workload for finding in slower}])
    say("slower than recorded, measured once more: " + ", ".join(workload.key for workload in again.workloads))
    second = compare(hold(again, say).plain_ratios(again.workloads), recorded, floor)
    confirmed = {(finding.workload, finding.against): finding for finding in second if finding.regressed}
    return [
        confirmed[finding.workload, finding.against]
        for finding in slower
        if (finding.workload, finding.against) in confirmed
    ]


def write(results: Results, plan: Plan, facts: dict[str, Any], name: str) -> str:
    """Store the results under a name, as JSON and as a table; return the table."""
    text = report.markdown(results, plan.workloads, facts)
    RESULTS.mkdir(exist_ok=True)
    data = json.dumps(report.as_json(results, plan.workloads, facts), indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(data + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    return text


def record(results: Results, plan: Plan, facts: dict[str, Any]) -> None:
    """Make this run the one that others are held against, and show it in the documentation.

    The page has the whole table on one Python, and the promises alone on others.
    """
    minor = plan.python.minor
    whole = minor == report.PAGE_PYTHON
    text = write(results, plan, facts, "recorded" if whole else f"recorded-{minor}")
    kept = {"date": facts["date"], "machine": facts["machine"], "ratios": results.plain_ratios(plan.workloads)}
    RATIOS.mkdir(exist_ok=True)
    (RATIOS / f"{minor}.json").write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if whole:
        data = report.as_json(results, plan.workloads, facts)
        for plot in plots.PLOTS:
            (PAGE.parent / plot.file).write_text(plots.draw(plot, data), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    page = report.insert(page, text if whole else report.promises(results, facts), minor)
    PAGE.write_text(page, encoding="utf-8")


def not_to_be_had(results: Results) -> list[str]:
    """Who is left out although the guard stands on it: without them nothing would be compared."""
    return [f"{CONTESTANTS[key].title}: {why}" for key, why in results.left_out.items() if CONTESTANTS[key].guard]


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    chosen = arguments(argv)
    plan = plan_for(chosen)
    if chosen.prepare:
        left_out = prepare(plan, say).left_out
        say(f"prepared under {BUILD}" + (", except what is left out" if left_out else ""))
        return 1 if left_out else 0
    if chosen.record and not chosen.busy and machine.busy():
        say(f"not recorded: others use this machine (load {machine.load()}); wait, or add --busy")
        return 1
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "mode": "short" if chosen.short else "full",
        "rounds": plan.rounds,
        "machine": machine.describe(plan.python.version),
        "load before": machine.load(),
    }
    results = hold(plan, say)
    facts["load after"] = machine.load()
    print(write(results, plan, facts, f"last-{facts['mode']}"))
    failures = [*results.failures(), *not_to_be_had(results)]
    if chosen.record:
        if failures or results.left_out:
            say("not recorded, since runs failed" if failures else "not recorded, since not all took part")
            return 1
        record(results, plan, facts)
        return 0
    floor = SHORT_FLOOR if chosen.short else FULL_FLOOR
    slower = regressions(results, plan, floor)
    for finding in slower:
        say(
            f"slower: {finding.workload} against {CONTESTANTS[finding.against].title}: "
            f"{report.times(finding.measured)}, recorded {report.times(finding.recorded)}, "
            f"least allowed {report.times(finding.recorded * finding.floor)}"
        )
    for failure in failures:
        say(f"failed: {failure}")
    recorded = recorded_ratios(plan.python)
    if not recorded:
        say(f"nothing is recorded for Python {plan.python.minor}: compared with nothing")
    if not chosen.contestants:
        absent = set(CONTESTANTS) - plan.contestants
        for gap in missing(results.plain_ratios(plan.workloads), recorded, absent):
            say(f"recorded, but without a figure now: {gap}")
    return 1 if slower or failures else 0


if __name__ == "__main__":
    # What would end the harness at once ends the run under way first, with all that it has started.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, processes.ENDING)
    sys.exit(main())
