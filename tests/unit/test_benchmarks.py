"""The harness of the benchmarks: its arithmetic, its judgement, and that it leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest
from benchmarks import __main__ as program
from benchmarks import environments, interpreters, plots, processes, report
from benchmarks.catalogue import BUDGETS, CONTESTANTS, WORKLOADS, Budget, Size, ours
from benchmarks.figures import (
    FULL_FLOOR,
    SHORT_FLOOR,
    Finding,
    compare,
    keeps,
    missing,
    ratio,
    summarise,
    value_of,
)
from benchmarks.interpreters import Interpreter, running
from benchmarks.session import Plan, Results, Series, command, hold, result_line

PING = WORKLOADS["local ping-pong"]
START = WORKLOADS["start, with processes"]
BEGIN, END = report.marks(report.PAGE_PYTHON)


def results(workload: str = PING.key, **values: list[float | None]) -> Results:
    return Results({workload: {key.replace("_", "-"): Series(values=found) for key, found in values.items()}})


# --- figures


def test_a_run_is_a_rate_or_a_time() -> None:
    assert value_of("/s", 1000, 0.5) == 2000
    assert value_of("ms", 1, 0.25) == 250
    assert value_of("ms", 10, 0.25) == 25


@pytest.mark.parametrize(("operations", "seconds"), [(0, 1.0), (10, 0.0), (10, -1.0)])
def test_a_run_without_work_or_time_is_refused(operations: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="takes time and does work"):
        value_of("/s", operations, seconds)


def test_median_and_spread() -> None:
    found = summarise([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.median, found.lowest, found.highest, found.runs) == (3.0, 1.0, 5.0, 5)
    assert found.spread == pytest.approx(4 / 3)
    with pytest.raises(ValueError, match="no run"):
        summarise([])


def test_ratio_of_rates_is_ours_over_theirs() -> None:
    found = ratio("/s", [100.0, 300.0, 200.0], [10.0, 20.0, 40.0])
    assert found is not None
    assert (found.value, found.lowest, found.highest) == (10.0, 5.0, 15.0)


def test_ratio_of_times_is_theirs_over_ours() -> None:
    found = ratio("ms", [10.0], [25.0])
    assert found is not None
    assert found.value == 2.5


def test_a_failed_round_leaves_the_others() -> None:
    found = ratio("/s", [100.0, None, 200.0], [10.0, 10.0, None])
    assert found is not None
    assert (found.value, found.lowest, found.highest) == (15.0, 10.0, 10.0)
    assert ratio("/s", [None], [1.0]) is None
    assert ratio("/s", [1.0], [None]) is None
    disjoint = ratio("/s", [None, 8.0], [2.0, None])
    assert disjoint is not None
    assert (disjoint.value, disjoint.lowest) == (4.0, 4.0)


# --- judgement


@pytest.mark.parametrize(
    ("measured", "floor", "regressed"),
    [
        (8.0, FULL_FLOOR, False),  # exactly 20 % less still passes
        (7.99, FULL_FLOOR, True),
        (7.99, SHORT_FLOOR, False),
        (5.0, SHORT_FLOOR, False),
        (4.99, SHORT_FLOOR, True),
        (20.0, FULL_FLOOR, False),
    ],
)
def test_what_counts_as_slower(measured: float, floor: float, regressed: bool) -> None:
    (finding,) = compare({"w": {"peer": measured}}, {"w": {"peer": 10.0}}, floor)
    assert finding.regressed is regressed


def test_only_what_was_measured_and_recorded_is_compared() -> None:
    assert compare({"new": {"peer": 1.0}}, {"w": {"peer": 10.0}}, 0.8) == []
    assert compare({"w": {"other": 1.0}}, {"w": {"peer": 10.0}}, 0.8) == []


def test_a_recorded_ratio_without_a_figure_is_told() -> None:
    recorded = {"w": {"peer": 10.0, "gone": 2.0}, "not run": {"peer": 1.0}}
    assert missing({"w": {"peer": 9.0}}, recorded) == ["w: against gone"]
    assert missing({"w": {"peer": 9.0}}, recorded, {"gone"}) == []


@pytest.mark.parametrize(
    ("budget", "unit", "own", "against", "kept"),
    [
        (Budget("w", 6, 8, "peer"), "/s", 1.0, 5.9, (False, False)),
        (Budget("w", 6, 8, "peer"), "/s", 1.0, 6.0, (True, False)),
        (Budget("w", 6, 8, "peer"), "ms", 1.0, 8.0, (True, True)),
        (Budget("w", 6, 8, "peer"), "/s", 1.0, None, None),
        (Budget("w", 0, 8, "peer"), "/s", 1.0, 5.0, (True, False)),
        (Budget("w", 100, 200), "/s", 150.0, None, (True, False)),
        (Budget("w", 300, 150), "ms", 200.0, None, (True, False)),
        (Budget("w", 300, 150), "ms", 301.0, None, (False, False)),
        (Budget("w", 300, 150), "ms", None, 5.0, None),
    ],
)
def test_budgets(budget: Budget, unit: str, own: float | None, against: float | None, kept: object) -> None:
    assert keeps(budget, unit, own, against) == kept  # type: ignore[arg-type]


def test_slower_once_is_measured_again_and_slower_twice_is_a_regression(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded = tmp_path / f"{running().minor}.json"
    recorded.write_text(json.dumps({"ratios": {PING.key: {"pykka": 10.0, "thespian-simple": 5.0}}}))
    monkeypatch.setattr(program, "RATIOS", tmp_path)
    again: list[Plan] = []

    def second_time(plan: Plan, _say: object) -> Results:
        again.append(plan)
        return results(garrick_local=[100.0], pykka=[20.0], thespian_simple=[20.0])

    monkeypatch.setattr(program, "hold", second_time)
    plan = Plan((PING, START), rounds=1, divisor=1, timeout=1)

    good = results(garrick_local=[100.0], pykka=[10.0], thespian_simple=[20.0])
    assert program.regressions(good, plan, FULL_FLOOR) == []
    assert not again

    both_slow = results(garrick_local=[40.0], pykka=[10.0], thespian_simple=[20.0])
    assert program.regressions(both_slow, plan, FULL_FLOOR) == [Finding(PING.key, "pykka", 5.0, 10.0, FULL_FLOOR)]
    assert [workload.key for workload in again[0].workloads] == [PING.key]


# --- catalogue and command line


def test_every_workload_has_one_garrick_and_known_contestants() -> None:
    for workload in WORKLOADS.values():
        assert set(workload.sizes) <= set(CONTESTANTS)
        assert [key for key in workload.sizes if CONTESTANTS[key].ours] == [ours(workload)]


def test_budgets_name_what_is_measured() -> None:
    for budget in BUDGETS:
        assert not budget.against or budget.against in WORKLOADS[budget.workload].sizes


def test_a_short_run_keeps_shape_and_single_operations() -> None:
    assert Size(1).shortened(4) == Size(1)
    assert Size(2500, 250, 10).shortened(4) == Size(625, 62, 10)


def test_thespian_stays_below_its_rate_limit() -> None:
    size = WORKLOADS["flood between processes"].sizes["thespian-tcp"]
    assert size.operations + size.warm_up < 3136


def test_recording_needs_everything(capsys: pytest.CaptureFixture[str]) -> None:
    for extra in (["--short"], ["--only", "local"], ["--contestants", "pykka"]):
        with pytest.raises(SystemExit) as refused:
            program.arguments(["--record", *extra])
        assert refused.value.code == 2
    assert "full run" in capsys.readouterr().err


def test_nothing_is_recorded_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.report.place_for", lambda *_: True)  # whatever Python runs the tests
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 1000.0, 1000.0))
    monkeypatch.setattr(program, "hold", lambda *_: pytest.fail("it was measured"))
    assert program.main(["--record"]) == 1
    assert "load 1000.0" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--contestants", "nobody"], ["--only", "nothing"], ["--rounds", "0"]])
def test_wrong_usage_is_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        program.arguments(wrong)
    assert refused.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_short_and_full_plans() -> None:
    short = program.plan_for(program.arguments(["--short"]))
    full = program.plan_for(program.arguments([]))
    assert (full.rounds, full.divisor) == (5, 1)
    assert short.rounds < full.rounds
    assert short.divisor > full.divisor
    only = program.plan_for(program.arguments(["--contestants", "pykka", "--only", "flood"]))
    assert [workload.key for workload in only.workloads] == ["local flood", "local flood from outside"]


def test_the_short_form_takes_a_subset() -> None:
    short = program.plan_for(program.arguments(["--short"]))
    assert {"garrick-local", "thespian-tcp", "pykka", "floor-socket"} <= short.contestants
    assert not {"ray", "beam-local", "xoscar-processes"} & short.contestants
    assert all(workload.short for workload in short.workloads)
    named = program.plan_for(program.arguments(["--short", "--contestants", "ray"]))
    assert named.contestants == {"ray"}


# --- interpreters and environments


def test_an_interpreter_is_found_by_version_and_by_path() -> None:
    assert interpreters.find(running().minor) == running()
    by_path = interpreters.find(sys.executable)
    assert by_path is not None
    assert (by_path.running, by_path.version) == (True, running().version)
    assert interpreters.find("3.999") is None
    assert interpreters.find("/no/such/python") is None


def test_pyenv_is_looked_at_first_and_must_tell_the_right_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, told in (("3.98.1", "3.98.1"), ("3.97.0", "3.11.0")):
        file = tmp_path / "versions" / name / "bin" / "python"
        file.parent.mkdir(parents=True)
        file.write_text(f"#!/bin/sh\necho {told}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert interpreters.find("3.98") == Interpreter(tmp_path / "versions/3.98.1/bin/python", "3.98.1")
    assert interpreters.find("3.97") is None


def test_versions_are_compared_as_numbers() -> None:
    old = Interpreter(Path("python"), "3.9.18")
    assert old.minor == "3.9"
    assert old.at_least("3.9")
    assert not old.at_least("3.11")


def test_who_can_not_be_had_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    told: list[str] = []
    found = hold(Plan((PING,), 1, 100_000, 30, frozenset({"floor-deque", "beam-local"})), told.append)
    assert list(found.series[PING.key]) == ["floor-deque"]
    assert found.failures() == []
    assert list(found.left_out) == ["beam-local"]
    assert "apt-get install erlang-base" in told[0]
    assert any("apt-get install erlang-base" in line for line in report.left_out(found))
    assert program.not_to_be_had(found) == []


def test_a_later_python_is_looked_for_and_told_when_it_is_not_there() -> None:
    nobody = replace(CONTESTANTS["ray"], least_python="3.999")
    with pytest.raises(environments.Unavailable, match=r"Ray needs Python 3.999"):
        environments.prepare(nobody, running())


def test_the_guard_fails_without_those_it_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_installs(*command: str) -> None:
        raise environments.Unavailable(f"no network for {command[-1]}")

    monkeypatch.setattr(environments, "_call", nothing_installs)
    monkeypatch.setattr(environments, "BUILD", Path("/no/such/place"))
    found = hold(Plan((PING,), 1, 100_000, 30, frozenset({"floor-deque", "pykka", "xoscar-local"})), lambda _: None)
    assert set(found.left_out) == {"pykka", "xoscar-local"}
    assert [text.partition(":")[0] for text in program.not_to_be_had(found)] == ["Pykka, ThreadingActor"]


# --- report


def test_figures_have_three_digits_and_a_unit() -> None:
    assert report.figure("/s", 1_234_567) == "1.23 M/s"
    assert report.figure("/s", 45_600) == "45.6 k/s"
    assert report.figure("/s", 789) == "789 /s"
    assert report.figure("ms", 12.34) == "12.3 ms"


def test_report_shows_ratio_failure_and_leftovers() -> None:
    found = results(garrick_local=[100_000.0], pykka=[None], thespian_simple=[20_000.0])
    found.series[PING.key]["pykka"].failures.append("exit status 1: boom")
    found.series[PING.key]["thespian-simple"].left_behind = 2
    facts = {"date": "2026-01-01", "rounds": 1, "machine": {"cores": 2}, "load before": 0.1, "load after": 0.2}
    text = report.markdown(found, [PING], facts)
    assert "| 20.0 k/s | 20.0 k/s to 20.0 k/s | 5.00\N{MULTIPLICATION SIGN}" in text
    assert "* failed: local ping-pong, Pykka, ThreadingActor: exit status 1: boom" in text
    assert "left up to 2 processes running" in text
    assert "**missed**" in text  # 5 times Thespian, 6 promised
    assert (
        "against Pykka, ThreadingActor | ≥ 20.0\N{MULTIPLICATION SIGN} | ≥ 20.0\N{MULTIPLICATION SIGN} | none | not measured"
        in text
    )
    assert "against Erlang" not in text  # it was not in the plan
    found.left_out["beam-local"] = "Erlang is not installed"
    text = report.markdown(found, [PING], facts)
    assert (
        "against Erlang, one node | ≥ 0.25\N{MULTIPLICATION SIGN} | ≥ 0.40\N{MULTIPLICATION SIGN} | none | not measured"
        in text
    )
    assert "* left out: Erlang, one node: Erlang is not installed." in text
    data = report.as_json(found, [PING], facts)
    assert data["workloads"][PING.key]["ratios"]["thespian-simple"]["value"] == 5.0
    assert json.loads(json.dumps(data)) == data


def test_the_page_gets_the_table_between_its_marks() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = report.insert(page, "new\n")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert report.insert(once, "new\n") == once
    with pytest.raises(ValueError, match="no place"):
        report.insert("a page without marks", "new")


def test_the_page_shows_what_is_recorded() -> None:
    stored = program.RESULTS / "recorded.md"
    if not stored.exists():
        pytest.skip("nothing is recorded yet")
    assert stored.read_text(encoding="utf-8") in program.PAGE.read_text(encoding="utf-8")
    for file in program.RATIOS.glob("*.json"):
        recorded = json.loads(file.read_text(encoding="utf-8"))["ratios"]
        assert recorded
        assert all(set(ratios) <= set(WORKLOADS[key].sizes) for key, ratios in recorded.items())
        assert report.place_for(program.PAGE.read_text(encoding="utf-8"), file.stem)


def test_other_pythons_have_a_part_of_the_page_of_their_own() -> None:
    begin, end = report.marks("3.13")
    page = f"{BEGIN}\nmain\n{END}\n{begin}\nold\n{end}\nafter\n"
    assert report.insert(page, "new\n", "3.13") == f"{BEGIN}\nmain\n{END}\n{begin}\n\nnew\n\n{end}\nafter\n"
    assert not report.place_for(page, "3.12")
    assert report.place_for(program.PAGE.read_text(encoding="utf-8"), "3.13")


# --- plots


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((program.RESULTS / "recorded.json").read_text(encoding="utf-8"))
    return found


def drawn(**medians: float) -> dict[str, Any]:
    rows = {
        key.replace("_", "-"): {"runs": [value / 2, None, value * 2], "median": value} for key, value in medians.items()
    }
    facts = {"date": "2026-01-01", "rounds": 3, "machine": {"processor": "<P&Q>", "cores": 2, "python": "CPython"}}
    return {**facts, "workloads": {PING.key: {"counts": "messages: many", "contestants": rows}}}


def test_a_plot_is_xml_with_a_bar_and_a_range_for_each_contestant() -> None:
    data = drawn(garrick_local=1e6, pykka=1e4, floor_deque=1e7, thespian_simple=1e5)
    root = ET.fromstring(plots.draw(plots.PLOTS[0], data))
    space = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in root.iter(f"{space}rect") if bar.get("class") != "page"]
    assert [bar.get("class") for bar in bars] == ["ours", "peer", "peer", "floor"]
    ours_, thespian, pykka, floor = (float(bar.get("width", "nan")) for bar in bars)
    # A logarithmic scale: the same factor is the same distance.
    assert floor - ours_ == pytest.approx(ours_ - thespian, abs=0.2)
    assert ours_ - thespian == pytest.approx(thespian - pykka, abs=0.2)
    assert len([path for path in root.iter(f"{space}path") if path.get("class") == "range"]) == 4
    texts = [text.text or "" for text in root.iter(f"{space}text")]
    assert "1.00 M/s" in texts
    assert any("<P&Q>" in text for text in texts)
    right = float(root.get("width", "nan")) - plots.VALUES
    assert all(float(bar.get("x", "nan")) + float(bar.get("width", "nan")) <= right for bar in bars)


def test_a_plot_leaves_out_what_has_no_figure() -> None:
    data = drawn(garrick_local=1e6)
    data["workloads"][PING.key]["contestants"]["pykka"] = {"runs": [None, None], "median": None}
    text = plots.draw(plots.PLOTS[0], data)
    assert "Garrick" in text
    assert "Pykka" not in text
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.draw(plots.PLOTS[1], data)


def test_the_plots_on_the_page_show_what_is_recorded() -> None:
    page = program.PAGE.read_text(encoding="utf-8")
    for plot in plots.PLOTS:
        assert all(WORKLOADS[key].unit == "/s" for key in plot.workloads)
        assert f"({plot.file})" in page
        assert (program.PAGE.parent / plot.file).read_text(encoding="utf-8") == plots.draw(plot, recorded())


# --- running programs


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_result_is_the_last_line() -> None:
    outcome = processes.run(
        python("print('noise'); print('{\"operations\": 1, \"seconds\": 2}')"), timeout=20, environment=os.environ
    )
    assert result_line(outcome, 20) == {"operations": 1, "seconds": 2}
    assert outcome.left_behind == 0


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit('the work was not done')", "exit status 1: the work was not done"),
        ("pass", "exit status 0: no message"),
        ("print('no json')", "Expecting value"),
        ("print('[]')", "not a result"),
    ],
)
def test_a_program_without_a_result_is_a_failure(code: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        result_line(processes.run(python(code), timeout=20, environment=os.environ), 20)


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
def test_a_daemon_that_left_the_group_is_ended_and_counted(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = (
        "import os, signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(told)!r}, 'w').write(str(os.getpid()))\n"
        "    signal.pause()\n"
        "while not os.path.exists(" + repr(str(told)) + "): pass\n"
    )
    outcome = processes.run(python(code), timeout=20, environment=os.environ, patience=0)
    assert outcome.status == 0
    assert outcome.left_behind == 1
    assert not alive(int(told.read_text()))


@pytest.mark.processes
def test_a_hanging_program_is_ended_in_time() -> None:
    outcome = processes.run(python("import signal; signal.pause()"), timeout=0.2, environment=os.environ)
    assert outcome.status is None
    with pytest.raises(ValueError, match=r"not done within 0.2 s"):
        result_line(outcome, 0.2)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not collected yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.processes
def test_a_session_measures_a_floor_and_keeps_failures_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    real = command

    def sabotaged(workload: object, contestant: object, size: Size, on: Interpreter) -> list[str]:
        if contestant is CONTESTANTS["garrick-local"]:
            return python("raise SystemExit('not today')")
        return real(workload, contestant, size, on)  # type: ignore[arg-type]

    monkeypatch.setattr("benchmarks.session.command", sabotaged)
    plan = Plan((PING,), 2, 10_000, 30, frozenset({"garrick-local", "floor-deque"}))
    told: list[str] = []
    found = hold(plan, told.append)
    assert len([value for value in found.series[PING.key]["floor-deque"].values if value]) == 2
    assert found.series[PING.key]["garrick-local"].values == [None, None]
    assert found.failures() == ["local ping-pong, Garrick, `local`: exit status 1: not today"]
    assert found.ratios(PING) == {}
    assert len(told) == 2


@pytest.mark.processes
def test_what_hangs_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.session.command", lambda *_: python("import signal; signal.pause()"))
    found = hold(Plan((PING,), 3, 1, 0.2, frozenset({"floor-deque"})), lambda _: None)
    series = found.series[PING.key]["floor-deque"]
    assert series.values == [None, None, None]
    assert series.failures == ["not done within 0.2 s"]


@pytest.mark.processes
def test_ending_the_harness_ends_what_it_has_started() -> None:
    line = [
        sys.executable,
        "-m",
        "benchmarks",
        "--only",
        "local flood",
        "--contestants",
        "floor-deque",
        "--rounds",
        "1000",
    ]
    with subprocess.Popen(line, cwd=environments.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as harness:
        assert harness.stderr is not None
        harness.stderr.readline()  # a round is done, so the next one has begun or is about to
        children: list[psutil.Process] = []
        deadline = time.monotonic() + 20
        while not children and time.monotonic() < deadline:
            children = psutil.Process(harness.pid).children(recursive=True)
        assert children
        harness.terminate()
        assert harness.wait(30) == 128 + signal.SIGTERM
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_preparing_measures_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    prepared: list[str] = []
    monkeypatch.setattr(environments, "prepare", lambda contestant, _python: prepared.append(contestant.key))
    monkeypatch.setattr(program, "hold", lambda *_: pytest.fail("measured"))
    assert program.main(["--prepare", "--contestants", "pykka,floor-deque"]) == 0
    assert set(prepared) == {"pykka", "floor-deque"}
    assert "prepared" in capsys.readouterr().err


def test_preparing_fails_when_one_cant_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise environments.Unavailable("no such package")

    monkeypatch.setattr(environments, "prepare", refuse)
    assert program.main(["--prepare", "--contestants", "pykka"]) == 1
