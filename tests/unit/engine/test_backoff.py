from __future__ import annotations

from collections import Counter

from garrick.engine.backoff import Backoff


def test_waits_grow_to_the_limit_and_begin_anew() -> None:
    backoff = Backoff("h1@01", 0.1, 1.0)
    for limit in [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]:
        assert limit / 2 <= backoff.next() <= limit
    backoff.reset()
    assert backoff.next() <= 0.1


def test_the_same_key_waits_the_same_and_others_do_not() -> None:
    one, again, other = Backoff("h1@01", 1, 1), Backoff("h1@01", 1, 1), Backoff("h2@01", 1, 1)
    waits = [one.next() for _ in range(5)]
    assert waits == [again.next() for _ in range(5)]
    assert waits != [other.next() for _ in range(5)]


def test_five_thousand_do_not_come_at_once() -> None:
    tenths = Counter(int(Backoff(f"h{n}@01", 1.0, 1.0).next() * 20) for n in range(5000))
    assert sorted(tenths) == list(range(10, 20))  # from a half to the whole, in twentieths
    assert max(tenths.values()) < 2 * min(tenths.values())
