"""The rows of the benchmarks: units, figures and shares, and that every program does its work and notices when it did not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from benchmarks import environments, processes, report
from benchmarks.catalogue import BUDGETS, CONTESTANTS, WORKLOADS, Budget, Contestant, Size, Unit, Workload, ours
from benchmarks.figures import keeps, ratio, scaled, value_of
from benchmarks.interpreters import running
from benchmarks.programs.measured import Pings, latencies
from benchmarks.session import Plan, Results, Series, command, hold, result_line, value

TINY = {
    "idle": Size(200),
    "processes": Size(2, 1),
    "one class": Size(4, 0, 20),
    "many classes": Size(4, 0, 20),
    "array": Size(2, 1, 1),
}
"""Sizes for programs that need other ones than most."""


OURS = CONTESTANTS["garrick-local"]


def tiny(workload: Workload) -> Size:
    if workload.group == "beside":
        return Size(10, 2, 2)
    if workload.group == "savina":
        return Size(40, 20, 10)  # whole shares for every actor
    return TINY.get(workload.program_key, Size(40, 4, 10))


# --- units and figures


def test_every_time_has_its_unit() -> None:
    assert value_of("µs", 1000, 0.05) == 50
    assert scaled("ms", 0.25) == 250
    assert scaled("µs", 0.000_04) == pytest.approx(40)
    assert scaled("bytes", 1024.0) == 1024
    assert scaled("MiB", 5 * 2**20) == 5
    assert scaled("/s", 300.0) == 300
    with pytest.raises(ValueError, match="above nothing"):
        scaled("bytes", 0.0)
    assert report.figure("bytes", 1043.6) == "1,044 bytes"
    assert report.figure("µs", 5.678) == "5.68 µs"


def test_of_all_but_rates_less_is_better() -> None:
    units: tuple[Unit, ...] = ("ms", "µs", "bytes", "MiB")
    for unit in units:
        found = ratio(unit, [10.0], [20.0])
        assert found is not None
        assert found.value == 2.0
        assert keeps(Budget("w", 100, 50), unit, 70.0, None) == (True, False)


@pytest.mark.parametrize(("own", "kept"), [(15.0, (True, True)), (25.0, (True, False)), (31.0, (False, False))])
def test_a_budget_may_be_a_share_of_another_row(own: float, kept: tuple[bool, bool]) -> None:
    assert keeps(Budget("w", 3, 2, beside="other"), "µs", own, None, 10.0) == kept
    assert keeps(Budget("w", 3, 2, beside="other"), "µs", own, None, None) is None
    assert keeps(Budget("w", 3, 2, beside="other"), "µs", None, None, 10.0) is None


def test_the_report_shows_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    row, other = WORKLOADS["ask from async to sync, one by one"], WORKLOADS["ask from async to sync, many at once"]
    monkeypatch.setattr("benchmarks.report.BUDGETS", (Budget(row.key, 3, 2, beside=other.key),))
    found = Results({row.key: {"garrick-local": Series(values=[25.0])}, other.key: {}})
    assert "| none | not measured |" in report.budgets(found)
    found.series[other.key]["garrick-local"] = Series(values=[10.0])
    assert "| 2.50\N{MULTIPLICATION SIGN} | must |" in report.budgets(found)


def test_percentiles_are_single_times() -> None:
    times = [float(number) for number in range(1, 101)]
    assert latencies(times) == {"p50": 50.0, "p99": 99.0}
    assert latencies([3.0]) == {"p50": 3.0, "p99": 3.0}
    assert latencies([2.0, 1.0]) == {"p50": 1.0, "p99": 2.0}


def test_a_row_reads_its_figure_or_its_seconds() -> None:
    line = {"operations": 10, "seconds": 2.0, "figures": {"p99": 0.004}}
    latency, rate = WORKLOADS["local ask latency, p99"], WORKLOADS["local ask"]
    assert value(latency, line) == pytest.approx(4000)
    assert value(rate, line) == 5
    with pytest.raises(KeyError, match="p99"):
        value(latency, {"operations": 10, "seconds": 2.0, "figures": {}})


def test_pings_count_from_when_they_were_due() -> None:
    pings = Pings(lambda _: None)
    pings.times = [(1.0, 9.0), (2.0, 0.1), (3.0, 0.3), (4.0, 9.0)]
    assert pings.between(1.5, 3.5) == {"p50": 0.1, "p99": 0.3}


def test_budgets_name_rows_that_there_are() -> None:
    for budget in BUDGETS:
        assert budget.workload in WORKLOADS
        assert not budget.beside or budget.beside in WORKLOADS
        assert not (budget.against and budget.beside)
        higher = bool(budget.against) or WORKLOADS[budget.workload].unit == "/s"
        assert budget.aim >= budget.must if higher else budget.aim <= budget.must


@pytest.mark.processes
def test_rows_that_read_one_run_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import json, time\n"
        "now = time.perf_counter()\n"
        "print(json.dumps({'operations': 1, 'seconds': 1, 'version': '', 'figures': {'p50': now, 'p99': now}}))"
    )
    monkeypatch.setattr("benchmarks.session.command", lambda *_: [sys.executable, "-c", code])
    rows = [WORKLOADS["local ask latency, p50"], WORKLOADS["local ask latency, p99"]]
    found = hold(Plan(rows, 2, 1, 30, frozenset({"garrick-local"})), lambda _: None)
    median, worst = (found.series[row.key]["garrick-local"].values for row in rows)
    assert median == worst
    assert median[0] != median[1]  # each round runs anew


# --- the programs

RUNS = [
    pytest.param(workload, CONTESTANTS[key], id=f"{workload.group}-{workload.program_key}-{key}")
    for workload in {(w.group, w.program_key, ours(w)): w for w in WORKLOADS.values()}.values()
    for key in workload.sizes
    # The usual programs run in every session of the short form; what has to be compiled first is left to the long one.
    if workload.group != "use" and not CONTESTANTS[key].program.endswith(".erl")
]
"""Each program once for each thing that it does."""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(("workload", "contestant"), RUNS)
def test_every_program_does_its_work(workload: Workload, contestant: Contestant) -> None:
    rows = [row for row in WORKLOADS.values() if (row.group, row.program_key) == (workload.group, workload.program_key)]
    try:
        words = command(workload, contestant, tiny(workload), running())
    except environments.Unavailable as error:
        pytest.skip(str(error))
    if contestant.environment and not Path(words[0]).exists():
        pytest.skip("the peer's environment is made by the first `make bench`")
    outcome = processes.run(
        words,
        timeout=60,
        environment=environments.variables(contestant),
    )
    line = result_line(outcome, 60)
    assert contestant.environment or outcome.left_behind == 0
    for row in rows:
        if contestant.key in row.sizes and not (row.figure == "memory" and workload.program_key == "idle"):
            assert value(row, line) > 0  # the memory of so few may be nothing at all


BREAKS = {
    "asks": (["sync", "local", "20", "2", "1"], "return message", "return message[:1]"),
    "many": (["idle", "local", "20", "0", "0"], "for _ in range(message):", "for _ in range(message - 1):"),
    "waits": (["one class", "local", "4", "0", "20"], '"awake")\n\n', '"not slept")\n\n'),
    "beside": (["link beside burners", "multiprocess", "4", "2", "1"], "expect(pids, [", "expect(pids, [0, "),
    "bulk": (["array", "multiprocess", "2", "1", "1"], "array(message", "array(1 + message"),
    "savina": (["big", "local", "40", "20", "10"], "self.total += message", "self.total += message - 1"),
}
"""For each group arguments, and what in the program of Garrick is replaced by what: then it does not do its work."""


@pytest.mark.processes
@pytest.mark.parametrize("group", sorted(BREAKS))
def test_work_that_was_not_done_is_no_result(group: str, tmp_path: Path) -> None:
    arguments, right, wrong = BREAKS[group]
    programs = shutil.copytree(environments.PROGRAMS, tmp_path / "programs")
    program = programs / f"{group}_garrick.py"
    source = program.read_text(encoding="utf-8")
    assert right in source
    program.write_text(source.replace(right, wrong), encoding="utf-8")
    outcome = processes.run(
        [sys.executable, str(program), *arguments], timeout=60, environment=environments.variables(OURS)
    )
    with pytest.raises(ValueError, match="the work was not done"):
        result_line(outcome, 60)
