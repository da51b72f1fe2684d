"""Many seeds: what fails is found, told, made again, and made small."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, Address, InvalidArgument, on
from garrick.errors import Diverged
from garrick.sim import World, explore, sim_test
from garrick.sim.artefact import Artefact
from garrick.sim.choices import Label
from garrick.sim.explore import Report
from garrick.sim.loading import load
from garrick.sim.order import PICK
from garrick.sim.replay import replay
from garrick.sim.runs import Plan, failure_of, run
from garrick.sim.sentences import describe, sentence


class Account(Actor):
    """Loses an update when two change it at the same time."""

    def __init__(self) -> None:
        self.amount = 0

    @on
    def read(self, message: str) -> int:
        return self.amount

    @on
    def write(self, message: int) -> None:
        self.amount = message


class Teller(Actor):
    """Reads, and then writes what it has made of it."""

    def __init__(self, account: Address[Any]) -> None:
        self.account = account

    @on
    def add(self, message: int) -> str:
        amount = self.ask(self.account, "read").result()
        self.ask(self.account, amount + message).result()
        return "done"


def lost_update(world: World) -> None:
    """The second teller is told a little later than the first: in the order of arrival all is well."""
    system = world.system("bank")
    account = system.spawn(Account)
    tellers = [system.spawn(Teller, account) for _ in range(2)]
    replies = [system._runtime.ask(teller, 1, 10) for teller in tellers[:1]]
    for _ in range(5):
        system.ask(account, "read")
    replies += [system._runtime.ask(teller, 1, 10) for teller in tellers[1:]]
    for reply in replies:
        reply.result()
    amount = system.ask(account, "read")
    assert amount == 2


class Drops(Actor):
    """Says hello to somebody elsewhere, and forgets about it."""

    def __init__(self, other: Address[Any]) -> None:
        self.other = other

    @on
    def go(self, message: int) -> None:
        for number in range(message):
            self.send(self.other, number)


class Late(Actor):
    """Knows when its last message came."""

    def __init__(self) -> None:
        self.last = 0.0

    @on
    def number(self, message: int) -> None:
        self.last = self.now()

    @on
    def tell(self, message: str) -> float:
        return self.last


def slow_network(world: World) -> None:
    """Fails if anything between the two takes long."""
    world.net.defaults(latency=("1ms", "20ms"), delay=0.2, drop=0.05)
    one, two = world.systems(2)
    late = two.spawn(Late)
    drops = one.spawn(Drops, late)
    begin = world.now
    one.send(drops, 20)
    world.run(20)
    assert two.ask(late, "tell") - begin < 1.2


@cache
def slow_network_explored() -> Report:
    """Two tests look at it."""
    return explore(slow_network, range(100), artefacts=None)


def fine(world: World) -> None:
    """Never fails."""
    system = world.system("one")
    system.ask(system.spawn(Account), 3)
    world.reached("asked")


KEPT: list[int] = []


def leaky(world: World) -> None:
    """Keeps something from run to run."""
    KEPT.append(1)
    system = world.system("one")
    for _ in KEPT:
        system.ask(system.spawn(Account), 3)
    assert len(KEPT) < 5 or world.seed != 4


@sim_test(seeds=5, artefacts=None)
def test_a_decorated_function_runs_with_each_seed(world: World, tmp_path: Path) -> None:
    fine(world)
    with (tmp_path / "seeds").open("a") as file:
        file.write(f"{world.seed} ")


def test_what_a_decorated_function_has_written(tmp_path: Path) -> None:
    test_a_decorated_function_runs_with_each_seed(tmp_path=tmp_path)
    assert (tmp_path / "seeds").read_text() == "0 1 2 3 4 "


def test_the_error_of_the_lowest_seed_is_raised_with_the_way_to_replay_it(tmp_path: Path) -> None:
    @sim_test(seeds=50, artefacts=tmp_path)
    def decorated(world: World) -> None:
        lost_update(world)

    with pytest.raises(AssertionError) as caught:
        decorated()
    (note,) = caught.value.__notes__
    assert "garrick sim replay" in note
    assert "came behind" in note


def test_a_function_without_a_world_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="takes no world"):

        @sim_test()
        def nothing() -> None: ...


def test_no_failure() -> None:
    report = explore(fine, range(7), artefacts=None)
    assert report.ok
    assert report.runs == 7
    assert report.goals["asked"] == 7
    assert sum(report.coverage.values()) == 7
    assert (report.seed, report.story, report.path) == (None, "", None)
    report.check()
    assert "none failed" in str(report)


def test_a_race_is_found_and_made_small(tmp_path: Path) -> None:
    report = explore(lost_update, range(100), artefacts=tmp_path)
    assert not report.ok
    assert not report.unstable
    assert report.failed is not None
    assert report.shrunk is not None
    assert explore(lost_update, range(20), policy="fifo", artefacts=None).ok
    assert 1 <= len(report.shrunk.overrides) <= 3 < len(report.failed.overrides)
    assert {kind for kind, _ in report.shrunk.overrides} == {PICK}
    assert "Teller" in report.story
    assert report.difference is not None
    assert report.failed.failure == report.shrunk.failure
    with pytest.raises(AssertionError):
        report.check()


def test_a_fault_is_found_and_told_in_a_sentence() -> None:
    report = slow_network_explored()
    assert report.shrunk is not None
    assert len(report.shrunk.overrides) <= 4
    assert "frame" in report.story
    assert "s1 → s2" in report.story


@pytest.mark.parametrize("scenario", [lost_update, slow_network])
def test_an_artefact_makes_the_same_run_again(scenario: Any, tmp_path: Path) -> None:
    report = slow_network_explored() if scenario is slow_network else explore(scenario, range(100), artefacts=tmp_path)
    for artefact in (report.failed, report.shrunk):
        assert artefact is not None
        loaded = Artefact.load(artefact.save(tmp_path / "again.json"))
        assert loaded == artefact
        outcome = replay(scenario, loaded, strict=True)
        assert outcome.failure == artefact.failure
        assert outcome.made == artefact.overrides
    path = report.shrunk.save(tmp_path / "shrunk.json") if report.path is None else report.path  # type: ignore[union-attr]
    content = json.loads(path.read_text())
    assert content["made_with"]["python"] == sys.version.split()[0]
    assert content["trace"] == report.shrunk.trace  # type: ignore[union-attr]


def test_strict_replay_names_the_first_difference(tmp_path: Path) -> None:
    report = explore(lost_update, range(100), artefacts=tmp_path, shrink=False)
    assert report.failed is not None

    def changed(world: World) -> None:
        system = world.system("bank")
        system.ask(system.spawn(Account), "read")

    with pytest.raises(Diverged, match=r"event \d+ is the first that differs") as caught:
        replay(changed, report.failed, strict=True)
    assert "- 0." in str(caught.value)
    assert "+ 0." in str(caught.value)
    assert replay(changed, report.failed).ok  # by labels, as far as they fit


def test_the_surroundings_are_told_when_a_replay_differs(tmp_path: Path) -> None:
    report = explore(lost_update, range(100), artefacts=tmp_path, shrink=False)
    assert report.failed is not None
    report.failed.made_with["python"] = "2.7"
    with pytest.raises(Diverged, match=r"python: 2\.7"):
        replay(fine, report.failed, strict=True)


def test_two_processes_find_the_same_lowest_seed(tmp_path: Path) -> None:
    one = explore(lost_update, range(100), artefacts=None, shrink=False)
    two = explore(lost_update, range(100), artefacts=None, shrink=False, jobs=2)
    assert one.seed == two.seed
    assert one.failures == two.failures
    assert one.failed == two.failed


def test_all_failures_are_counted_when_it_goes_on() -> None:
    one = explore(lost_update, range(80), artefacts=None, shrink=False, until_fail=False)
    two = explore(lost_update, range(80), artefacts=None, shrink=False, until_fail=False, jobs=2)
    assert one.runs == two.runs == 80
    assert len(one.failures) > 1
    assert one.failures == two.failures
    assert one.coverage == two.coverage


def three_at_once(world: World) -> None:
    """The last of three questions is answered last: in the order of arrival."""
    system = world.system("one")
    account = system.spawn(Account)
    askers = [system.spawn(Asker, account) for _ in range(3)]
    orders.append([])
    for asker in askers:
        system.send(asker, orders[-1])
    world.run(0.1)
    assert len(orders[-1]) == 3


class Asker(Actor):
    """Notes when it has its answer."""

    def __init__(self, account: Address[Any]) -> None:
        self.account = account

    @on
    def go(self, message: list[int]) -> None:
        self.ask(self.account, "read").result()
        message.append(self.address.serial & 0xFF)


orders: list[list[int]] = []


def test_every_order_with_few_deviations_is_run() -> None:
    counts = []
    for most in range(3):
        orders.clear()
        report = explore(three_at_once, [0], policy=f"systematic:{most}", artefacts=None)
        assert report.ok
        counts.append((report.runs, len({tuple(order) for order in orders})))
    assert [seen for _, seen in counts] == [1, 3, 5]
    assert [runs for runs, _ in counts] == sorted({runs for runs, _ in counts})

    def sorted_only(world: World) -> None:
        three_at_once(world)
        assert orders[-1] == sorted(orders[-1])

    report = explore(sorted_only, [0], policy="systematic:1", artefacts=None)
    assert report.shrunk is not None
    assert list(report.shrunk.overrides.values()) == [1]


def test_what_stays_from_seed_to_seed_is_noticed() -> None:
    KEPT.clear()
    report = explore(leaky, range(10), artefacts=None)
    assert report.seed == 4
    assert report.unstable
    KEPT.clear()
    assert explore(leaky, [4], artefacts=None, isolate=True).ok
    KEPT.clear()
    report = explore(leaky, range(10), artefacts=None, check_determinism=1.0)
    assert isinstance(report.error, Diverged)


def test_a_child_that_dies_is_told() -> None:
    with pytest.raises(RuntimeError, match="seeds 0 to 9 ended with 7"):
        explore(lambda _: os._exit(7), range(10), artefacts=None, isolate=True)


def test_wrong_arguments() -> None:
    with pytest.raises(InvalidArgument, match="no policy"):
        explore(fine, policy="lifo")
    with pytest.raises(InvalidArgument, match="deviations"):
        explore(fine, policy="systematic")
    with pytest.raises(InvalidArgument, match="jobs"):
        explore(fine, jobs=0)


def test_a_scenario_is_found_by_its_name() -> None:
    path = os.path.relpath(__file__)
    assert load(f"{path}::fine") is fine
    assert load(f"{__name__}::fine") is fine
    with pytest.raises(InvalidArgument, match="tmp_path"):
        load(f"{path}::test_a_decorated_function_runs_with_each_seed")
    for wrong in (f"{path}::nothing", "nowhere.py::x", "nowhere.at.all::x", "x", f"{path}::f.<locals>.g"):
        with pytest.raises(InvalidArgument):
            load(wrong)


def test_a_file_that_is_no_artefact(tmp_path: Path) -> None:
    for content in ("", "{}", '{"format": 99, "made_with": {}}', "[]"):
        path = tmp_path / "x.json"
        path.write_text(content)
        with pytest.raises(InvalidArgument):
            Artefact.load(path)


def test_the_kind_of_a_failure_does_not_depend_on_numbers() -> None:
    assert failure_of(ValueError("at 0x7f12 of 3@0123456789")) == failure_of(ValueError("at 0xabc of 4@9876543210"))
    assert failure_of(ValueError("a")) != failure_of(TypeError("a"))


def test_eventually_has_to_come_after_the_end_of_the_scenario() -> None:
    def never(world: World) -> None:
        world.system("one")
        world.eventually("it comes", lambda: False, "1s")

    outcome = run(never, Plan(1))
    assert outcome.failure is not None
    assert outcome.failure.check == "eventually: it comes"


def test_sentences() -> None:
    assert sentence({}) == "order of arrival and no faults"
    many: dict[Label, int] = {(PICK, ("s1#1", "s1#2", number)): 1 for number in range(20)}
    assert sentence(many).endswith("and 8 more")
    told = [
        describe((PICK, ("s1#1", "s1#2", 3)), 1, {"s1#2": "Cart"}),
        describe((PICK, ("s1#1", "s1#2", 0)), 2, {}),
        describe((PICK, ("due", "", 4)), 2, {}),
        describe(("net.delay by", ("s1", "s2", 3)), 1_190_000_000, {}),
        describe(("net.drop", ("s1", "s2", 3)), 1, {}),
        describe(("nemesis.pause", ("s1", 3)), 1, {}),
        describe(("x", (1,)), 1, {}),
    ]
    assert told == [
        "event 3 of s1#1 → Cart s1#2 came behind another event",
        "the creation of s1#2 came behind 2 other events",
        "due 4 came behind 2 other events",
        "frame 3 of s1 → s2 was delayed by 1.19 s more",
        "frame 3 of s1 → s2 was lost",
        "nemesis: pause (s1, 3) = 1",
        "x (1) = 1",
    ]


class TestOfAClass:
    tellers = 2

    @sim_test(seeds=30, artefacts=None)
    def test_it_gets_itself_and_a_world(self, world: World) -> None:
        assert isinstance(self, TestOfAClass)
        assert isinstance(world, World)

    def fails(self, world: World) -> None:
        assert self.tellers == world.seed - world.seed

    def wants(self, world: World, tmp_path: Path) -> None: ...


def test_a_method_is_found_by_its_name() -> None:
    for separator in ("::", "."):
        assert run(load(f"{__file__}::TestOfAClass{separator}test_it_gets_itself_and_a_world"), Plan(1)).ok
    failed = run(load(f"{__file__}::TestOfAClass::fails"), Plan(1)).failure
    assert failed is not None
    assert failed.message == "assert self.tellers == world.seed - world.seed"
    with pytest.raises(InvalidArgument, match="wants tmp_path beside the world"):
        load(f"{__file__}::TestOfAClass::wants")


def test_what_was_said_is_told_and_not_compared() -> None:
    def scenario(world: World) -> None:
        raise ValueError(f"seed {world.seed} of 0x1f")

    one, other = (run(scenario, Plan(seed)).failure for seed in (1, 2))
    assert one == other
    assert str(one) == "ValueError: seed 1 of 0x1f"
