"""What actors do: children, failures, exits, wakeups, dead letters, capabilities."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import acting
import psutil
import pytest
from houses import PROCESSES, Start

from thespian.actors import ActorExitRequest, ActorSystem, NoCompatibleSystemForActor, PoisonMessage


def heard(asys: ActorSystem, count: int) -> list[Any]:
    return [asys.listen(10) for _ in range(count)]


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Asks again and again."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


# --- failing --------------------------------------------------------------------------------------------------------------


def test_a_message_that_fails_is_tried_twice_and_comes_back(start: Start, base: str) -> None:
    asys = start(base)
    raising = asys.createActor(acting.Raising)
    poison = asys.ask(raising, "bad", 10)
    assert poison == PoisonMessage("bad")
    assert "InterruptedError" in poison.details
    assert asys.ask(raising, "seen?", 10) == ["bad", "bad"]


def test_the_second_attempt_comes_at_once_and_may_succeed(asys: ActorSystem) -> None:
    raising = asys.createActor(acting.Raising)
    for message in ("once", "fine", "bad", "fine"):
        asys.tell(raising, message)
    assert asys.ask(raising, "seen?", 10) == PoisonMessage("bad")
    assert asys.listen(10) == ["once", "once", "fine", "bad", "bad", "fine"]


def test_a_poison_that_fails_makes_no_poison(asys: ActorSystem) -> None:
    raising = asys.createActor(acting.Raising)
    asys.tell(raising, PoisonMessage("x"))
    assert asys.ask(raising, "fine", 0.3) is None


# --- sending --------------------------------------------------------------------------------------------------------------


def test_messages_of_one_sender_keep_their_order(asys: ActorSystem) -> None:
    sums = asys.createActor(acting.Sums)
    for number in range(500):
        asys.tell(sums, number)
    assert asys.ask(sums, "all", 10) == list(range(500))


@pytest.mark.parametrize("base", PROCESSES)
def test_what_cannot_be_pickled_comes_back_to_the_actor_that_sent_it(start: Start, base: str) -> None:
    asys = start(base)
    details, from_target = asys.ask(asys.createActor(acting.Unsendable), asys.createActor(acting.Echo), 10)
    assert "pickle" in details
    assert from_target


def test_send_wants_an_address(asys: ActorSystem) -> None:
    poison = asys.ask(asys.createActor(acting.Unsendable), "no address", 10)
    assert isinstance(poison, PoisonMessage)
    assert "InvalidActorAddress" in str(poison.details)
    assert "no address is not a valid ActorAddress for sending messages to" in str(poison.details)


def test_a_thread_of_an_actor_may_send(asys: ActorSystem) -> None:
    assert asys.ask(asys.createActor(acting.Threaded), "go", 10) == "from a thread"


# --- children ---------------------------------------------------------------------------------------------------------------


def test_the_address_of_a_child_is_its_own(start: Start, base: str) -> None:
    asys = start(base)
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Facts), 10)
    assert asys.ask(child, "address", 10) == child


@pytest.mark.parametrize(
    ("bad", "more"),
    [
        ("acting.Broken", ()),
        ("acting.NoSuchClass", ()),
        ("no_such_module.Echo", ()),
        ("unqualified", ()),
        (acting.NoActor, ()),
        (acting.Picky, ()),
        (acting.CheckRaises, ()),
    ],
)
def test_a_child_that_cannot_start_is_told_and_its_messages_come_back(asys: ActorSystem, bad: Any, more: Any) -> None:
    parent = asys.createActor(acting.Forward)
    asys.tell(parent, ("make and send", bad, ["one", "two"]))
    assert heard(asys, 3) == [
        ("exited", True, True),
        ("poison", "one", "Child Aborted"),
        ("poison", "two", "Child Aborted"),
    ]
    assert asys.listen(0.2) is None


def test_a_child_with_an_unknown_source_is_told(asys: ActorSystem) -> None:
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Echo, None, None, "abc"), 10)
    assert asys.listen(10) == ("exited", True, True)
    assert asys.ask(child, "x", 5) is None


def test_messages_sent_before_a_child_is_up_wait_for_it(asys: ActorSystem) -> None:
    parent = asys.createActor(acting.Forward)
    asys.tell(parent, ("make and send", acting.Echo, [1, 2, 3]))
    assert heard(asys, 3) == [("heard", 1), ("heard", 2), ("heard", 3)]


def test_the_exit_of_a_child_is_told(start: Start, base: str) -> None:
    asys = start(base)
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Echo), 10)
    asys.tell(child, ActorExitRequest())
    assert asys.listen(10) == ("exited", True, True)
    assert asys.listen(0.2) is None


@pytest.mark.parametrize("base", PROCESSES)
@pytest.mark.parametrize("way", ["sys.exit", "os._exit", "kill", "terminate"])
def test_the_death_of_a_childs_process_is_told(start: Start, base: str, way: str) -> None:
    asys = start(base)
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Ending), 10)
    pid = asys.ask(child, "pid", 10)
    begun = time.monotonic()
    if way == "kill":
        os.kill(pid, signal.SIGKILL)
    elif way == "terminate":
        os.kill(pid, signal.SIGTERM)
    else:
        asys.tell(child, way)
    assert asys.listen(10) == ("exited", True, True)
    assert time.monotonic() - begun < 3


def test_sys_exit_ends_an_actor_of_the_simple_base_too(start: Start) -> None:
    asys = start("simpleSystemBase")
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Ending), 10)
    asys.tell(child, "sys.exit")
    assert asys.listen(10) == ("exited", True, True)


@pytest.mark.parametrize("base", PROCESSES)
def test_sigterm_is_an_exit_request(start: Start, base: str) -> None:
    asys = start(base)
    pid = asys.ask(asys.createActor(acting.LastWords), "hello", 10)
    os.kill(pid, signal.SIGTERM)
    assert asys.listen(10) == "last words"


def test_whoever_asks_an_actor_that_ends_its_process_is_not_kept_waiting(start: Start, base: str) -> None:
    asys = start(base)
    begun = time.monotonic()
    assert asys.ask(asys.createActor(acting.Ending), "sys.exit", 20) is None
    assert time.monotonic() - begun < 10


# --- exiting ----------------------------------------------------------------------------------------------------------------


def test_an_exit_takes_the_children_along(start: Start, base: str) -> None:
    asys = start(base)
    tree = asys.createActor(acting.Tree)
    asys.tell(tree, "grow")
    child, _pid = asys.listen(10)
    asys.tell(tree, ActorExitRequest())
    # While it exits it hears nothing of its child but its end.
    assert heard(asys, 2) == ["exiting", "child exited"]
    assert until(lambda: asys.ask(child, "there?", 5) is None)


def test_an_exit_that_is_not_recursive_leaves_the_children_to_the_system(start: Start, base: str) -> None:
    asys = start(base)
    parent = asys.createActor(acting.Forward)
    child = asys.ask(parent, ("make", acting.Facts), 10)
    before = asys.ask(child, "facts", 10)
    asys.tell(parent, ActorExitRequest(recursive=False))
    assert asys.listen(10) == ("exiting", False)
    assert until(lambda: asys.ask(parent, "there?", 5) is None)
    time.sleep(0.2)  # would its process have taken the child along, that had been noticed by now
    assert asys.ask(child, "facts", 10) == before


@pytest.mark.parametrize("base", PROCESSES)
def test_the_death_of_a_parents_process_ends_its_children(start: Start, base: str) -> None:
    asys = start(base)
    tree = asys.createActor(acting.Tree)
    with asys.private() as ours:
        pid = ours.ask(tree, "pid", 10)
        child, childs_pid = ours.ask(tree, "grow", 10)
        os.kill(pid, signal.SIGKILL)
        gone = psutil.wait_procs([psutil.Process(childs_pid)], 5)[1]
        assert gone == []
        assert asys.ask(child, "there?", 5) is None


# --- wakeups ----------------------------------------------------------------------------------------------------------------


def test_wakeups_come_in_the_order_in_which_they_are_due(start: Start, base: str) -> None:
    asys = start(base)
    sleeper = asys.createActor(acting.Sleeper)
    periods = [(0.2, "last"), (timedelta(milliseconds=100), "second"), (0, {"first": 1})]
    asys.tell(sleeper, periods)
    assert heard(asys, 3) == [
        (0, {"first": 1}, True),
        (timedelta(milliseconds=100), "second", True),
        (0.2, "last", True),
    ]


def test_a_wakeup_keeps_nobody_from_exiting(asys: ActorSystem) -> None:
    sleeper = asys.createActor(acting.LongSleeper)
    assert asys.ask(sleeper, "go", 10) == "asleep"
    asys.tell(sleeper, ActorExitRequest())
    assert until(lambda: asys.ask(sleeper, "there?", 5) is None)


def test_the_simple_base_does_not_wait_for_what_cannot_come(start: Start) -> None:
    asys = start("simpleSystemBase")
    sleeper = asys.createActor(acting.Sleeper)
    begun = time.monotonic()
    asys.tell(sleeper, [(0.3, "x")])
    assert asys.listen() is None
    assert asys.listen(0.1) is None
    assert time.monotonic() - begun < 0.25
    assert asys.listen(10) == (0.3, "x", True)
    assert time.monotonic() - begun >= 0.3
    assert asys.listen(10) is None
    assert time.monotonic() - begun < 5


# --- dead letters -----------------------------------------------------------------------------------------------------------


def dead(asys: ActorSystem) -> Any:
    echo = asys.createActor(acting.Echo)
    asys.tell(echo, ActorExitRequest())
    assert until(lambda: asys.ask(echo, "there?", 5) is None)
    return echo


def test_dead_letters_go_to_their_handler(start: Start, base: str) -> None:
    asys = start(base)
    gone = dead(asys)
    letters = asys.createActor(acting.Letters)
    assert asys.ask(letters, "start", 10) == "started"
    asys.tell(gone, "anybody?")
    assert asys.listen(10) == ("anybody?", gone)


def test_the_last_handler_of_dead_letters_wins_and_only_it_can_stop(asys: ActorSystem) -> None:
    gone = dead(asys)
    first, second = asys.createActor(acting.Letters), asys.createActor(acting.Letters)
    with asys.private() as ones, asys.private() as twos:
        assert ones.ask(first, "start", 10) == "started"
        assert twos.ask(second, "start", 10) == "started"
        assert ones.ask(first, "stop", 10) == "stopped"
        asys.tell(gone, "for the second")
        assert twos.listen(10) == ("for the second", gone)
        assert ones.listen(0.1) is None
        assert twos.ask(second, "stop", 10) == "stopped"
        asys.tell(gone, "for nobody")
        assert twos.listen(0.2) is None


# --- capabilities -----------------------------------------------------------------------------------------------------------


def test_requirements_decide(start: Start, base: str) -> None:
    asys = start(base, {"colour": "blue", "light": True, "size": 2})
    assert asys.ask(asys.createActor(acting.Picky), "?", 10) == "here"
    assert asys.ask(asys.createActor(acting.Picky, {"size": 2}), "?", 10) == "here"
    with pytest.raises(NoCompatibleSystemForActor, match="No compatible ActorSystem could be found for Actor"):
        asys.createActor(acting.Picky, {"size": 3})
    with pytest.raises(NoCompatibleSystemForActor):
        asys.createActor("acting.CheckRaises")
    asys.updateCapability("colour", "red")
    assert asys.capabilities["colour"] == "red"
    with pytest.raises(NoCompatibleSystemForActor):
        asys.createActor(acting.Picky)
    assert heard(asys, 2) == ["can't stay"] * 2
    asys.updateCapability("colour", "blue")
    assert asys.ask(asys.createActor("acting.Picky"), "?", 10) == "here"


def test_who_no_longer_fits_exits(start: Start, base: str) -> None:
    asys = start(base, {"colour": "blue", "light": True, "size": 2})
    picky, easy = asys.createActor(acting.Picky), asys.createActor(acting.Echo)
    big = asys.createActor(acting.Picky, {"size": 2})
    with asys.private() as bigs:
        assert asys.ask(picky, "?", 10) == bigs.ask(big, "?", 10) == "here"
        asys.updateCapability("size", 1)
        assert bigs.listen(10) == "can't stay"
        assert asys.ask(picky, "?", 10) == "here"
    asys.updateCapability("light")
    assert "light" not in asys.capabilities
    assert asys.listen(10) == "can't stay"
    assert asys.ask(easy, "there?", 10) == "there?"


def test_an_actor_can_change_capabilities(asys: ActorSystem) -> None:
    changer = asys.createActor(acting.Changer)
    for change in (("colour", "blue"), ("light", 1)):
        assert asys.ask(changer, change, 10) == "changed"

    def fits() -> bool:
        try:
            return bool(asys.ask(asys.createActor(acting.Picky), "?", 10) == "here")
        except NoCompatibleSystemForActor:
            return False

    assert until(fits)


# --- dispatching ------------------------------------------------------------------------------------------------------------


def test_dispatch_by_the_class_of_the_message(asys: ActorSystem) -> None:
    some, more = asys.createActor(acting.Dispatching), asys.createActor(acting.DispatchingMore)
    assert asys.ask(some, acting.Derived(), 10) == "Base"
    assert asys.ask(some, "text", 10) == "object"
    asys.tell(some, True)
    assert heard(asys, 2) == ["int", "object"]
    asys.tell(more, acting.Base())
    assert heard(asys, 2) == ["more", "Base"]
    assert asys.ask(asys.createActor(acting.Unrecognized), 7, 10) == ("unrecognized", 7)


def test_threads_of_the_program_do_not_disturb_the_simple_base(start: Start) -> None:
    asys = start("simpleSystemBase")
    echo = asys.createActor(acting.Echo)
    wrong: list[object] = []

    def work(number: int) -> None:
        with asys.private() as mine:
            wrong.extend(i for i in range(20) if mine.ask(echo, (number, i), 10) != (number, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
