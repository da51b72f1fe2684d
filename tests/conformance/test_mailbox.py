"""Bounded mailboxes, the warning about others, stashes and behaviours."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from typing import Any

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    Address,
    Bounded,
    DeadLetter,
    HandlerFailed,
    Inbox,
    InvalidArgument,
    MailboxFull,
    Poisoned,
    Restart,
)
from garrick.runtime.mailbox import HIGH_WATER
from tests.conformance.actors import Gate, Get, Make, Parent
from tests.conformance.mailbox_actors import (
    AsyncDoor,
    AsyncSlow,
    Behaving,
    Block,
    Door,
    Flood,
    Itself,
    Offering,
    Sender,
    Slow,
)

HERE = ("local", "sim", "sequential")
"""Bases with the program and all actors in one process."""
NOW = Restart(max=3, within=60, backoff=None)


def blocked(system: ActorSystem, inbox: Inbox, gate: Gate, actor_class: Any, mailbox: Bounded) -> Address[Any]:
    """An actor that waits at the gate."""
    target = system.spawn(actor_class, mailbox=mailbox)
    inbox.send(target, Block(gate, inbox.address))
    assert inbox.receive(10) == "blocked"
    return target


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor_class", [Slow, AsyncSlow])
def test_what_does_not_fit_is_a_dead_letter(system: ActorSystem, inbox: Inbox, gate: Gate, actor_class: Any) -> None:
    letters = system.dead_letters()
    target = blocked(system, inbox, gate, actor_class, Bounded(3))
    for number in range(5):
        inbox.send(target, number)
    found = [letters.receive(10) for _ in range(2)]
    assert [(letter.message, letter.reason) for letter in found] == [(3, "mailbox full"), (4, "mailbox full")]
    assert found[0].sender == inbox.address
    gate.open()
    assert await_length(system, target, 3) == [0, 1, 2]
    inbox.send(target, 5)
    assert system.ask(target, Get()) == [0, 1, 2, 5], "there is room again"


def await_length(system: ActorSystem, target: Address[Any], length: int) -> list[Any]:
    """What a target has seen, as soon as its full mailbox takes the question."""
    for _ in range(2000):
        try:
            seen: list[Any] = system.ask(target, Get())
        except MailboxFull:
            system._runtime.scheduler.wait(_Never(), system._runtime.clock.now() + 0.005)
            continue
        if len(seen) >= length:
            return seen
    raise AssertionError(f"fewer than {length} arrived")


class _Never:
    done = False
    target = None

    def on_done(self, callback: Any) -> None:
        pass


def test_an_ask_of_a_full_mailbox_fails_with_mailbox_full(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    for bound in (Bounded(1), Bounded(1, overflow="fail")):
        target = blocked(system, inbox, gate, Slow, bound)
        inbox.send(target, "one")
        with pytest.raises(MailboxFull, match="Slow"):
            system.ask(target, Get())
    gate.open()


@pytest.mark.over(*HERE)
def test_a_sender_in_the_same_process_is_told_by_an_exception(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    target = blocked(system, inbox, gate, Slow, Bounded(2, overflow="fail"))
    sender = system.spawn(Sender)
    assert system.ask(sender, Flood(target, 5)) == [2, 3, 4]
    with pytest.raises(MailboxFull):
        inbox.send(target, 1)
    with pytest.raises(MailboxFull):
        system.send(target, 1)
    gate.open()
    assert await_length(system, target, 2) == [0, 1]
    assert system.status()["dead_letters"]["total"] == 0


@pytest.mark.over("multiprocess", "convention", "sim-convention")
def test_a_sender_elsewhere_gets_the_message_back(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    letters = system.dead_letters()
    target = blocked(system, inbox, gate, Slow, Bounded(2, overflow="fail"))
    for number in range(4):
        inbox.send(target, number)
    system.send(target, "nobody's")
    back = [inbox.receive(10) for _ in range(2)]
    assert all(isinstance(notice, Poisoned) and isinstance(notice.error, MailboxFull) for notice in back)
    assert [notice.message for notice in back] == [2, 3]
    letter = letters.receive(10)
    assert (letter.message, letter.reason) == ("nobody's", "mailbox full")
    gate.open()
    assert await_length(system, target, 2) == [0, 1]


def test_the_bound_holds_while_the_actor_is_created_and_keeps_the_order(system: ActorSystem) -> None:
    sender = system.spawn(Sender)
    target = system.spawn(Slow, mailbox=Bounded(10_000), wait=False)
    for number in range(1000):
        system.send(target, number)
    assert system.ask(target, Get()) == list(range(1000))
    assert system.ask(sender, Get()) == []


def test_what_was_sent_is_handled_or_accounted_for(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Slow, mailbox=Bounded(10))
    system.ask(system.spawn(Sender), Flood(target, 3000))
    seen: list[int] = []
    lost: list[int] = []
    for _ in range(100):
        seen = await_length(system, target, 1)  # a question of ours takes room, too
        if len(seen) + len(lost) >= 3000:
            break
        with contextlib.suppress(TimeoutError):
            while True:
                letter: DeadLetter = letters.receive(0.1)
                # Not a question of ours, nor what is left of another test in these processes.
                if isinstance(letter.message, int) and letter.target == target:
                    lost.append(letter.message)
    told = Counter([*seen, *lost])
    assert {number: told[number] for number in range(3000) if told[number] != 1} == {}
    assert seen == sorted(seen)
    cell = system._runtime.cells.get(target.serial)
    assert cell is None or (cell.mailbox is not None and cell.mailbox.waiting == 0)


def test_ticks_come_also_to_a_full_mailbox(system: ActorSystem, inbox: Inbox) -> None:
    target = system.spawn(Itself, inbox.address, mailbox=Bounded(1))
    assert inbox.receive(10) == "tick"
    inbox.send(target, "after")
    assert inbox.receive(10) == "after"


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": True}, {"limit": 1.5}, {"limit": 1, "overflow": "block"}])
def test_senseless_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Bounded(**wrong)


def test_only_a_bound_is_a_mailbox(system: ActorSystem) -> None:
    with pytest.raises(InvalidArgument, match="Bounded"):
        system.spawn(Slow, mailbox=1000)  # type: ignore[arg-type]


def test_a_bounded_actor_can_be_watched_stopped_and_asked_by_a_child(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address, mailbox=Bounded(10))
    child = system.ask(parent, Make(Slow, (), {"mailbox": Bounded(5)}))
    inbox.watch(child)
    inbox.watch(parent)
    system.stop_actor(child)
    assert {type(inbox.receive(10)).__name__ for _ in range(2)} == {"Terminated", "ChildExited"}
    system.stop_actor(parent)
    assert inbox.receive(10).reason == "stopped"
    with pytest.raises(ActorGone, match="stopped"):
        system.ask(child, Get())


@pytest.mark.over("local")
def test_many_waiting_messages_are_reported_once(
    system: ActorSystem, inbox: Inbox, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    target = system.spawn(Slow)
    inbox.send(target, Block(gate, inbox.address))
    assert inbox.receive(10) == "blocked"
    with caplog.at_level(logging.WARNING, "garrick"):
        for number in range(HIGH_WATER + 100):
            inbox.send(target, number)
        gate.open()
        assert len(system.ask(target, Get())) == HIGH_WATER + 100
    warnings = [r.getMessage() for r in caplog.records if r.getMessage().startswith("high water")]
    assert len(warnings) == 1
    assert "Slow" in warnings[0]


# --- stash -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", [Door, AsyncDoor])
def test_stashed_messages_come_back_in_front_and_in_order(system: ActorSystem, door: Any) -> None:
    target = system.spawn(door)
    asks = [system._runtime.ask(target, number, 10) for number in range(3)]
    system.send(target, "open")
    for number in range(3, 6):
        system.send(target, number)
    assert [reply.result() for reply in asks] == [("come in", number) for number in range(3)]
    system.ask(target, 6)
    assert system.ask(target, Get()) == ["open", 0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("door", [Door, AsyncDoor])
def test_a_restart_brings_stashed_messages_back_to_the_mailbox(system: ActorSystem, inbox: Inbox, door: Any) -> None:
    target = system.spawn(door, supervision=NOW)
    for number in range(3):
        system.send(target, number)
    system.send(target, RuntimeError("restart"))
    system.send(target, "open")
    # The new instance stashes them again and brings them back when it is opened.
    assert system.ask(target, 3) == ("come in", 3)
    assert system.ask(target, Get()) == ["open", 0, 1, 2, 3]


def test_what_is_stashed_at_the_end_is_a_dead_letter(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Door)
    ask = system._runtime.ask(target, 1, 10)
    system.send(target, 2)
    system.stop_actor(target)
    with pytest.raises(ActorGone, match="stopped"):
        ask.result()
    assert [(letter.message, letter.reason) for letter in (letters.receive(10), letters.receive(10))] == [
        (1, "stopped"),
        (2, "stopped"),
    ]


def test_a_message_is_stashed_once_and_not_by_a_handler_that_fails(system: ActorSystem) -> None:
    target = system.spawn(Door)
    assert "stashed already" in system.ask(target, b"")
    with pytest.raises(HandlerFailed, match="after stash"):
        system.ask(target, 1.5)
    system.send(target, "open")
    assert system.ask(target, 7) == ("come in", 7)


def test_the_stash_of_a_bounded_actor_is_bounded(system: ActorSystem) -> None:
    target = system.spawn(Door, mailbox=Bounded(2))
    asks = []
    for number in range(2):
        asks.append(system._runtime.ask(target, number, 10))
        assert system.ask(target, Get()) == []
    with pytest.raises(HandlerFailed, match="GAR-1103"):
        system.ask(target, 2)
    system.send(target, "open")
    assert [reply.result() for reply in asks] == [("come in", 0), ("come in", 1)]


# --- behaviours ------------------------------------------------------------------------------------------------------


def test_behaviours_replace_handlers_until_the_next_one_or_a_restart(system: ActorSystem) -> None:
    for mailbox in (None, Bounded(100)):
        actor = system.spawn(Behaving, supervision=NOW, mailbox=mailbox)
        assert system.ask(actor, 1) == ("first", 1, ["InvalidArgument"]), "a behaviour chosen in __init__"
        assert system.ask(actor, "second") == ("first", "second", ["InvalidArgument"])
        assert system.ask(actor, 2) == ("second", 2)
        assert system.ask(actor, "nonsense") == "InvalidArgument"
        assert system.ask(actor, "base") == ("second", "base")
        assert system.ask(actor, 3) == ("rest", 3)
    actor = system.spawn(Behaving, supervision=NOW)
    system.ask(actor, "second")
    with pytest.raises(HandlerFailed):
        system.ask(actor, "fail")
    assert system.ask(actor, 4) == ("first", 4, ["InvalidArgument"]), "the restart began anew"


def test_a_door_opens_and_closes(system: ActorSystem) -> None:
    before = system.status()["dead_letters"]["total"]
    door = system.spawn(Door)
    system.send(door, "open")
    assert system.ask(door, 1) == ("come in", 1)
    assert system.ask(door, Get()) == ["open", 1], "a behaviour may hand on to receive"
    assert system.ask(door, "close") == "closed"
    waiting = system._runtime.ask(door, 2, 10)
    system.send(door, "open")
    assert waiting.result() == ("come in", 2)
    assert system.status()["dead_letters"]["total"] == before


# --- offers ----------------------------------------------------------------------------------------------------------


def test_offers_and_sends_keep_their_order(system: ActorSystem) -> None:
    target = system.spawn(Slow)
    sender = system.spawn(Offering)
    assert system.ask(sender, Flood(target, 200)) == []
    assert await_length(system, target, 200) == list(range(200))
