"""When a poller waits awake: with a clock and a poll that the test drives."""

from __future__ import annotations

from pathlib import Path

import pytest

from garrick.node import haste
from garrick.node.haste import AWAKE, RUN, Haste

EVENT = [(3, 1)]


class World:
    """Something happens ``gap`` seconds after each call of `wait`; looking costs a microsecond."""

    def __init__(self) -> None:
        self.time = 0.0
        self.next = 0.0
        self.looks = 0
        self.sleeps = 0
        self.haste = Haste(lambda: self.time)

    def _poll(self, timeout: float) -> list[tuple[int, int]]:
        self.time += 1e-6
        if timeout == 0:
            self.looks += 1
            return EVENT if self.time >= self.next else []
        self.sleeps += 1
        self.time = max(self.time, self.next)
        return EVENT

    def wait(self, gap: float, times: int = 1) -> None:
        for _ in range(times):
            self.next = self.time + gap
            assert self.haste.poll(self._poll, -1) == EVENT


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(haste, "enough_cores", lambda: True)
    return World()


def test_who_gets_answers_at_once_waits_awake(world: World) -> None:
    world.wait(AWAKE / 4, RUN)
    assert (world.looks, world.sleeps) == (0, RUN)
    world.wait(AWAKE / 4, 100)
    assert world.sleeps == RUN
    assert world.looks > 100


def test_who_waits_for_longer_sleeps(world: World) -> None:
    world.wait(AWAKE * 1.5, 1000)
    assert (world.looks, world.sleeps) == (0, 1000)


def test_what_is_spent_in_vain_is_bounded(world: World) -> None:
    world.wait(AWAKE / 4, RUN)
    world.wait(60.0)
    assert 0 < world.looks <= AWAKE / 1e-6 + 1


def test_each_time_in_vain_more_short_waits_are_needed(world: World) -> None:
    world.wait(AWAKE / 4, RUN)
    world.wait(AWAKE * 2)
    looks = world.looks
    world.wait(AWAKE / 4, 2 * RUN - 1)
    world.wait(AWAKE * 2)
    assert world.looks == looks
    world.wait(AWAKE / 4, 2 * RUN)
    world.wait(AWAKE * 2)
    assert looks < world.looks
    looks = world.looks
    world.wait(AWAKE / 4, 4 * RUN)
    world.wait(0, 4 * RUN)  # worth it again
    world.wait(AWAKE * 2)
    world.wait(AWAKE / 4, 2 * RUN)
    looks = world.looks
    world.wait(AWAKE * 2)
    assert looks < world.looks


def test_where_it_is_in_vain_it_is_hardly_tried(world: World) -> None:
    for _ in range(10_000):
        world.wait(AWAKE / 4, RUN)
        world.wait(0.01)
    assert world.looks <= AWAKE / 1e-6 + 1
    for _ in range(1000):
        world.wait(AWAKE / 4, 20)
        world.wait(0, 20)
        world.wait(AWAKE * 2)
    assert world.looks < 200 * AWAKE / 1e-6


def test_on_one_core_the_peer_needs_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haste, "enough_cores", lambda: False)
    world.wait(AWAKE / 4, 1000)
    assert world.looks == 0


def test_a_quota_counts_as_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, quota, period = (tmp_path / name for name in ("cpu.max", "quota", "period"))
    monkeypatch.setattr(haste, "_QUOTAS", ((str(new), None), (str(quota), str(period))))
    assert haste._quota() == float("inf")
    quota.write_text("-1\n")
    period.write_text("100000\n")
    assert haste._quota() == float("inf")
    quota.write_text("50000\n")
    assert haste._quota() == 0.5
    new.write_text("max 100000\n")
    assert haste._quota() == 0.5
    new.write_text("300000 100000\n")
    assert haste._quota() == 3
