"""Pools, topics and singletons: actors of the library, over every base."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, InvalidArgument, SpawnFailed
from garrick.inbox import Inbox
from garrick.pool import Pool, Resize
from garrick.singleton import Singleton
from garrick.template import Template
from garrick.topic import Join, Leave, Topic
from tests.conformance.pool_actors import Hears, Member, first_of


def whose(inbox: Inbox, count: int) -> list[Any]:
    return [inbox.receive(10) for _ in range(count)]


@pytest.mark.parametrize("routing", ["round-robin", "least-loaded"])
def test_every_message_is_handled_once_and_all_members_work(system: ActorSystem, routing: str) -> None:
    with system.inbox() as inbox:
        pool = system.spawn(Pool, Member, size=3, routing=routing, notes=inbox.address)
        for number in range(60):
            system.send(pool, number)
        heard = whose(inbox, 60)
        assert sorted(number for _, number in heard) == list(range(60))
        assert len({member for member, _ in heard}) == 3
        if routing == "round-robin":
            assert set(Counter(member for member, _ in heard).values()) == {20}


def test_the_arguments_reach_the_members_and_the_answers_the_asker(system: ActorSystem) -> None:
    pool = system.spawn(Pool, Member, "good day", size=2)
    assert system.ask(pool, "greet", timeout=10) == "good day"
    with pytest.raises((SpawnFailed, InvalidArgument), match="no routing"):
        system.spawn(Pool, Member, routing="best")
    with pytest.raises((SpawnFailed, InvalidArgument), match="0 members"):
        system.spawn(Pool, Member, size=0)


def test_a_key_stays_with_its_member_also_when_the_pool_grows(system: ActorSystem) -> None:
    pool = system.spawn(Pool, Member, size=4, routing="hash", key=first_of)
    keys = [f"customer-{number}" for number in range(40)]

    def owners() -> dict[str, Any]:
        return {key: system.ask(pool, ("key", key), timeout=10)[0] for key in keys}

    before = owners()
    assert len(set(before.values())) == 4
    assert owners() == before
    system.ask(pool, Resize(5), timeout=10)
    after = owners()
    moved = [key for key in keys if after[key] != before[key]]
    assert len({after[key] for key in moved}) == 1  # to the new one alone
    assert len(moved) < 20
    system.ask(pool, Resize(4), timeout=10)
    assert owners() == before


def test_broadcast_reaches_all(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        pool = system.spawn(Pool, Member, size=3, routing="broadcast", notes=inbox.address)
        for number in (1, 2):
            system.send(pool, number)
        heard = whose(inbox, 6)
        assert sorted(number for _, number in heard) == [1, 1, 1, 2, 2, 2]
        assert len({member for member, _ in heard}) == 3


@pytest.mark.parametrize("routing", ["round-robin", "least-loaded"])
def test_what_an_ended_member_had_not_started_goes_to_others(system: ActorSystem, routing: str) -> None:
    with system.inbox() as inbox:
        pool = system.spawn(Pool, Member, size=2, routing=routing, notes=inbox.address)
        for number in range(30):
            system.send(pool, "stop" if number % 10 == 5 else number)
        heard = whose(inbox, 27)
        assert sorted(number for _, number in heard) == [n for n in range(30) if n % 10 != 5]
        assert len({member for member, _ in heard}) > 2


def test_a_pool_that_ends_says_what_it_had_not_given_to_anybody(system: ActorSystem) -> None:
    letters = system.dead_letters()
    pool = system.spawn(Pool, "no.such.module.Member", size=1)
    for number in range(3):
        system.send(pool, number)
    system.stop_actor(pool)
    assert sorted(letters.receive(10).message for _ in range(3)) == [0, 1, 2]


@pytest.mark.over("multiprocess")
@pytest.mark.alone("kills workers")
def test_a_killed_member_loses_only_what_it_was_handling(system: ActorSystem) -> None:
    letters = system.dead_letters()
    with system.inbox() as inbox:
        pool = system.spawn(
            Pool, Template(Member, isolation="process", notes=inbox.address), size=2, routing="round-robin"
        )
        system.ask(pool, "greet", timeout=20)
        for number in range(20):
            system.send(pool, "die" if number == 7 else number)
        heard = whose(inbox, 19)
        assert sorted(number for _, number in heard) == [n for n in range(20) if n != 7]
        letter = letters.receive(10)
        assert (letter.message, letter.reason) == ("die", "worker lost")
        with pytest.raises(ActorGone) as caught:
            system.ask(pool, "die", timeout=20)
        assert caught.value.outcome_unknown


@pytest.mark.over("multiprocess")
def test_a_pool_over_all_processes(start: Any) -> None:
    system = start(workers=2)
    pool = system.spawn(Pool, Member, size=4, routing="round-robin", spread=True)
    members = [system.ask(pool, "who?", timeout=10) for _ in range(4)]
    assert Counter(member.process for member in members) == {1: 2, 2: 2}


def test_a_topic_reaches_who_has_joined(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        topic = system.spawn(Topic)
        first, second = (system.spawn(Hears, topic, inbox.address, Join()) for _ in range(2))
        while system.ask(topic, Join(inbox.address)) < 3:
            pass  # theirs come by ways of their own
        system.send(topic, "news")
        heard = [inbox.receive(10) for _ in range(3)]
        assert Counter(heard) == Counter([(first, "news"), (second, "news"), "news"])
        assert system.ask(topic, Leave(inbox.address)) == 2
        system.stop_actor(first)
        while system.ask(topic, Leave(inbox.address)) > 1:
            pass
        system.send(topic, "more")
        assert inbox.receive(10) == (second, "more")


def answer(system: ActorSystem, singleton: Any) -> Any:
    """Who holds the name, as one singleton has heard; None: what it was handed died with the former holder."""
    try:
        return system.ask(singleton, "who?", timeout=20)
    except ActorGone:
        return None


@pytest.mark.over("local", "sim", "multiprocess", "sim-convention")
def test_a_singleton_takes_over(system: ActorSystem) -> None:
    first, second = (system.spawn(Singleton, "only", Member, retry=0.05) for _ in range(2))
    holder = system.ask(first, "who?", timeout=20)
    assert system.ask(second, "who?", timeout=20) == holder
    assert system.lookup("only", everywhere=True) == holder
    system.send(second, "stop")
    heir = None
    while heir in (None, holder):
        heir = answer(system, first)
    while answer(system, second) != heir:
        pass
