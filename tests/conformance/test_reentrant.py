"""``reentrant=True``: async handlers interleave, everything else stays one at a time."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    AskDeadlock,
    AskTimeout,
    Bounded,
    HandlerFailed,
    Inbox,
    Poisoned,
    Restart,
    Stop,
    Terminated,
)
from tests.conformance.actors import Get
from tests.conformance.reentrant_actors import (
    Blocker,
    Blocking,
    ByReceive,
    Fail,
    Inherits,
    Interleaved,
    LastWords,
    Later,
    Nap,
    NotAnyMore,
    Quit,
    Relay,
    Ring,
)


def asked(system: ActorSystem, target: Any, *messages: Any) -> list[Any]:
    """Ask all at once, without waiting."""
    return [system._runtime.ask(target, message, 20) for message in messages]


@pytest.mark.parametrize("isolation", ["shared", "thread"])
def test_a_message_begins_while_a_handler_awaits(system: ActorSystem, isolation: str) -> None:
    actor = system.spawn(Interleaved, isolation=isolation)
    asks = asked(system, actor, *(Later(number) for number in range(5)))
    system.send(actor, "release")
    assert [reply.result() for reply in asks] == [("later", number) for number in range(5)]


def test_an_ask_that_times_out_says_that_its_handler_is_under_way(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    with pytest.raises(AskTimeout, match="handling the question"):
        system.ask(actor, Later("never"), timeout=0.3)
    assert system.ask(actor, Nap(0.0, "still there")) == "still there"
    assert system.ask(actor, "release") is None


@pytest.mark.over("multiprocess")
def test_in_a_process_of_its_own(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved, isolation="process")
    messages = [Blocking(0.01, n) if n % 2 else Nap(0.02, n) for n in range(10)]
    assert [reply.result() for reply in asked(system, actor, *messages)] == list(range(10))
    assert system.ask(actor, Get("parallel")) is False
    system.stop_actor(actor)


def test_handlers_begin_in_the_order_of_arrival(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    messages = [Blocking(0.0, n) if n % 3 == 2 else Nap(0.02, n) for n in range(30)]
    answers = [reply.result() for reply in asked(system, actor, *messages)]
    assert answers == list(range(30)), "each got its own answer"
    events = system.ask(actor, Get())
    assert [label for what, label in events if what == "begin"] == list(range(30))
    for n in range(2, 30, 3):
        assert events.index(("end", n)) == events.index(("begin", n)) + 1, "a synchronous handler is not interrupted"


def test_never_two_threads_at_once(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    messages = [Blocking(0.01, n) if n % 2 else Nap(0.02, n) for n in range(20)]
    for reply in asked(system, actor, *messages):
        reply.result()
    assert system.ask(actor, Get("parallel")) is False


def test_a_stream_of_synchronous_messages_does_not_starve_the_others(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    naps = asked(system, actor, *(Nap(0.004, ("nap", n)) for n in range(50)))
    stream = asked(system, actor, *(Blocking(0.001, n) for n in range(300)))
    for reply in (*naps, *stream):
        reply.result()
    ends = [label for what, label in system.ask(actor, Get()) if what == "end"]
    assert max(ends.index(("nap", n)) for n in range(50)) < ends.index(299)


def test_a_cycle_of_awaited_asks_is_no_deadlock(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    relay = system.spawn(Relay)
    assert system.ask(actor, Ring(relay, 1)) == [1, "bottom"]
    assert system.ask(actor, Ring(actor, 3)) == [3, 2, 1, "bottom"], "even with itself"
    other = system.spawn(Interleaved)
    assert system.ask(actor, Ring(other, 8)) == [8, 7, 6, 5, 4, 3, 2, 1, "bottom"]


def test_one_that_blocks_is_still_a_deadlock(system: ActorSystem) -> None:
    first, second = system.spawn(Blocker), system.spawn(Blocker)
    with pytest.raises(HandlerFailed) as caught:
        system.ask(first, Ring(second))
    assert isinstance(caught.value.error, (AskDeadlock, HandlerFailed))


def test_reply_and_defer_belong_to_their_handler(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    asks = asked(system, actor, b"one", Later("x"), b"two", Nap(0.01, "nap"), b"three")
    system.send(actor, "release")
    assert [reply.result() for reply in asks] == [b"one", ("later", "x"), b"two", "nap", b"three"]


@pytest.mark.parametrize(("actor_class", "most"), [(ByReceive, 6), (Inherits, 6), (NotAnyMore, 1)])
def test_an_overridden_receive_and_subclasses(system: ActorSystem, actor_class: Any, most: int) -> None:
    actor = system.spawn(actor_class)
    answers = [reply.result() for reply in asked(system, actor, *range(6))]
    assert answers == [(n, answers[n][1]) for n in range(6)]
    assert max(count for _, count in answers) == most


def test_the_end_waits_for_all_handlers(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Interleaved, inbox.address)
    asks = asked(system, actor, *(Nap(0.1, n) for n in range(4)))
    system.stop_actor(actor)
    assert [reply.result() for reply in asks] == [0, 1, 2, 3]
    what, events = inbox.receive(10)
    assert what == "stopping"
    assert sorted(events) == sorted([(which, n) for n in range(4) for which in ("begin", "end")])


def test_an_actor_that_stops_itself_in_one_handler_finishes_the_others(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Interleaved, inbox.address)
    (nap,) = asked(system, actor, Nap(0.2, "nap"))
    inbox.send(actor, Quit(0.01))
    assert nap.result() == "nap"
    what, events = inbox.receive(10)
    assert (what, sorted(events)) == ("stopping", [("begin", "nap"), ("end", "nap"), ("end", "quit")])


def test_a_failure_that_the_asker_hears_of_leaves_the_others_alone(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    nap, fail = asked(system, actor, Nap(0.1, "nap"), Fail(0.01))
    with pytest.raises(HandlerFailed, match="failed flight"):
        fail.result()
    assert nap.result() == "nap"


def test_a_restart_cancels_the_other_handlers_first(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Interleaved, inbox.address, supervision=Restart(backoff=None))
    nap, fail = asked(system, actor, Nap(5.0, "nap"), Fail(0.05))
    behind = system._runtime.ask(actor, Blocking(0.0, "next"), 20)
    with pytest.raises(HandlerFailed, match="failed flight"):
        fail.result()
    with pytest.raises(HandlerFailed, match="Cancelled"):
        nap.result()
    what, events = inbox.receive(10)
    assert what == "restarting"
    assert events[-1] == ("cancelled", "nap")
    assert behind.result() == "next"
    assert system.ask(actor, Nap(0.0, "new")) == "new"


def test_a_failure_beside_a_synchronous_handler_waits_for_its_end(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Interleaved, inbox.address, supervision=Restart(backoff=None))
    fail, block = asked(system, actor, Fail(0.02), Blocking(0.2, "block"))
    assert block.result() == "block"
    with pytest.raises(HandlerFailed, match="failed flight"):
        fail.result()
    assert inbox.receive(10) == ("restarting", [("begin", "block"), ("end", "block")])


def test_who_asked_hears_of_its_failure_also_when_another_one_has_ended_the_actor(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved, supervision=Stop())
    for reply in asked(system, actor, Fail(0.0), Fail(0.0), Fail(0.0), Blocking(0.01, "block"))[:3]:
        with pytest.raises((HandlerFailed, ActorGone)):
            reply.result()


def test_a_stop_during_a_restart_is_not_followed_by_the_restart(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(LastWords, inbox.address, supervision=Restart(backoff=None))
    inbox.watch(actor)
    inbox.send(actor, Nap(20.0))
    inbox.send(actor, Fail(0.0))
    got = [inbox.receive(10) for _ in range(4)]
    poisoned = [each for each in got if isinstance(each, Poisoned)]  # which has no order with what the actor says later
    assert len(poisoned) == 1
    got.remove(poisoned[0])
    assert got[:2] == ["stopping", "stopped"]
    assert isinstance(got[2], Terminated)
    assert got[2].reason == "stopped"


def test_stash_of_one_handler_among_others(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved)
    stashed = asked(system, actor, 1, 2)
    assert system.ask(actor, Nap(0.05, "nap")) == "nap"
    system.send(actor, 1.5)
    assert [reply.result() for reply in stashed] == [("again", 1), ("again", 2)]


def test_with_a_bound_only_what_waits_counts(system: ActorSystem) -> None:
    actor = system.spawn(Interleaved, mailbox=Bounded(50))
    asks = asked(system, actor, *(Later(number) for number in range(20)))
    system.send(actor, "release")
    assert [reply.result() for reply in asks] == [("later", number) for number in range(20)]
