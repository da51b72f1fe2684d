"""Conversations of a member with the feed, as they are meant."""

from __future__ import annotations

from garrick.engine.follower import (
    Announce,
    Answered,
    AskSnapshot,
    Connected,
    Disconnected,
    Effect,
    Follower,
    GoodBye,
    Leave,
    Object,
    Offer,
    Shunned,
    Tell,
    Tick,
    Unanswered,
)
from garrick.engine.membership import (
    Change,
    Delta,
    Joined,
    Left,
    Lost,
    Member,
    Restored,
    Snapshot,
    Suspected,
    Updated,
)


def member(system: str, session: int = 1, load: float = 0.0) -> Member:
    return Member(system, session, {}, (), load)


ME = member("me@01")


def told(effects: list[Effect]) -> list[Change]:
    return [change for effect in effects if isinstance(effect, Tell) for change in effect.delta.changes]


def announcements(effects: list[Effect]) -> list[Member]:
    return [effect.member for effect in effects if isinstance(effect, Announce)]


def joined(*others: str, epoch: str = "e1", version: int = 5) -> Follower:
    follower = Follower("me@01")
    follower.handle(Connected(), 0.0)
    follower.handle(Answered(True, 1), 0.1)
    everybody = (ME, *(member(other) for other in others))
    follower.handle(Snapshot(epoch, version, True, everybody), 0.2)
    assert follower.joined
    return follower


def test_joining() -> None:
    follower = Follower("me@01")
    offer = Offer({"zone": "z1"}, (1, 2), 0.5)
    assert follower.handle(offer, 0.0) == []
    effects = follower.handle(Connected(), 0.1)
    assert effects == [AskSnapshot(), Announce(Member("me@01", 1, {"zone": "z1"}, (1, 2), 0.5))]
    follower.handle(Answered(True, 1), 0.2)
    effects = follower.handle(Snapshot("e1", 7, True, (ME, member("h1@01"))), 0.3)
    assert told(effects) == [Joined(ME), Joined(member("h1@01"))]
    assert follower.next_wake() is None


def test_deltas_in_order() -> None:
    follower = joined("h1@01")
    effects = follower.handle(Delta("e1", 6, (Joined(member("h2@01")), Updated(member("h1@01", load=2.0)))), 1.0)
    assert told(effects) == [Joined(member("h2@01")), Updated(member("h1@01", load=2.0))]
    effects = follower.handle(Delta("e1", 7, (Suspected("h2@01", 1, "x"),)), 1.1)
    assert told(effects) == [Suspected("h2@01", 1, "x")]
    assert told(follower.handle(Delta("e1", 8, (Restored("h2@01", 1),)), 1.2)) == [Restored("h2@01", 1)]
    assert told(follower.handle(Delta("e1", 9, (Left("h2@01", 1),)), 1.3)) == [Left("h2@01", 1)]
    assert set(follower.members) == {"me", "h1"}


def test_repeated_and_old_deltas_say_nothing() -> None:
    follower = joined("h1@01")
    delta = Delta("e1", 6, (Lost("h1@01", 1, True, "x"),))
    assert told(follower.handle(delta, 1.0)) != []
    assert follower.handle(delta, 1.1) == []
    assert follower.handle(Delta("e1", 3, (Joined(member("h9@01")),)), 1.2) == []


def test_a_gap_is_closed_by_a_snapshot_and_what_came_meanwhile() -> None:
    follower = joined("h1@01")
    assert follower.handle(Delta("e1", 8, (Joined(member("h3@01")),)), 1.0) == [AskSnapshot()]
    assert follower.handle(Delta("e1", 9, (Joined(member("h4@01")),)), 1.1) == []
    effects = follower.handle(Snapshot("e1", 8, True, (ME, member("h2@01"), member("h3@01"))), 1.2)
    assert told(effects) == [
        Lost("h1@01", 1, False, "not in the list any more"),
        Joined(member("h2@01")),
        Joined(member("h3@01")),
        Joined(member("h4@01")),
    ]
    assert follower.version == 9


def test_a_beat_shows_that_the_last_delta_got_lost() -> None:
    follower = joined()
    assert follower.handle(Delta("e1", 5, ()), 1.0) == []
    assert follower.handle(Delta("e1", 6, ()), 2.0) == [AskSnapshot()]  # a beat repeats a version that had changes


def test_a_snapshot_that_deltas_have_overtaken_is_asked_for_again() -> None:
    follower = joined("h1@01")
    follower.handle(Disconnected(), 1.0)
    follower.handle(Connected(), 1.5)
    follower.handle(Delta("e1", 6, (Joined(member("h2@01")),)), 1.6)
    assert AskSnapshot() in follower.handle(Snapshot("e1", 5, True, (ME, member("h1@01"))), 1.7)
    assert "h2" in follower.members


def test_no_answer_is_tried_again_ever_more_slowly() -> None:
    follower = Follower("me@01")
    follower.handle(Connected(), 0.0)
    now, waits = 0.0, []
    for _ in range(6):
        assert not announcements(follower.handle(Unanswered("announce"), now))
        wake = follower.next_wake()
        assert wake is not None
        waits.append(wake - now)
        now = wake
        assert announcements(follower.handle(Tick(), now))
    longest = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, longest, strict=True))


def test_declared_lost_while_away() -> None:
    follower = joined("h1@01")
    follower.handle(Disconnected(), 1.0)
    follower.handle(Connected(), 9.0)
    effects = follower.handle(Answered(False, 2, "declared over"), 9.1)
    assert told(effects) == [Lost("me@01", 1, False, "declared over")]
    assert announcements(effects) == [member("me@01", 2)]
    follower.handle(Answered(True, 2), 9.2)
    effects = follower.handle(Snapshot("e1", 9, True, (member("me@01", 2), member("h1@01"))), 9.3)
    assert told(effects) == [Joined(member("me@01", 2))]


def test_declared_lost_and_hearing_of_it_first() -> None:
    follower = joined("h1@01")
    effects = follower.handle(Delta("e1", 6, (Lost("me@01", 1, False, "x"),)), 1.0)
    assert told(effects) == [Lost("me@01", 1, False, "x")]
    assert announcements(effects) == [member("me@01", 2)]


def test_a_name_in_use_is_reported_after_a_while_and_tried_on() -> None:
    follower = Follower("me@01")
    follower.handle(Connected(), 0.0)
    now, shunned = 0.0, 0
    while now < 11.0:
        shunned += Shunned("busy") in follower.handle(Answered(False, 0, "busy"), now)
        wake = follower.next_wake()
        assert wake is not None
        now = wake
        follower.handle(Tick(), now)
    assert shunned == 2
    follower.handle(Answered(True, 1), now)
    assert follower.joined


def test_an_ended_session_is_not_let_in_again() -> None:
    follower = joined("h1@01")
    follower.handle(Delta("e1", 6, (Lost("h1@01", 1, False, "x"),)), 1.0)
    effects = follower.handle(Delta("e1", 7, (Joined(member("h1@01")),)), 2.0)
    assert effects == [Object("h1@01", 1)]
    assert "h1" not in follower.members
    assert told(follower.handle(Delta("e1", 8, (Joined(member("h1@01", 2)),)), 3.0)) == [Joined(member("h1@01", 2))]


def test_a_new_directory_is_told_of_us_and_condemns_nobody_before_it_has_settled() -> None:
    follower = joined("h1@01", "h2@01")
    effects = follower.handle(Delta("e2", 0, (), settled=False), 10.0)
    assert effects == [AskSnapshot(), Announce(ME)]
    assert told(follower.handle(Snapshot("e2", 0, False, ()), 10.1)) == []
    assert told(follower.handle(Delta("e2", 1, (Joined(ME), Joined(member("h1@01"))), settled=False), 10.2)) == []
    assert told(follower.handle(Delta("e2", 1, (), settled=True), 13.0)) == [
        Lost("h2@01", 1, False, "did not come back")
    ]
    assert set(follower.members) == {"me", "h1"}


def test_a_new_directory_while_an_announcement_is_under_way() -> None:
    follower = joined()
    follower.handle(Offer({"x": 1}, (), 0.0), 9.0)
    follower.handle(Delta("e2", 0, (), settled=False), 10.0)
    effects = follower.handle(Answered(True, 1), 10.1)  # it may have been the old one's answer
    assert len(announcements(effects)) == 1


def test_cut_off_from_everybody() -> None:
    follower = joined("h1@01")
    follower.handle(Disconnected(), 1.0)
    assert follower.next_wake() == 3.0
    why = "this system is cut off from the convention"
    assert told(follower.handle(Tick(), 3.0)) == [Suspected("me@01", 1, why), Suspected("h1@01", 1, why)]
    follower.handle(Connected(), 5.0)
    follower.handle(Answered(True, 1), 5.1)
    assert told(follower.handle(Snapshot("e1", 5, True, (ME, member("h1@01"))), 5.2)) == [
        Restored("me@01", 1),
        Restored("h1@01", 1),
    ]


def test_capabilities_are_published_at_once_and_load_now_and_then() -> None:
    follower = joined()
    assert follower.handle(Offer({}, (), 1.0), 0.5) == []
    assert len(announcements(follower.handle(Offer({"db": True}, (), 1.0), 0.6))) == 1
    follower.handle(Answered(True, 1), 0.7)
    assert follower.handle(Offer({"db": True}, (), 2.0), 0.8) == []
    assert follower.next_wake() == 2.6
    assert announcements(follower.handle(Tick(), 2.6)) == [Member("me@01", 1, {"db": True}, (), 2.0)]


def test_an_update_that_nobody_answered_is_repeated() -> None:
    follower = joined()
    follower.handle(Offer({"db": True}, (), 1.0), 0.5)
    follower.handle(Unanswered("announce"), 1.5)
    wake = follower.next_wake()
    assert wake is not None
    assert 1.5 < wake <= 1.6
    assert announcements(follower.handle(Tick(), 1.6)) == [Member("me@01", 1, {"db": True}, (), 1.0)]
    follower.handle(Answered(True, 1), 1.7)
    assert follower.next_wake() is None


def test_leaving() -> None:
    follower = joined("h1@01")
    assert follower.handle(Leave(), 1.0) == [GoodBye("me@01", 1)]
    effects = follower.handle(Delta("e1", 6, (Left("me@01", 1),)), 1.1)
    assert told(effects) == [Left("me@01", 1)]
    assert announcements(effects) == []


def test_another_incarnation_in_the_snapshot() -> None:
    follower = joined("h1@01")
    follower.handle(Connected(), 1.0)
    effects = follower.handle(Snapshot("e1", 9, True, (ME, member("h1@02"))), 1.1)
    assert told(effects) == [Lost("h1@01", 1, True, "replaced by h1@02"), Joined(member("h1@02"))]
