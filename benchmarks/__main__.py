"""`python -m benchmarks`: measure, print the table, compare with the recorded ratios.

Exit status: 0 all ran and nothing got slower, 1 a run failed or a ratio fell too far, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.catalogue import CONTESTANTS, WORKLOADS
from benchmarks.environments import ROOT
from benchmarks.figures import FULL_FLOOR, SHORT_FLOOR, Finding, compare, missing
from benchmarks.session import Plan, Results, hold

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
RATIOS = HERE / "ratios.json"
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
    return chosen


def plan_for(chosen: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    base = SHORT if chosen.short else FULL
    contestants = frozenset(filter(None, chosen.contestants.split(","))) or frozenset(CONTESTANTS)
    workloads = [
        workload
        for key, workload in WORKLOADS.items()
        if chosen.only in key and contestants.intersection(workload.sizes) and (workload.short or not chosen.short)
    ]
    return replace(base, workloads=workloads, rounds=chosen.rounds or base.rounds, contestants=contestants)


def recorded_ratios() -> dict[str, dict[str, float]]:
    """The ratios that later runs are held against; none before the first `--record`."""
    if not RATIOS.exists():
        return {}
    found: dict[str, dict[str, float]] = json.loads(RATIOS.read_text(encoding="utf-8"))["ratios"]
    return found


def regressions(results: Results, plan: Plan, floor: float) -> list[Finding]:
    """The ratios below the floor; what looks slower is measured once more, and counts only if it is slower again."""
    recorded = recorded_ratios()
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
    """Make this run the one that others are held against, and show it in the documentation."""
    text = write(results, plan, facts, "recorded")
    kept = {"date": facts["date"], "machine": facts["machine"], "ratios": results.plain_ratios(plan.workloads)}
    RATIOS.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(report.insert(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    chosen = arguments(argv)
    plan = plan_for(chosen)
    if chosen.record and not chosen.busy and machine.busy():
        say(f"not recorded: others use this machine (load {machine.load()}); wait, or add --busy")
        return 1
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "mode": "short" if chosen.short else "full",
        "rounds": plan.rounds,
        "machine": machine.describe(),
        "load before": machine.load(),
    }
    results = hold(plan, say)
    facts["load after"] = machine.load()
    print(write(results, plan, facts, f"last-{facts['mode']}"))
    failures = results.failures()
    if chosen.record:
        if failures:
            say("not recorded, since runs failed")
        else:
            record(results, plan, facts)
        return 1 if failures else 0
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
    if not chosen.contestants:
        for gap in missing(results.plain_ratios(plan.workloads), recorded_ratios()):
            say(f"recorded, but without a figure now: {gap}")
    return 1 if slower or failures else 0


if __name__ == "__main__":
    sys.exit(main())
