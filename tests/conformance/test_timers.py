"""Timers send messages to the actor that made them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from garrick import ActorSystem
from garrick.inbox import Inbox
from tests.conformance.actors import Clockwork


def test_after_sends_once_when_the_time_has_passed(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("after", 0.05, "one"))
    system.send(actor, ("after", 0.1, "two"))
    what, when, from_itself = inbox.receive(10)
    assert (what, from_itself) == ("one", True)
    assert when > 0.0499
    assert inbox.receive(10)[0] == "two"
    assert system.ask(actor, 0.0) == 2


def test_timers_fire_in_the_order_of_their_times(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    for delay in (0.09, 0.03, 0.06):
        system.send(actor, ("after", delay, f"{delay}"))
    assert [inbox.receive(10)[0] for _ in range(3)] == ["0.03", "0.06", "0.09"]


def test_a_delay_of_zero_comes_behind_what_waits(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("after", 0, "now"))
    assert inbox.receive(10)[0] == "now"


def test_every_repeats_until_cancelled(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("every", 0.02, "tick"))
    times = [inbox.receive(10)[1] for _ in range(4)]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert times[3] > 0.0799
    system.send(actor, None)
    ticks = system.ask(actor, 0.0)
    system.send(actor, ("after", 0.1, "later"))
    rest: list[str] = []
    while not rest or rest[-1] != "later":
        rest.append(inbox.receive(10)[0])
    assert len(rest) - 1 == ticks - 4, "no tick after the cancellation"


def test_a_cancelled_timer_never_fires(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("after", 0.03, "never"))
    system.send(actor, None)
    system.send(actor, ("after", 0.1, "later"))
    assert inbox.receive(10)[0] == "later"


def test_a_timer_cancelled_while_its_message_waits_does_not_reach_the_handler(
    system: ActorSystem, inbox: Inbox
) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("after", 0.01, "never"))
    system.send(actor, 0.1)  # busy: the timer fires meanwhile
    system.send(actor, None)  # comes before the timer's message, which takes its place behind
    system.send(actor, ("after", 0.1, "later"))
    assert inbox.receive(10)[0] == "later"


@pytest.mark.first_come("what different senders send is compared in one order")
def test_every_skips_while_the_last_tick_has_not_been_handled(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("every", 0.01, "tick"))
    inbox.receive(10)
    system.send(actor, b"begin")
    told = inbox.receive(10)
    while told[0] != "waited":
        told = inbox.receive(10)
    assert told[1] <= 1  # none at all where timers fire only between handlers


def test_the_end_cancels_all_timers(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    actor = system.spawn(Clockwork, inbox.address)
    other = system.spawn(Clockwork, inbox.address)
    system.send(actor, ("after", 0.03, "never"))
    system.send(actor, ("every", 0.03, "never"))
    system.stop_actor(actor)
    system.send(other, ("after", 0.1, "later"))
    assert inbox.receive(10)[0] == "later"
    system.send(actor, "probe")
    assert letters.receive(10).message == "probe", "no timer of the ended actor has become a dead letter"


def test_impossible_times_are_refused(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Clockwork, inbox.address)
    assert system.ask(actor, 1) == "InvalidArgument"
