"""An `AskTimeout` says where the question was."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import pytest

from garrick import Actor, ActorSystem, AskTimeout, Backoff, Restart
from garrick.address import Address
from garrick.runtime.signals import Stop
from garrick.wire.envelope import SIGNAL
from tests.conformance.actors import Consult, Deaf, Echo, Get, Make, Parent, Raise
from tests.conformance.late_actors import Nap, Napping, SlowToStart, SlowToStop, Stasher
from tests.conformance.waiting_actors import Async

SOON = 0.3
"""Seconds, of which a fifth is for the probe."""


SLOWLY = 0.9
"""The same for the second try, on a machine so busy that nobody answers a probe in a fifth of `SOON`."""


def why(system: ActorSystem, target: Address[object], message: object, timeout: float = SOON) -> str:
    with pytest.raises(AskTimeout) as caught:
        system.ask(target, message, timeout)
    text = str(caught.value)
    assert f"no answer from {target} within {timeout:g} s; " in text
    return text


def patiently(attempt: Callable[[float], str]) -> str:
    """What an attempt with a time-out says; a second one if the probe was not answered in time."""
    text = attempt(SOON)
    return attempt(SLOWLY) if "did not say within" in text else text


def why_new(system: ActorSystem, actor_class: type[Actor], message: object) -> str:
    """`why` of a new actor, patiently."""
    return patiently(lambda timeout: why(system, system.spawn(actor_class), message, timeout))


def test_the_async_handler_is_still_at_it(system: ActorSystem) -> None:
    text = why_new(system, Napping, Nap(1.0))
    assert re.search(r"the actor has been handling the question for \d+ ms", text)


# Not sequential: nobody else runs there while a handler blocks, the asker included.
@pytest.mark.over("local", "sim", "multiprocess", "convention", "sim-convention")
def test_the_blocking_handler_is_still_at_it(system: ActorSystem) -> None:
    text = why_new(system, Napping, Nap(1.0, blocking=True))
    assert re.search(r"the actor has been handling the question for \d+ ms", text)


@pytest.mark.parametrize("asker", ["program", "sync", "async"])
def test_the_question_waits_behind_others(system: ActorSystem, asker: str) -> None:
    def attempt(timeout: float) -> str:
        actor = system.spawn(Napping)
        nap = system._runtime.ask(actor, Nap(20.0), 30)
        for number in range(2):
            system.send(actor, number)
        if asker == "program":
            text = why(system, actor, 3, timeout)
        else:
            found = system.ask(system.spawn(Parent if asker == "sync" else Async), Consult(actor, 3, timeout))
            assert isinstance(found, AskTimeout)
            text = str(found)
        nap.cancel()  # nobody has to wait for its end
        return text

    text = patiently(attempt)
    # Messages of the program to one actor and its question to another one reach the target on ways of their own.
    assert re.search(r"waits behind \d other messages?, and the actor has been handling a Nap for \d+ ms", text)
    if asker == "program":
        assert "behind 2 other messages" in text


def test_one_of_many_questions(system: ActorSystem) -> None:
    def attempt(timeout: float) -> str:
        busy, echo = system.spawn(Napping), system.spawn(Echo)
        answer, late = system.ask_all([echo, busy], Nap(1.5), timeout=timeout)
        assert answer == Nap(1.5)
        assert isinstance(late, AskTimeout)
        return str(late)

    assert "has been handling the question for" in patiently(attempt)


def test_whom_the_actor_waits_for(system: ActorSystem) -> None:
    deaf = system.spawn(Deaf)
    text = patiently(lambda timeout: why(system, system.spawn(Async), Consult(deaf, "question", 2 * timeout), timeout))
    assert re.search(r"has been handling the question for \d+ ms, which waits for ", text)
    assert str(deaf) in text


def test_nothing_was_answered(system: ActorSystem) -> None:
    assert "the actor has handled the question without answering it" in why_new(system, Deaf, "question")
    assert "the actor has put the question aside" in why_new(system, Stasher, "question")


def test_the_actor_starts_or_stops_or_restarts(system: ActorSystem) -> None:
    starting = system.spawn(SlowToStart, wait=False)
    text = why(
        system, starting, 1, 0.8
    )  # the first that is asked there; on a busy machine a fifth of less is not enough
    assert re.search(r"waits behind 0 other messages, and the actor is still starting for \d+ ms", text)

    def restarting(timeout: float) -> str:
        failed = system.spawn(Parent, supervision=Restart(backoff=Backoff(first=3.0, jitter=0)))
        system.send(failed, Raise(ValueError("now")))
        return why(system, failed, Get(), timeout)

    def stopping(timeout: float) -> str:
        ending = system.spawn(SlowToStop)
        system._runtime.route(ending, Stop(), None, SIGNAL)
        return why(system, ending, 1, timeout)

    assert "the actor failed and is restarting" in patiently(restarting)
    assert "the actor is stopping" in patiently(stopping)


def test_the_actor_waits_for_a_place(system: ActorSystem) -> None:
    needs = {"never": "there"}
    with pytest.raises(AskTimeout, match=r"the actor waits for a place.*: GAR-2107 .*never"):
        system.spawn(Echo, requires=needs, pending=True, timeout=SOON)
    parent = system.spawn(Parent)
    child = system.ask(parent, Make(Echo, (), {"requires": needs, "pending": True}))
    text = patiently(lambda timeout: why(system, child, 1, timeout))
    assert re.search(r"waits behind 0 other messages, and the actor waits for a place.*: GAR-2107 .*never", text)


@pytest.mark.over("multiprocess", "convention")
def test_an_actor_that_was_never_made(system: ActorSystem) -> None:
    real = system.spawn(Echo)
    never: Address[object] = Address(real.system, real.process, real.serial + 100_000)
    assert "its process has never heard of such an actor" in why(system, never, 1)


@pytest.mark.over("multiprocess")
@pytest.mark.parametrize("asker", ["program", "sync", "async"])
def test_a_process_that_is_stopped(system: ActorSystem, asker: str) -> None:
    class_of_asker = Async if asker == "async" else Parent
    actors = [system.spawn(Napping) for _ in range(4)]
    consultant = system.spawn(class_of_asker)
    actor = next(a for a in actors if a.process != consultant.process)
    pid = next(p["pid"] for p in system.status()["processes"] if p["number"] == actor.process)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        if asker == "program":
            system.send(actor, bytes(8 << 20))  # more than the socket takes
            text = why(system, actor, Nap(0.0))
            assert re.search(r"; its way is not free: \d+ bytes wait to be written", text)
        else:
            text = str(system.ask(consultant, Consult(actor, Nap(0.0), SOON)))
        assert time.monotonic() - began < 10
        assert f"process {actor.process} of {actor.system} did not say within 0.06 s where the question is" in text
    finally:
        os.kill(pid, signal.SIGCONT)
    assert system.ask(actor, Nap(0.0)) == "slept"


def test_an_ask_that_is_answered_asks_nothing_else(system: ActorSystem) -> None:
    echo = system.spawn(Echo)
    replies = [system._runtime.ask(echo, number, 5) for number in range(10)]
    assert [reply.result() for reply in replies] == list(range(10))
    assert {reply._slot.where for reply in replies} == {None}
