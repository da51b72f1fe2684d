"""The policies of supervision: pure data and arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick.errors import BadActorClass, InvalidArgument
from garrick.runtime.lifecycle import check_spec
from garrick.runtime.signals import Spec
from garrick.supervision import (
    Backoff,
    Escalate,
    Intensity,
    Policy,
    Restart,
    Resume,
    Stop,
    Supervision,
    choose,
    in_group,
    outliving,
)
from tests.conformance.actors import Echo


def test_the_delay_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first=0.1, factor=2.0, limit=1.0, jitter=0.0)
    assert [backoff.delay(n, 0.5) for n in range(1, 7)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_jitter_stays_within_its_share(attempt: int, random: float, jitter: float) -> None:
    plain = Backoff(jitter=0.0).delay(attempt, 0.0)
    delay = Backoff(jitter=jitter).delay(attempt, random)
    assert plain * (1 - jitter) - 1e-9 <= delay <= plain * (1 + jitter) + 1e-9
    assert delay >= 0


@given(st.integers(1, 100_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(0, 100), st.floats(1, 50))
def test_no_delay_is_longer_than_the_limit(
    attempt: int, random: float, jitter: float, first: float, factor: float
) -> None:
    delay = Backoff(first=first, factor=factor, limit=7.0, jitter=jitter).delay(attempt, random)
    assert 0 <= delay <= 7.0
    assert delay > 0 or first < 1e-300 or jitter == 1.0


def test_at_the_limit_jitter_still_spreads() -> None:
    backoff = Backoff(first=1.0, limit=1.0, jitter=0.5)
    assert [backoff.delay(1, random) for random in (0.0, 0.5, 0.9)] == pytest.approx([0.5, 0.75, 0.95])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Backoff(first=-1),
        lambda: Backoff(first="soon"),  # type: ignore[arg-type]
        lambda: Backoff(factor=0.5),
        lambda: Backoff(limit=float("nan")),
        lambda: Backoff(jitter=1.5),
        lambda: Backoff(jitter=True),
        lambda: Restart(max=-1),
        lambda: Restart(max=1.5),  # type: ignore[arg-type]
        lambda: Restart(within=None),  # type: ignore[arg-type]
        lambda: Restart(backoff=1.0),  # type: ignore[arg-type]
    ],
)
def test_numbers_that_make_no_sense_are_refused_where_they_are_written(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make()
    assert caught.value.hint


def test_windows_of_different_policies_do_not_forget_for_one_another() -> None:
    recent, long, short = Intensity(), Restart(max=2, within=100), Restart(max=2, within=1)
    assert [recent.allow(long, 0), recent.allow(short, 10), recent.allow(long, 20)] == [1, 1, 0]


def test_the_nearest_class_chooses() -> None:
    policies: Supervision = {Exception: Stop(), LookupError: Resume(), KeyError: Escalate()}
    default = Restart()
    for error, policy in (
        (KeyError(), Escalate()),
        (IndexError(), Resume()),
        (OSError(), Stop()),
        (KeyboardInterrupt(), default),
    ):
        assert choose(policies, error, default) == policy
    assert choose(None, KeyError(), default) is default
    assert choose(Stop(), KeyError(), default) == Stop()


def test_a_mapping_of_policies_is_copied() -> None:
    policies: dict[type[BaseException], Policy] = {ValueError: Stop()}
    spec = Spec(Echo, supervision=policies)
    check_spec(spec)
    policies[ValueError] = Resume()
    assert spec.supervision == {ValueError: Stop()}


def test_what_of_a_mapping_counts_for_the_whole_actor() -> None:
    keeping, grouped = Restart(on_loss=True), Restart(all_for_one=True)
    assert outliving({ValueError: Stop(), OSError: keeping}) == keeping
    assert outliving({ValueError: Stop()}) is None
    assert (in_group({ValueError: Stop(), OSError: grouped}), in_group({OSError: keeping})) == (True, False)


def test_so_many_restarts_are_allowed_in_the_window() -> None:
    restarts, policy = Intensity(), Restart(max=3, within=60)
    assert [restarts.allow(policy, now) for now in (0, 1, 2, 3, 59)] == [1, 2, 3, 0, 0]
    assert restarts.allow(policy, 60) == 3, "the first one is forgotten; two are still counted"
    assert restarts.allow(policy, 1000) == 1


def test_none_is_allowed_when_max_is_zero() -> None:
    assert Intensity().allow(Restart(max=0), 5.0) == 0


@given(st.lists(st.floats(0, 30), max_size=40), st.integers(0, 5), st.floats(1, 60))
def test_never_more_than_max_within_any_window(gaps: list[float], limit: int, within: float) -> None:
    restarts, policy, now = Intensity(), Restart(max=limit, within=within), 0.0
    granted: list[float] = []
    for gap in gaps:
        now += gap
        number = restarts.allow(policy, now)
        if number:
            granted.append(now)
            assert number == len([t for t in granted if now - t < within]) <= limit
    for time in granted:
        assert len([t for t in granted if 0 <= t - time < within]) <= max(limit, 0)


@pytest.mark.parametrize(
    "supervision", [None, Restart(), Resume(), Stop(), Escalate(), Restart(backoff=None), {OSError: Stop()}, {}]
)
def test_policies_are_accepted(supervision: object) -> None:
    check_spec(Spec(Echo, supervision=supervision))


@pytest.mark.parametrize(
    "spec",
    [
        Spec(Echo, supervision=Restart),
        Spec(Echo, supervision="restart"),
        Spec(Echo, name=""),
        Spec(Echo, name=17),  # type: ignore[arg-type]
        Spec(Echo, isolation="cell"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_at_the_spawn(spec: Spec) -> None:
    with pytest.raises(InvalidArgument):
        check_spec(spec)


@pytest.mark.parametrize("actor_class", [None, 17, object, "Echo", ".", "", Echo.receive])
def test_no_actor_class(actor_class: object) -> None:
    with pytest.raises(BadActorClass):
        check_spec(Spec(actor_class))
