"""Load between the processes of one system: memory stays bounded, nothing is lost, and nobody else waits."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from garrick import ActorSystem, Address, BackPressure, Poisoned
from garrick.errors import UndecodableMessage
from garrick.runtime.signals import SubscribeDeadLetters
from garrick.wire.envelope import SIGNAL
from tests.node.actors import Counter, Do, Flooder, Victim
from tests.node.conftest import processes_of, wait_until
from tests.node.pressure_actors import Changer, Crowd, Echo, Eraser, Last, Letters, Pid
from tests.node.test_loss import environment

MB = 1 << 20

pytestmark = pytest.mark.processes


def rss(process: psutil.Process) -> int:
    found: int = process.memory_info().rss
    return found


def memory(base: Path) -> int:
    """Of all processes of the systems of this test, and of this one."""
    return sum(rss(process) for process in [*processes_of(base), psutil.Process()])


def _holds(system: ActorSystem, actor: Address[Any], question: str, expected: object) -> bool:
    return bool(system.ask(actor, question, timeout=60) == expected)


# --- a peer that does not read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.0, pytest.param(60.0, marks=[pytest.mark.soak, pytest.mark.timeout(200)])])
def test_a_stopped_receiver_costs_its_senders_bounded_memory_and_loses_nothing(seconds: float) -> None:
    with ActorSystem(name="a", workers=2) as system:
        frozen = system.spawn(Counter, isolation="process")
        victims = [system.spawn(Victim) for _ in range(2)]
        flooders = [system.spawn(Flooder, frozen, name) for name in ("x", "y")]
        other = system.spawn(Counter)
        through = system.spawn(Flooder, other, "z")
        assert system.ask(frozen, "count") == (0, 0)
        receiver = psutil.Process(next(p["pid"] for p in system.status()["processes"] if p["number"] == frozen.process))
        senders = [psutil.Process(system.ask(victim, Do("pid"))) for victim in victims]
        before = [rss(sender) for sender in senders]
        receiver.suspend()
        replies = [system._runtime.ask(flooder, (100, MB), 180) for flooder in flooders]
        end = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < end:
            # Everybody else goes on: the same workers, their other ways, and the admin.
            assert [system.ask(victim, rounds, timeout=10) for victim in victims] == [rounds] * 2
            assert system.ask(through, (100, 1000), timeout=10) == 100 * (rounds + 1)
            assert system.ask(system.spawn(Echo), "new", timeout=10) == "new"
            rounds += 1
            grown = [rss(sender) - known for sender, known in zip(senders, before, strict=True)]
            assert max(grown) < 80 * MB  # 16 MB wait, and two messages per sender are on their way there
            time.sleep(0.05)
        assert not any(reply.done for reply in replies)
        receiver.resume()
        assert [reply.result() for reply in replies] == [100, 100]
        wait_until(lambda: system.ask(frozen, "count") == (200, 0), 30)
        wait_until(lambda: system.ask(other, "count") == (100 * rounds, 0), 30)


def test_a_stopped_subscriber_of_dead_letters_keeps_nobody_waiting() -> None:
    with ActorSystem(name="a", workers=1) as system:
        frozen = system.spawn(Letters, isolation="process")
        victim, ended = system.spawn(Victim), system.spawn(Victim)
        assert system.ask(frozen, "how many?") == (0, 0)
        runtime = system._runtime
        runtime.route(runtime.admin, SubscribeDeadLetters(frozen), frozen, SIGNAL)
        system.status()
        system.stop_actor(ended)
        number = frozen.process
        receiver = psutil.Process(next(p["pid"] for p in system.status()["processes"] if p["number"] == number))
        receiver.suspend()
        for piece in range(60):
            system.send(ended, (piece, b"x" * MB))
            # It is the runtime that tells of dead letters, and nobody else would read what makes room.
            assert system.ask(victim, piece, timeout=10) == piece
        receiver.resume()
        wait_until(lambda: system.ask(frozen, "how many?")[0] == 60, 30)
        whole = system.ask(frozen, "how many?")[1]
        assert 16 <= whole < 40  # 16 MB wait; letters beyond that go without their messages


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_a_program_is_told_after_half_a_minute() -> None:
    with ActorSystem(name="a", workers=1) as system:
        frozen = system.spawn(Counter)
        pid = next(p["pid"] for p in system.status()["processes"] if p["number"] == frozen.process)
        receiver = psutil.Process(pid)
        receiver.suspend()
        began = time.monotonic()
        sent = 0
        with pytest.raises(BackPressure, match="GAR-1104"):
            for sent in range(40):
                system.send(frozen, ("program", sent, b"x" * MB))
        assert time.monotonic() - began > 25
        receiver.resume()
        wait_until(lambda: system.ask(frozen, "count") == (sent, 0), 30)


# --- large messages -----------------------------------------------------------------------------------------------------------


def test_an_array_is_the_receivers_own_both_ways() -> None:
    with ActorSystem(name="a", workers=2) as system:
        changer = system.spawn(Changer)
        array = np.zeros(8 * MB)
        answer = system.ask(changer, array)
        assert array[0] == 0
        assert (answer[0], answer.sum()) == (1, 1)
        answer[0] = 7
        assert system.ask(changer, answer)[0] == 8


def test_what_a_sender_does_to_its_array_after_send_does_not_change_the_message() -> None:
    with ActorSystem(name="a", workers=2) as system:
        last, eraser = system.spawn(Last), system.spawn(Eraser)
        assert last.process != eraser.process
        assert system.ask(eraser, (last, 8 * MB)) == "erased"
        wait_until(lambda: system.ask(last, "sum") is not None)
        assert system.ask(last, "sum") == 8 * MB


@pytest.mark.parametrize("kind", ["one", "nested", "many"])
def test_a_hundred_megabytes_pass_with_one_copy_more_at_each_end(kind: str) -> None:
    made: dict[str, Any] = {
        "one": bytes(100 * MB),
        "nested": {i: [("row", i), {"data": bytes(1000)}] for i in range(100_000)},
        "many": [bytes(MB) for _ in range(100)],
    }
    message = made[kind]
    with ActorSystem(name="a", workers=2) as system:
        echo = system.spawn(Echo)
        beside = system.spawn(Echo)
        worker = psutil.Process(system.ask(system.spawn(Pid, isolation="process"), 0))
        before = rss(worker)
        reply = system._runtime.ask(echo, message, 50)
        while not reply.done:
            assert system.ask(beside, "small", timeout=20) == "small"
        answer = reply.result()
        assert len(answer) == len(message)
        assert answer == message
        assert rss(worker) - before < 50 * MB  # a third one has nothing to do with it


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_what_there_is_no_memory_for_fails_and_nothing_else(isolation: str) -> None:
    """A process at its limit: who sent what does not fit is told, and what was sent around it is handled."""
    with ActorSystem(name="a", workers=1) as system, system.inbox() as inbox:
        victim = system.spawn(Victim, isolation=isolation)
        system.ask(victim, Do("limit_memory", 30 * MB))
        reply = system._runtime.ask(victim, bytes(100 * MB), 30)
        for number in range(100):
            inbox.send(victim, number)
        with pytest.raises(UndecodableMessage, match=r"no memory for a message of 104857\d{3} bytes") as caught:
            reply.result()
        assert "give it more, or send less at once" in str(caught.value.hint)
        assert [inbox.receive(10) for _ in range(100)] == list(range(100))
        inbox.send(victim, [bytes(100 * MB)])
        notice = inbox.receive(10)
        assert isinstance(notice, Poisoned)
        assert isinstance(notice.error, UndecodableMessage)
        assert system.status()["dead_letters"]["by_reason"] == {"undecodable": 2}
        assert system.ask(victim, "still there") == "still there"


# --- for a long time ----------------------------------------------------------------------------------------------------------

LONG = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=LONG), pytest.param(24_000_000, marks=LONG)])
def test_messages_leave_nothing_in_memory(base: Path, count: int) -> None:
    with ActorSystem(name="a", workers=2) as system:
        counter = system.spawn(Counter)
        flooder = system.spawn(Flooder, counter, "x")
        assert counter.process != flooder.process

        def send(total: int) -> None:
            sent = 0
            while sent < total:
                sent = system.ask(flooder, (10_000, 8))
                wait_until(partial(_holds, system, counter, "count", (sent, 0)), 30)

        send(100_000)  # what is kept once, and free lists
        before = memory(base)
        send(100_000 + count)
        assert memory(base) - before < 16 * MB


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=LONG)])
def test_names_that_come_and_go_leave_nothing_in_memory(base: Path, count: int) -> None:
    with ActorSystem(name="a", workers=2) as system:

        def cycle(first: int, count: int) -> None:
            for i in range(first, first + count):
                actor = system.spawn(Echo, name=f"a name that nobody else has {i}")
                system.stop_actor(actor)

        warm = min(25_000, count)  # the last 10,000 ends are remembered
        cycle(0, warm)
        before = memory(base)
        cycle(warm, count)
        assert memory(base) - before < 8 * MB


# --- many ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=LONG)])
def test_a_crowd_of_actors_comes_works_and_goes(base: Path, count: int) -> None:
    with ActorSystem(name="a", workers=2) as system:
        crowds = [system.spawn(Crowd) for _ in range(2)]
        before = memory(base)
        began = time.monotonic()
        replies = [system._runtime.ask(crowd, count // 2, 300) for crowd in crowds]
        assert all(reply.result() >= 1 for reply in replies)
        assert memory(base) - before < 16 * MB + 4096 * count
        assert time.monotonic() - began < 10 + count / 1000  # linear, and that with much to spare
        for crowd in crowds:
            assert system.ask(crowd, "end", timeout=60) == "ended"
        for crowd in crowds:
            wait_until(partial(_holds, system, crowd, "left", 0), 60)


def test_more_processes_than_descriptors_end_with_a_reason() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from garrick import ActorGone, ActorSystem
from tests.node.actors import Victim
with ActorSystem(name="a", workers=1) as system:
    made = []
    try:
        for _ in range(40):
            made.append(system.spawn(Victim, isolation="process"))
    except ActorGone as error:
        print(error)
    print(10 < len(made) < 30, [system.ask(actor, 1) for actor in made] == [1] * len(made))
    system.stop_actor(made.pop())
    for _ in range(100):
        try:
            print(system.ask(system.spawn(Victim, isolation="process"), 2))
            break
        except ActorGone:
            pass  # the other one is still ending
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    refused, works, again = done.stdout.splitlines()
    assert "worker lost" in refused
    assert (works, again) == ("True True", "2"), done.stderr
    assert "GAR-3101" in done.stderr
