"""Random faults: what they do, what they leave alone, and that everything works when they are over."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from garrick.buggify import buggify
from garrick.errors import InvalidArgument
from garrick.sim.choices import Choices
from garrick.sim.units import bytes_per_second, nanoseconds, per_million, rate, span
from garrick.sim.world import World

from .actors import Echo
from .fault_actors import Collects, Sends

FAULTS: dict[str, Any] = {
    "kill_system": "1/2min:1s..20s",
    "pause": "1/2min:1s..10s",
    "slow": "1/5min",
    "full_mailbox": "1/2min",
    "spawn_failure": "1/2min",
    "cut_off": "1/3min:1s..10s",
    "clock_jump": "1/2min",
    "rack_power": "1/5min:5s..20s",
    "partition": "1/2min:1s..10s",
    "swizzle": "1/3min:5s..10s",
    "engine": "1/3min:500ms..8s",
    "directory": "1/5min:500ms..2s",
}


def storm(
    seed: int, seconds: float, *, choices: Choices | None = None, **options: Any
) -> tuple[str, Counter[str], dict[str, int]]:
    """Ten systems in bad weather; the hash of the trace, how often each kind has happened, and each place in Garrick's own code."""
    with World(seed, choices=choices) as world:
        here, there = world.system("here"), world.system("there")
        for number in range(8):
            world.system(f"s{number}", {"rack": number % 2})
        collects = there.spawn(Collects)
        sends = here.spawn(Sends, collects, 0.1)
        here.send(sends, round(seconds * 10))
        world.net.defaults(latency=("200us", "5ms"), drop=0.01, duplicate=0.005)
        nemesis = world.nemesis(spare=[here, there], **(options or FAULTS))
        world.run(seconds)
        world.quiet()
        world.run(30)
        assert len(world.up) == 10
        sent = here.ask(sends, "how many", timeout=60)
        world.run(5)
        # The two are never cut off from each other: whatever the engine and the links did, each message came once and in order.
        assert there.ask(collects, "numbers") == list(range(sent))
        for name in world.up:
            system = world.find(name)
            assert here.ask(system.spawn(Echo), name, timeout=30) == (name, name)
        return world.trace.hash, Counter(nemesis.hits), dict(world.bugs.fired)


def test_every_kind_happens_and_everything_works_afterwards() -> None:
    _, hits, _ = storm(1, 300)
    assert set(hits) == set(FAULTS)
    assert 8 * 300 / 120 / 2 <= hits["kill_system"] <= 8 * 300 / 120 * 2  # at its rate, among eight


@pytest.mark.parametrize("seed", range(2, 6))
def test_seeds(seed: int) -> None:
    storm(seed, 120, swarm=True, buggify=True, clock_skew="500ms", **FAULTS)


def test_the_same_seed_is_the_same_storm() -> None:
    assert storm(7, 60) == storm(7, 60)


def test_benign_choices_are_no_faults() -> None:
    _, hits, _ = storm(1, 120, choices=Choices(1, benign=True))
    assert not hits


def test_swarm_draws_the_kinds_first_and_says_which(caplog: pytest.LogCaptureFixture) -> None:
    drawn: Counter[str] = Counter()
    for seed in range(16):
        with World(seed) as world, caplog.at_level(logging.INFO, "garrick"):
            world.system("s")
            caplog.clear()
            nemesis = world.nemesis(swarm=True, **FAULTS)
            assert all(kind in caplog.text for kind in nemesis.kinds)
            drawn.update(nemesis.kinds)
    assert set(drawn) == set(FAULTS)
    assert all(count < 16 for count in drawn.values())


def test_who_is_spared_is_spared() -> None:
    with World(3) as world:
        systems = world.systems(3)
        world.nemesis(spare=["s2"], kill_system="1/20s", pause="1/20s", cut_off="1/20s")
        world.run(300)
        assert world.find("s2") is systems[1]
        world.quiet()
        assert world.find("s1") is not systems[0]


def test_quiet_brings_back_a_core() -> None:
    with World(4) as world:
        world.systems(10)
        for number in range(1, 9):
            world.crash(f"s{number}")
        core = world.quiet(core=0.5, keep=["s1"])
        assert len(core) == 5
        assert "s1" in [system.name for system in core]
        assert len(world.down) >= 3
        assert set(world.up) == {system.name for system in core} | {"s9", "s10"}
        with pytest.raises(InvalidArgument):
            world.quiet(core=1.5)


def test_places_in_the_code_are_active_or_not_for_a_whole_run() -> None:
    fired: list[set[str]] = []
    for seed in range(8):
        _, hits, places = storm(seed, 30, buggify=True, cut_off="1/10s:1s..4s", kill_system="1/20s")
        fired.append({place for place, count in places.items() if count})
        assert hits
    everything = set().union(*fired)
    assert everything == {"peer.late turn", "directory.late delta", "follower.missed delta"}
    assert any(places != everything for places in fired)
    assert not buggify("peer.late turn")  # nothing of it is left outside


def test_notation() -> None:
    assert nanoseconds("200us") == 200_000
    assert nanoseconds(1.5) == nanoseconds("1.5s") == 1_500_000_000
    assert span("2s..20s") == (2_000_000_000, 20_000_000_000)
    assert rate("1/10min") == (600_000_000_000, (0, 0))
    assert rate("3/h:5s") == (1_200_000_000_000, (5_000_000_000, 5_000_000_000))
    assert per_million(0.01) == 10_000
    assert bytes_per_second("1.5MB/s") == 1_500_000
    for wrong in ("often", "1/0s", "0/min", "1/10min:20s..2s", "1"):
        with pytest.raises(InvalidArgument):
            rate(wrong)
    with pytest.raises(InvalidArgument), World() as world:
        world.system("s")
        world.nemesis(earthquake="1/h")
