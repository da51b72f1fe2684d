"""The plugin for pytest, as its users see it: each test here runs pytest on a small suite."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = "pytester"

ACTORS = """
import pytest
from garrick import Actor, on
from garrick.sim import reached
from garrick.testing import Probe


class Greeter(Actor):
    @on
    def greet(self, message: str) -> str:
        return f"hello {message}"

    @on
    def later(self, message: int) -> None:
        self.after(message, "pong")
        self.back = self.sender

    @on
    def fail(self, message: bytes) -> None:
        raise LookupError("no such thing")


class Echo(Actor):
    def receive(self, message, sender):
        self.reply(message)
"""


class Suite:
    """A suite of one file."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        # Most of the time of a small run is the loading of other plugins.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(self, tests: str, *arguments: str) -> pytest.RunResult:
        self._pytester.makepyfile(ACTORS + tests)
        # In a process of its own: pytester forgets what is imported meanwhile, and modules that come twice do not know one another.
        return self._pytester.runpytest_subprocess(
            "-p", "garrick.testing.plugin", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments
        )


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    return Suite(pytester, monkeypatch)


def passes(result: pytest.RunResult, **outcomes: int) -> None:
    result.assert_outcomes(**outcomes)
    assert result.ret in (0, 1)


def test_the_plugin_is_found_by_pytest_where_garrick_is_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    points: dict[str, Any] = project["project"]["entry-points"]["pytest11"]
    assert points == {"garrick.testing.plugin": "garrick.testing.plugin"}
    assert import_module("garrick.testing.plugin").pytest_addoption


# --- fixtures ---------------------------------------------------------------------------------------------------------------

COMMON = """
def test_answers(system):
    assert system.ask(system.spawn(Greeter), "you") == "hello you"


def test_probes(system, probe):
    echo = system.spawn(Echo)
    probe.send(echo, "a")
    probe.send(echo, 1)
    assert probe.expect(str, within=10) == "a"
    assert probe.last_sender == echo
    probe.reply("b")
    assert probe.expect(int, within="10s", where=lambda n: n == 1) == 1
    assert probe.expect(str, within=10) == "b"
    probe.expect_nothing("50ms")
    probe.watch(echo)
    system.stop_actor(echo)
    assert probe.expect_end(echo, within=10).reason == "stopped"
"""


def test_tests_run_in_simulation_by_default(suite: Suite) -> None:
    tests = COMMON + "\n\ndef test_base(system, garrick_base):\n    assert system.name == garrick_base == 'sim'\n"
    passes(suite.run(tests), passed=3)


def test_the_same_tests_run_in_the_programs_process(suite: Suite) -> None:
    passes(suite.run(COMMON, "--garrick-base=local"), passed=2)


@pytest.mark.processes
def test_the_same_tests_run_on_processes(suite: Suite) -> None:
    passes(suite.run(COMMON, "--garrick-base=multiprocess"), passed=2)


def test_what_needs_virtual_time_is_skipped_on_real_bases(suite: Suite) -> None:
    tests = """
def test_world(world):
    pass

def test_clock(manual_clock):
    pass

@pytest.mark.sim
def test_seeds(world):
    raise AssertionError
"""
    passes(suite.run(tests, "--garrick-base=local"), skipped=3)


def test_a_probe_says_what_came_instead(suite: Suite) -> None:
    tests = """
def test_other(system, probe):
    probe.send(system.spawn(Echo), "a")
    with pytest.raises(AssertionError, match="expected a int, got 'a'"):
        probe.expect(int)

def test_nothing(system, probe):
    with pytest.raises(AssertionError, match="no int came within 3 s"):
        probe.expect(int)

def test_skipped(system, probe):
    echo = system.spawn(Echo)
    for message in ("a", 1):
        probe.send(echo, message)
    assert probe.expect(int, skip=True) == 1

def test_not_nothing(system, probe):
    probe.send(system.spawn(Echo), "a")
    with pytest.raises(AssertionError, match="expected nothing for 1 s, got 'a'"):
        probe.expect_nothing(1)
"""
    passes(suite.run(tests), passed=4)


def test_time_passes_when_the_test_says_so(suite: Suite) -> None:
    tests = """
def test_hour(system, manual_clock):
    ticks = []

    class Ticks(Actor):
        def __init__(self):
            self.every(60, "tick")

        def receive(self, message, sender):
            ticks.append(self.now())

    system.spawn(Ticks)
    manual_clock.advance("1h")
    assert len(ticks) == 60
    assert manual_clock.now >= 3600
"""
    passes(suite.run(tests), passed=1)


def test_a_world_and_a_system_of_it(suite: Suite) -> None:
    tests = """
def test_two(world, system, probe):
    other = world.system("other")
    echo = other.spawn(Echo)
    probe.send(echo, "over there")
    assert probe.expect(str) == "over there"
    assert (system.name, other.name) == ("test", "other")

def test_verified(world):
    world.eventually("never", lambda: False, within="1min")
"""
    result = suite.run(tests)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*'never' has not become true within 1min*"])


def test_what_is_left_behind_is_an_error(suite: Suite) -> None:
    tests = """
class Asks(Actor):
    def receive(self, message, sender):
        self.ask(message, "x", timeout=1000)

class Silent(Actor):
    def receive(self, message, sender):
        self.defer()

class Forgets(Actor):
    def receive(self, message, sender):
        child = self.spawn(Echo)
        self.watch(child)
        self.stop(child)

def test_leaves_nothing(system):
    system.send(system.spawn(Forgets), "x")

def test_leaves_a_timer(system, manual_clock, monkeypatch):
    from garrick.runtime.timers import Timer

    class Ticks(Actor):
        def receive(self, message, sender):
            self.every(1, "x")

    ticks = system.spawn(Ticks)
    system.send(ticks, "x")
    manual_clock.advance(0.5)
    with monkeypatch.context() as bug:
        bug.setattr(Timer, "cancel", lambda self: None)
        system.stop_actor(ticks)

@pytest.mark.leaves("on purpose")
def test_may_leave_it(system, manual_clock, monkeypatch):
    test_leaves_a_timer(system, manual_clock, monkeypatch)
"""
    result = suite.run(tests)
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test left something behind: timer of Ticks*"])


# --- many seeds ----------------------------------------------------------------------------------------------------------------

RARE = """
SEEDS = []

@pytest.mark.sim(seeds=30)
def test_rare(world, system):
    class Dice(Actor):
        @on
        def roll(self, message: str) -> int:
            return self.random.randrange(10)

    SEEDS.append(world.seed)
    assert system.ask(system.spawn(Dice, name="dice"), "roll") != 3
"""


def test_a_marked_test_runs_with_many_seeds_and_says_how_to_run_it_again(suite: Suite) -> None:
    result = suite.run(RARE)
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    found = re.search(r"pytest (\S+::test_rare) --sim-seed=(\d+)", text)
    assert found is not None
    seed = int(found[2])
    assert 0 < seed < 30
    assert f"pytest {found[1]} --sim-seed={seed}" in text
    again = suite.run(RARE, f"--sim-seed={seed}")
    again.assert_outcomes(failed=1)
    assert suite.run(RARE, f"--sim-seed={seed - 1}").ret == 0
    assert suite.run(RARE, f"--sim-seeds={seed}").ret == 0, "the seeds before it pass"


def test_a_failure_is_made_smaller_and_kept(suite: Suite, pytester: pytest.Pytester) -> None:
    tests = """
class Collects(Actor):
    def __init__(self):
        self.got = []

    def receive(self, message, sender):
        self.got.append(message)


class Sends(Actor):
    def receive(self, message, sender):
        self.send(message[0], message[1])


@pytest.mark.sim(seeds=30)
def test_order(world, system):
    collects = system.spawn(Collects)
    for number in range(3):
        system.send(system.spawn(Sends), (collects, number))
    world.run(1)
    assert world.actor(collects).got == [0, 1, 2]
"""
    result = suite.run(tests, "--sim-artefacts=kept")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*it fails with *", "*garrick sim replay kept/*.json*"])
    assert [path.suffix for path in (pytester.path / "kept").iterdir()] == [".json"] * 2


def test_a_failure_tells_of_actors_mailboxes_and_the_last_messages(suite: Suite) -> None:
    text = suite.run(RARE).stdout.str()
    assert re.search(r"Dice 'dice' test@\S+: running", text)
    assert re.search(r"the last \d+ of \d+ steps", text)
    assert re.search(r"step \d+  test Dice/\d+: str", text)


@pytest.mark.parametrize("base", ["sim", "local"])
def test_a_failure_of_a_plain_test_tells_the_same(base: str, suite: Suite) -> None:
    tests = """
def test_fails(system):
    greeter = system.spawn(Greeter, name="greeter")
    for word in ("a", "b"):
        system.ask(greeter, word)
    system.send(greeter, [])
    assert system.ask(greeter, "c") == "no"
"""
    text = suite.run(tests, f"--garrick-base={base}").stdout.str()
    assert re.search(r"Greeter 'greeter' \S+: running", text)
    assert "dead letters: 1 unhandled" in text
    assert ("--sim-seed=0" in text) == (base == "sim")


def test_failures_that_nobody_hears_of_fail_a_marked_test(suite: Suite) -> None:
    tests = """
@pytest.mark.sim(seeds=1)
def test_strict(world, system):
    system.send(system.spawn(Greeter), b"x")
    world.run(1)

@pytest.mark.sim(seeds=1, strict=False)
def test_lenient(world, system):
    system.send(system.spawn(Greeter), b"x")
    world.run(1)

@pytest.mark.sim(seeds=1)
def test_expected(world, system):
    world.no_failures(LookupError)
    system.send(system.spawn(Greeter), b"x")
    world.run(1)
"""
    result = suite.run(tests)
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*SimFailure: GAR-6001 Greeter *failed on bytes*", "*LookupError: no such thing*"])


def test_seeds_have_orders_of_their_own(suite: Suite) -> None:
    tests = """
class Collects(Actor):
    def __init__(self):
        self.got = []

    def receive(self, message, sender):
        self.got.append(message)


class Sends(Actor):
    def receive(self, message, sender):
        self.send(message[0], message[1])


def order(world, system):
    collects = system.spawn(Collects)
    senders = [system.spawn(Sends) for _ in range(3)]
    for number, sender in enumerate(senders):
        system.send(sender, (collects, number))
    world.run(1)
    got = world.actor(collects).got
    assert sorted(got) == [0, 1, 2]
    reached("in order") if got == [0, 1, 2] else reached("in another order")


@pytest.mark.sim(seeds=30, goals=["in order", "in another order"])
def test_orders(world, system):
    order(world, system)


@pytest.mark.sim(seeds=30, policy="fifo", goals=["in another order"])
def test_fifo(world, system):
    order(world, system)
"""
    result = suite.run(tests)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*no run of 30 has met 'in another order'*"])


def test_the_system_of_a_marked_test_may_have_workers_and_copies(suite: Suite) -> None:
    tests = """
class Keeps(Actor):
    def __init__(self):
        self.kept = []

    def receive(self, message, sender):
        self.reply(self.kept)


@pytest.mark.sim(seeds=3, workers=2)
def test_workers(world, system, probe):
    assert list(world.processes(system).values()) == ["worker", "worker"]
    probe.send(system.spawn(Keeps), "?")
    assert probe.expect(list) == []


@pytest.mark.sim(seeds=3, fidelity="pickle")
def test_copies(world, system):
    keeps = system.spawn(Keeps)
    assert system.ask(keeps, "?") is not world.actor(keeps).kept

"""
    result = suite.run(tests)
    result.assert_outcomes(passed=2)


def test_goals_must_be_met_in_some_run(suite: Suite) -> None:
    tests = """
class Reaches(Actor):
    def receive(self, message, sender):
        if self.random.randrange(5) == 0:
            reached("rare")
        self.reply(message)

@pytest.mark.sim(seeds=30, goals=["rare"])
def test_met(world, system):
    system.ask(system.spawn(Reaches), 1)

@pytest.mark.sim(seeds=3, goals=["rare", "never"])
def test_missed(world, system):
    system.ask(system.spawn(Reaches), 1)
"""
    result = suite.run(tests)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*no run of 3 has met *'never'*"])


def test_a_marker_that_is_misspelt_is_refused(suite: Suite) -> None:
    tests = """
@pytest.mark.sim(seed=3)
def test_it(world):
    pass
"""
    result = suite.run(tests)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*GAR-5001 marker sim has no seed*"])


def test_parameters_and_other_fixtures_go_along(suite: Suite) -> None:
    tests = """
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.sim(seeds=3)
def test_sizes(size, world, probe, manual_clock, tmp_path):
    assert tmp_path.exists()
    for system in world.systems(size):
        probe.send(system.spawn(Echo), size)
        assert probe.expect(int) == size
    manual_clock.advance(1)
"""
    passes(suite.run(tests), passed=2)
