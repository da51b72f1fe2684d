"""The policies of supervision: pure data and arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick.errors import BadActorClass, InvalidArgument
from garrick.runtime.lifecycle import check_spec
from garrick.runtime.signals import Spec
from garrick.supervision import Backoff, Intensity, Restart, Resume, Stop
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


@pytest.mark.parametrize("supervision", [None, Restart(), Resume(), Stop(), Restart(backoff=None)])
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
