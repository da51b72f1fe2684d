"""What the runtime learns about actor classes: the rules, without threads."""

from __future__ import annotations

from garrick.runtime.classes import (
    CPU,
    FAST_IN_A_ROW,
    FAST_SECONDS,
    INLINE,
    LONG_SECONDS,
    LONG_TIMES,
    POOL,
    ClassProfile,
)


def test_a_class_begins_inline() -> None:
    assert ClassProfile().mode == INLINE


def test_a_class_whose_handler_waited_goes_to_the_pool() -> None:
    profile = ClassProfile()
    assert profile.detached(wall=0.1, cpu=0.0001)
    assert profile.mode == POOL
    assert not profile.detached(wall=0.1, cpu=0.0001), "it is there already"


def test_a_class_whose_handler_burned_stays_inline_until_that_is_a_habit() -> None:
    profile = ClassProfile()
    for _ in range(LONG_TIMES - 1):
        assert not profile.detached(wall=LONG_SECONDS, cpu=LONG_SECONDS)
    assert profile.mode == INLINE
    assert profile.detached(wall=LONG_SECONDS, cpu=LONG_SECONDS)
    assert profile.mode == CPU


def test_short_burners_never_leave() -> None:
    profile = ClassProfile()
    for _ in range(100):
        assert not profile.detached(wall=LONG_SECONDS / 2, cpu=LONG_SECONDS / 2)
    assert profile.mode == INLINE


def test_a_class_that_is_fast_again_comes_back() -> None:
    profile = ClassProfile()
    profile.detached(wall=0.1, cpu=0.0)
    for _ in range(FAST_IN_A_ROW - 1):
        assert not profile.ran(FAST_SECONDS / 2)
    assert profile.ran(FAST_SECONDS / 2)
    assert profile.mode == INLINE


def test_one_slow_handler_begins_the_count_anew() -> None:
    profile = ClassProfile()
    profile.detached(wall=0.1, cpu=0.0)
    for _ in range(FAST_IN_A_ROW - 1):
        profile.ran(FAST_SECONDS / 2)
    assert not profile.ran(FAST_SECONDS * 2)
    for _ in range(FAST_IN_A_ROW - 1):
        assert not profile.ran(FAST_SECONDS / 2)
    assert profile.mode == POOL


def test_who_comes_back_begins_without_a_record() -> None:
    profile = ClassProfile()
    for _ in range(LONG_TIMES):
        profile.detached(wall=LONG_SECONDS, cpu=LONG_SECONDS)
    for _ in range(FAST_IN_A_ROW):
        profile.ran(0.0)
    assert profile.mode == INLINE
    assert not profile.detached(wall=LONG_SECONDS, cpu=LONG_SECONDS)
