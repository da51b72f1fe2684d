"""Where actors go: tables of one choice, and properties of many."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrick.convention.placement import Placer
from garrick.errors import NoCapableSystem
from garrick.requirements import missing, requires
from garrick.runtime.signals import ProcessInfo, SystemInfo, View


class Plain:
    pass


@requires("db")
class NeedsDb:
    pass


@requires("db", zone="active")
class NeedsZone:
    pass


class Picky:
    asked = 0

    @staticmethod
    def can_run_on(capabilities: dict[str, Any]) -> bool:
        Picky.asked += 1
        return bool(capabilities.get("cores", 0) >= 4)


class Broken:
    @staticmethod
    def can_run_on(capabilities: dict[str, Any]) -> bool:
        return bool(capabilities["missing"] > 1)


def system(name: str, loads: list[int], **capabilities: Any) -> SystemInfo:
    return SystemInfo(f"{name}@01", capabilities, tuple(ProcessInfo(n, load) for n, load in enumerate(loads, 1)))


def view(*systems: SystemInfo) -> View:
    return View({s.system: s for s in systems})


A = system("a", [3, 0])
H1 = system("h1", [0, 0], db=True, zone="passive", host="h1")
H2 = system("h2", [9, 1], db=True, zone="active", host="h2", cores=8)
ALL = view(A, H1, H2)


@pytest.mark.parametrize(
    ("actor", "wanted", "near", "place"),
    [
        (Plain, {}, True, ("a@01", 1)),  # near its parent
        (Plain, {}, False, ("a@01", 2)),  # spread by load
        (NeedsDb, {}, True, ("h1@01", 2)),  # the least loaded that fits, beginning at another process than others do
        (NeedsDb, {"host": "h2"}, True, ("h2@01", 2)),
        (NeedsZone, {}, True, ("h2@01", 2)),
        (Picky, {}, False, ("h2@01", 2)),
        ("not.installed.here.Actor", {"host": "h1"}, True, ("h1@01", 2)),
        (f"{__name__}.NeedsZone", {}, True, ("h2@01", 2)),  # requirements of a class given by its name
    ],
)
def test_one_choice(actor: Any, wanted: dict[str, Any], near: bool, place: tuple[str, int]) -> None:
    assert Placer().choose(actor, wanted, ALL, "a@01", 1, near=near) == place


def test_here_if_it_fits_even_when_others_have_less_to_do() -> None:
    crowded = view(system("a", [500], db=True), system("b", [0], db=True))
    assert Placer().choose(NeedsDb, {}, crowded, "a@01", 1, near=False) == ("a@01", 1)


@pytest.mark.parametrize(
    ("actor", "wanted", "text"),
    [
        (NeedsZone, {"host": "h1"}, "the nearest is 'h1', which lacks zone='active' (has 'passive')"),
        (NeedsDb, {"gpu": True}, "the nearest is 'h1', which lacks gpu"),
        (Broken, {}, "the nearest is 'a', which lacks can_run_on raised KeyError: 'missing'"),
    ],
)
def test_a_refusal_names_the_nearest_miss(actor: Any, wanted: dict[str, Any], text: str) -> None:
    with pytest.raises(NoCapableSystem) as caught:
        Placer().choose(actor, wanted, ALL, "a@01", 1)
    assert text in str(caught.value)
    assert caught.value.hint


def test_a_system_without_a_process_takes_nothing() -> None:
    with pytest.raises(NoCapableSystem, match="which lacks a process that is up"):
        Placer().choose(NeedsDb, {}, view(A, system("h3", [], db=True)), "a@01", 1)
    with pytest.raises(NoCapableSystem, match="which lacks a process that is up"):
        Placer().choose(Plain, {}, view(system("a", [])), "a@01", 1, near=False)


def test_without_any_view_children_stay_here() -> None:
    assert Placer().choose(NeedsDb, {}, View({}), "a@01", 7, capabilities={"db": True}) == ("a@01", 7)


def test_can_run_on_is_asked_once_per_set_of_capabilities() -> None:
    placer, Picky.asked = Placer(), 0
    for _ in range(5):
        placer.choose(Picky, {}, view(A, H1, H2), "a@01", 1)  # a new view each time, equal capabilities
    assert Picky.asked == 3


def test_what_was_placed_counts_until_the_load_is_heard_to_change() -> None:
    placer = Placer()
    even = view(A, system("h1", [0], db=True), system("h2", [0], db=True))
    places = [placer.choose(NeedsDb, {}, even, "a@01", 1)[0] for _ in range(4)]
    assert sorted(Counter(places).values()) == [2, 2]
    # News that say nothing of h1 and h2 forget nothing; a load that changed replaces what was placed.
    heard = view(A, system("h1", [0], db=True), system("h2", [10], db=True), system("h3", [30]))
    assert {placer.choose(NeedsDb, {}, heard, "a@01", 1)[0] for _ in range(8)} == {"h1@01"}
    assert "h2@01" in {placer.choose(NeedsDb, {}, heard, "a@01", 1)[0] for _ in range(3)}


KEYS = st.sampled_from(["db", "gpu", "zone"])
CAPABILITIES = st.dictionaries(KEYS, st.sampled_from([True, 1, "x"]), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    own=CAPABILITIES,
    others=st.lists(st.tuples(CAPABILITIES, st.lists(st.integers(0, 20), max_size=3)), max_size=4),
    wanted=CAPABILITIES,
    near=st.booleans(),
)
def test_what_is_chosen_fits_and_a_refusal_means_that_nothing_does(
    own: dict[str, Any], others: list[tuple[dict[str, Any], list[int]]], wanted: dict[str, Any], near: bool
) -> None:
    known = view(system("a", [1, 2], **own), *(system(f"s{n}", loads, **c) for n, (c, loads) in enumerate(others)))
    able = [s for s in known.systems.values() if not missing(wanted, s.capabilities) and s.processes]
    try:
        chosen, process = Placer().choose(Plain, wanted, known, "a@01", 1, near=near)
    except NoCapableSystem:
        assert able == []
        return
    info = known.systems[chosen]
    assert info in able
    assert process in {p.number for p in info.processes}
    if known.systems["a@01"] in able:
        assert chosen == "a@01"
    else:
        assert sum(p.load for p in info.processes) / len(info.processes) == min(
            sum(p.load for p in s.processes) / len(s.processes) for s in able
        )


@settings(max_examples=30, deadline=None)
@given(spawners=st.integers(1, 6), systems=st.integers(1, 5), each=st.integers(1, 40))
def test_many_spawners_that_know_the_same_spread_their_actors(spawners: int, systems: int, each: int) -> None:
    known = view(A, *(system(f"s{n}", [0, 0], db=True) for n in range(systems)))
    placed: Counter[tuple[str, int]] = Counter()
    for number in range(1, spawners + 1):
        placer = Placer()
        mine = Counter(placer.choose(NeedsDb, {}, known, "a@01", number) for _ in range(each))
        counts = [mine.get((s.system, p.number), 0) for s in known.systems.values() if s != A for p in s.processes]
        assert max(counts) - min(counts) <= 1
        placed += mine
    assert placed.total() == spawners * each


def test_a_heavier_system_takes_more() -> None:
    placer, known = Placer(), view(system("light", [0], db=True), system("heavy", [0], db=True, weight=3))
    places = Counter(placer.choose(NeedsDb, {}, known, "here@01", 1)[0] for _ in range(80))
    assert places["heavy@01"] in range(59, 62)
