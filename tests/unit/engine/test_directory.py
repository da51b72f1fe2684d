"""Conversations with the directory, as they are meant."""

from __future__ import annotations

from garrick.engine.carrier import Verdict
from garrick.engine.directory import (
    Announced,
    Answer,
    Asked,
    Closed,
    Count,
    Deaf,
    Directory,
    Effect,
    Interrupted,
    Leaving,
    Objected,
    Opened,
    Present,
    Probe,
    Probed,
    Publish,
    Reply,
    Tick,
)
from garrick.engine.membership import Change, Joined, Left, Lost, Member, Restored, Suspected, Updated


def member(system: str, session: int = 1, load: float = 0.0) -> Member:
    return Member(system, session, {"host": system}, (1,), load)


def announced(system: str, session: int = 1, load: float = 0.0) -> Announced:
    return Announced(system.partition("@")[0], member(system, session, load), "t")


def changes(effects: list[Effect]) -> list[Change]:
    return [change for effect in effects if isinstance(effect, Publish) for change in effect.delta.changes]


def settled(*systems: str, now: float = 10.0) -> Directory:
    """A directory that has been running for a while, with these members connected."""
    directory = Directory("e1", 0.0)
    directory.handle(Tick(), 0.0)
    for number, system in enumerate(systems):
        directory.handle(Opened(f"c{number}", system), 5.0)
        directory.handle(announced(system), 5.0)
    directory.handle(Tick(), now)
    assert directory.settled
    return directory


def answer(effects: list[Effect]) -> Answer:
    [found] = [effect for effect in effects if isinstance(effect, Answer)]
    return found


def test_a_start_is_told_to_everybody_and_counts_the_connections() -> None:
    first, second = Directory("e1", 0.0).handle(Tick(), 0.0)
    assert isinstance(first, Count)
    assert isinstance(second, Publish)
    assert (second.delta.version, second.delta.changes, second.delta.settled) == (0, (), False)


def test_joining() -> None:
    directory = settled()
    directory.handle(Opened("c1", "h1@01"), 10.1)
    effects = directory.handle(announced("h1@01"), 10.1)
    assert effects[0] == Answer("t", True, 1, epoch="e1")
    assert changes(effects) == [Joined(member("h1@01"))]
    assert directory.version == 1


def test_an_announcement_that_overtakes_the_report_of_its_connection() -> None:
    directory = settled()
    directory.handle(announced("h1@01"), 10.0)
    directory.handle(Opened("c1", "h1@01"), 10.1)
    assert changes(directory.handle(Tick(), 20.0)) == []


def test_an_announcement_without_any_connection_is_looked_into() -> None:
    directory = settled()
    directory.handle(announced("h1@01"), 10.0)
    assert Probe("h1", 1.0) in directory.handle(Tick(), 12.0)
    assert changes(directory.handle(Probed("h1", Verdict.NOBODY), 12.1)) == [
        Lost("h1@01", 1, False, "never seen connected")
    ]


def test_changes_within_a_short_time_travel_together_and_the_first_at_once() -> None:
    directory = settled("h1@01", "h2@01")
    assert len(changes(directory.handle(announced("h1@01", load=1.0), 11.0))) == 1
    assert changes(directory.handle(announced("h2@01", load=1.0), 11.01)) == []
    assert changes(directory.handle(announced("h2@01", load=2.0), 11.02)) == []
    assert directory.next_wake() <= 11.06
    assert changes(directory.handle(Tick(), 11.06)) == [Updated(member("h2@01", load=2.0))]


def test_a_killed_member() -> None:
    directory = settled("h1@01")
    effects = directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    assert changes(effects) == [Suspected("h1@01", 1, "Client Closed")]
    assert directory.next_wake() == 12.0
    assert Probe("h1", 1.0) in directory.handle(Tick(), 12.0)
    effects = directory.handle(Probed("h1", Verdict.NOBODY), 12.001)
    assert changes(effects) == [Lost("h1@01", 1, True, "Client Closed")]


def test_a_member_that_was_only_reconnecting() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    effects = directory.handle(Opened("c9", "h1@01"), 11.3)
    assert changes(effects) == [Restored("h1@01", 1)]
    assert changes(directory.handle(Tick(), 20.0)) == []


def test_a_member_whose_return_was_not_reported() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    directory.handle(Tick(), 12.0)
    effects = directory.handle(Probed("h1", Verdict.REACHED, "h1@01"), 12.1)
    assert Count() in effects
    assert changes(directory.handle(Present({"c9": "h1@01"}), 12.2)) == [Restored("h1@01", 1)]


def test_a_hung_member_is_no_certain_death() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=False, why="Stale Connection"), 11.0)
    directory.handle(Tick(), 11.5)
    assert changes(directory.handle(Probed("h1", Verdict.NOBODY), 11.6)) == [
        Lost("h1@01", 1, False, "Stale Connection")
    ]


def test_a_probe_that_nobody_answers_does_not_wait_for_ever() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    directory.handle(Tick(), 12.0)
    assert changes(directory.handle(Tick(), 13.5)) == [Lost("h1@01", 1, False, "Client Closed")]


def test_of_two_connections_one_is_enough() -> None:
    directory = settled("h1@01")
    directory.handle(Opened("c5", "h1@01"), 11.0)
    assert changes(directory.handle(Closed("c0", by_peer=True, why=""), 11.1)) == []


def test_a_lost_session_never_joins_again() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=False, why="Stale Connection"), 11.0)
    directory.handle(Tick(), 11.5)
    directory.handle(Probed("h1", Verdict.NOBODY), 11.6)
    directory.handle(Opened("c1", "h1@01"), 15.0)
    assert answer(directory.handle(announced("h1@01", 1), 15.0)) == Answer(
        "t", False, 2, "this session was declared over", "e1"
    )
    assert answer(directory.handle(announced("h1@01", 2), 15.1)).accepted
    assert directory.members["h1"].session == 2


def test_good_bye_is_told_at_once_and_final() -> None:
    directory = settled("h1@01")
    directory.handle(announced("h1@01", load=1.0), 11.0)
    effects = directory.handle(Leaving("h1", "h1@01", 1, "t"), 11.001)
    assert changes(effects) == [Left("h1@01", 1)]
    assert changes(directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.1)) == []
    assert not answer(directory.handle(announced("h1@01", 1), 11.2)).accepted


def test_a_new_incarnation_replaces_one_that_is_gone() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    directory.handle(Opened("c1", "h1@02"), 11.1)
    effects = directory.handle(announced("h1@02"), 11.1)
    assert changes(effects) == [Lost("h1@01", 1, True, "replaced by h1@02"), Joined(member("h1@02"))]


def test_a_second_system_under_one_name_waits_while_the_first_is_connected() -> None:
    directory = settled("h1@01")
    directory.handle(Opened("c1", "h1@02"), 11.1)
    refusal = answer(directory.handle(announced("h1@02"), 11.1))
    assert (refusal.accepted, refusal.session) == (False, 0)
    assert "h1@01" in refusal.why
    assert directory.members["h1"].system == "h1@01"


def test_nobody_speaks_for_another() -> None:
    directory = settled("h1@01")
    assert not answer(directory.handle(Announced("h2", member("h1@02"), "t"), 11.0)).accepted
    directory.handle(Leaving("h2", "h1@01", 1, "t"), 11.0)
    assert "h1" in directory.members


def test_after_a_restart_of_the_servers_everybody_has_time_to_return() -> None:
    directory = settled("h1@01", "h2@01")
    directory.handle(Deaf(), 20.0)
    assert changes(directory.handle(Tick(), 40.0)) == []  # nobody is judged by the deaf
    assert Count() in directory.handle(Interrupted(), 41.0)
    assert not directory.settled
    directory.handle(Present({"c7": "h1@01"}), 41.5)
    assert Probe("h2", 1.0) in directory.handle(Tick(), 43.1)
    assert changes(directory.handle(Probed("h2", Verdict.NOBODY), 43.2)) == [
        Lost("h2@01", 1, False, "did not come back")
    ]
    assert directory.settled
    assert list(directory.members) == ["h1"]


def test_an_answer_to_a_probe_from_before_the_break_counts_for_nothing() -> None:
    directory = settled("h1@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    directory.handle(Tick(), 12.0)
    directory.handle(Deaf(), 12.1)
    assert changes(directory.handle(Probed("h1", Verdict.NOBODY), 12.2)) == []
    directory.handle(Interrupted(), 12.5)
    assert changes(directory.handle(Opened("c1", "h1@01"), 12.6)) == [Restored("h1@01", 1)]


def test_a_report_that_got_lost_is_made_up_for_by_the_count() -> None:
    directory = settled("h1@01")
    assert Count() in directory.handle(Tick(), 40.0)
    assert changes(directory.handle(Present({}), 40.1)) == [Suspected("h1@01", 1, "its connection is gone")]


def test_what_an_earlier_directory_declared_lost_is_lost() -> None:
    directory = settled("h1@01")
    assert changes(directory.handle(Objected("h1@01", 1), 11.0)) == [
        Lost("h1@01", 1, False, "was declared lost before")
    ]
    assert "h1" not in directory.members
    assert answer(directory.handle(announced("h1@01", 1), 11.2)).session == 2


def test_a_snapshot_holds_what_the_deltas_told() -> None:
    directory = settled("h1@01", "h2@01")
    directory.handle(Closed("c0", by_peer=True, why="Client Closed"), 11.0)
    directory.handle(announced("h2@01", load=3.0), 11.01)
    assert directory.handle(Asked("t"), 11.02) == []  # what is still unpublished is published first
    effects = directory.handle(Tick(), 11.06)
    assert changes(effects) == [Updated(member("h2@01", load=3.0))]
    [reply] = [effect for effect in effects if isinstance(effect, Reply)]
    assert reply.snapshot.version == directory.version
    assert {m.system for m in reply.snapshot.members} == {"h1@01", "h2@01"}
    assert reply.snapshot.suspected == (("h1@01", "Client Closed"),)


def test_who_asks_while_nothing_changes_is_answered_at_once() -> None:
    directory = settled("h1@01")
    assert Reply("t", directory.snapshot()) in directory.handle(Asked("t"), 11.0)


def test_many_who_ask_during_a_storm_get_one_snapshot() -> None:
    directory = settled()
    directory.handle(announced("h0@01"), 11.0)
    replies: list[Reply] = []
    for number in range(1, 40):
        directory.handle(announced(f"h{number}@01"), 11.0 + number / 1000)
        replies += [e for e in directory.handle(Asked(number), 11.0 + number / 1000) if isinstance(e, Reply)]
    assert replies == []
    replies = [e for e in directory.handle(Tick(), 11.1) if isinstance(e, Reply)]
    assert [reply.token for reply in replies] == list(range(1, 40))
    assert len({id(reply.snapshot) for reply in replies}) == 1
    assert len(replies[0].snapshot.members) == 40


def test_a_beat_repeats_the_version() -> None:
    directory = settled("h1@01")
    version = directory.version
    beats = [e for n in range(10) for e in directory.handle(Tick(), 12.0 + n) if isinstance(e, Publish)]
    assert 4 <= len(beats) <= 6
    assert {beat.delta.version for beat in beats} == {version}


def test_waking_always_moves_forward() -> None:
    directory = settled("h1@01")
    now = 11.0
    directory.handle(Closed("c0", by_peer=True, why="x"), now)
    directory.handle(announced("h1@01", load=1.0), now)
    for _ in range(200):
        wake = directory.next_wake()
        assert wake > now or directory.handle(Tick(), now) != []
        now = max(now, wake)
        directory.handle(Tick(), now)
