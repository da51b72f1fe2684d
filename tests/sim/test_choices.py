"""The authority of labelled choices."""

from __future__ import annotations

import subprocess
import sys

import pytest

from garrick.errors import InvalidArgument
from garrick.sim.choices import MILLION, Choices
from garrick.sim.world import World

FIXED = """
from garrick.sim.choices import Choices
c = Choices(7, taped=True)
for n in range(50):
    c.choose("a", ("s1", "sé|'2", n), 1000)
    c.chance("b", (n,), 300_000)
    c.between("c", ("x", n), 5, 10**9)
print(ascii(c.tape))
"""


def test_a_value_depends_on_nothing_but_its_label() -> None:
    many, few = Choices(3), Choices(3)
    values = [many.choose("drop", ("s1", "s2", n), 1000) for n in range(100)]
    assert few.choose("drop", ("s1", "s2", 77), 1000) == values[77]
    assert len(set(values)) > 50
    assert [Choices(4).choose("drop", ("s1", "s2", n), 1000) for n in range(100)] != values
    assert [Choices(3).choose("late", ("s1", "s2", n), 1000) for n in range(100)] != values


def test_labels_with_the_same_letters_differ() -> None:
    choices = Choices(1)
    keys = [("a", "b"), ("ab",), ("a, b",), ("a", "b", ""), ("1",), (1,), ("a'", "b")]
    assert len({choices.choose("x", key, 1 << 60) for key in keys}) == len(keys)


def test_values_are_in_range_and_all_come() -> None:
    choices = Choices(5)
    assert {choices.choose("x", (n,), 3) for n in range(100)} == {0, 1, 2}
    assert choices.choose("x", ("one",), 1) == 0
    assert {choices.between("y", (n,), 10, 12) for n in range(100)} == {10, 11, 12}


def test_a_chance_comes_as_often_as_it_says() -> None:
    choices = Choices(5)
    assert 150 < sum(choices.chance("x", (n,), MILLION // 5) for n in range(1000)) < 250
    assert not any(choices.chance("never", (n,), 0) for n in range(100))
    assert all(choices.chance("always", (n,), MILLION) for n in range(100))


def test_a_rate_makes_a_kind_rare() -> None:
    choices = Choices(6)
    choices.rate("x", MILLION // 10)
    values = [choices.choose("x", (n,), 4) for n in range(1000)]
    assert 50 < sum(value > 0 for value in values) < 150
    assert set(values) == {0, 1, 2, 3}
    with pytest.raises(InvalidArgument, match="per million"):
        choices.rate("x", MILLION + 1)


def test_a_kind_that_is_off_is_benign_but_for_overrides() -> None:
    choices = Choices(6, {("x", (3,)): 2, ("y", (4,)): 1})
    choices.turn_off("x", "y")
    assert [choices.choose("x", (n,), 9) for n in range(5)] == [0, 0, 0, 2, 0]
    assert [choices.chance("y", (n,), MILLION) for n in range(5)] == [False, False, False, False, True]
    assert choices.is_off("x")
    choices.turn_on("y")
    assert choices.chance("y", (0,), MILLION)


def test_a_benign_run_takes_only_overrides_and_never_more_than_allowed() -> None:
    choices = Choices(6, {("x", (3,)): 20, ("y", (0,)): 0}, benign=True)
    assert [choices.choose("x", (n,), 9) for n in range(5)] == [0, 0, 0, 8, 0]
    assert not choices.chance("y", (0,), MILLION)
    assert choices.between("z", (0,), 7, 1000) == 7


def test_what_was_made_makes_the_same_run_again() -> None:
    def run(choices: Choices) -> list[int]:
        return [choices.choose("x", (n,), 4) + choices.between("y", (n,), 0, 99) for n in range(200)]

    first = Choices(9)
    values = run(first)
    assert 0 not in first.made.values()
    again = Choices(1234, first.made, benign=True)
    assert run(again) == values
    assert again.made == first.made


def test_the_tape_holds_all_in_order() -> None:
    choices = Choices(9, taped=True)
    value = choices.choose("x", ("a", 1), 100)
    choices.chance("y", (), 0)
    assert choices.tape == [("x", ("a", 1), value), ("y", (), 0)]
    assert Choices(9).tape is None


def test_other_processes_choose_the_same() -> None:
    def run(hash_seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", FIXED],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        )
        return done.stdout

    assert run("1") == run("77")


def test_a_world_has_choices_of_its_seed() -> None:
    with World(seed=11) as world:
        assert world.choices.seed == 11
        assert world.choices.choose("x", (1,), 1000) == Choices(11).choose("x", (1,), 1000)
