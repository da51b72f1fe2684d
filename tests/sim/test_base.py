"""Base ``sim``: one system, virtual time, the program's own thread."""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any

import pytest

from garrick import (
    Actor,
    ActorGone,
    ActorSystem,
    Address,
    AskDeadlock,
    AskTimeout,
    ChildExited,
    HandlerFailed,
    InvalidArgument,
    SpawnFailed,
    Stop,
    SystemStopped,
    on,
)
from garrick.errors import SimFailure
from garrick.runtime.runtime import Runtime
from garrick.sim.world import World

from .actors import Asks, Counter, Echo, Naps, Sleeper


def clock(system: ActorSystem) -> Any:
    runtime: Runtime = system._runtime
    return runtime.clock


def test_an_ask_is_answered_on_the_programs_thread(system: ActorSystem) -> None:
    class Where(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.reply(threading.current_thread())

    assert system.ask(system.spawn(Where), "?") is threading.current_thread()
    assert threading.current_thread() is threading.main_thread()


def test_a_breakpoint_sees_the_program_below_the_handler(system: ActorSystem) -> None:
    class Looks(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.reply([frame.name for frame in traceback.extract_stack()])

    assert "test_a_breakpoint_sees_the_program_below_the_handler" in system.ask(system.spawn(Looks), "?")


def test_nothing_happens_between_two_calls_that_wait(system: ActorSystem) -> None:
    handled = []

    class Notes(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            handled.append(message)

    target = system.spawn(Notes)
    system.send(target, 1)
    system.send(target, 2)
    assert handled == []
    with pytest.raises(TimeoutError):
        system.inbox().receive(0)
    assert handled == [1, 2]


def test_an_hour_of_timers_takes_no_time(system: ActorSystem) -> None:
    began = time.perf_counter()
    counter = system.spawn(Counter, 1.0)
    with pytest.raises(TimeoutError):
        system.inbox().receive(3600.5)
    assert system.ask(counter, "how many") == 3600
    assert clock(system).now() == pytest.approx(3600.5)
    assert time.perf_counter() - began < 5


def test_cancelled_timers_do_not_stop_time(system: ActorSystem) -> None:
    class Cancels(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.after(1.0, "never").cancel()
            self.after(2.0, "once")
            self.reply("armed")

    class Late(Actor):
        def __init__(self) -> None:
            self.times: list[float] = []
            self.after(1.0, "never").cancel()
            self.after(2.0, "tick")

        @on
        def tick(self, message: str) -> list[float]:
            if message == "tick":
                self.times.append(self.now())
            return self.times

    late = system.spawn(Late)
    with pytest.raises(TimeoutError):
        system.inbox().receive(10)
    assert system.ask(late, "when") == [pytest.approx(2.0)]


def test_sleep_is_virtual_in_handlers_and_real_outside(system: ActorSystem) -> None:
    sleeper = system.spawn(Sleeper)
    began = time.perf_counter()
    assert system.ask(sleeper, 1000, timeout=2000) == pytest.approx(1000)
    assert time.perf_counter() - began < 5
    began = time.perf_counter()
    time.sleep(0.02)
    assert time.perf_counter() - began >= 0.02
    assert clock(system).now() == pytest.approx(1000)


def test_sleep_refuses_what_the_real_one_refuses(system: ActorSystem) -> None:
    with pytest.raises(HandlerFailed) as failure:
        system.ask(system.spawn(Sleeper), -1)
    assert isinstance(failure.value.error, ValueError)


def test_others_go_on_while_a_handler_sleeps(system: ActorSystem) -> None:
    sleepers = [system.spawn(Sleeper) for _ in range(50)]
    replies = [system._runtime.ask(sleeper, 1.0, 30) for sleeper in sleepers]
    assert [reply.result() for reply in replies] == [pytest.approx(1.0)] * 50


def test_the_sleepers_own_messages_wait_in_order(system: ActorSystem) -> None:
    sleeper = system.spawn(Sleeper)
    first, second, third = (system._runtime.ask(sleeper, seconds, 30) for seconds in (3.0, 1.0, 2.0))
    assert [first.result(), second.result(), third.result()] == [pytest.approx(t) for t in (3.0, 4.0, 6.0)]


def test_a_chain_of_waiting_handlers(system: ActorSystem) -> None:
    last = system.spawn(Asks)
    for _ in range(30):
        last = system.spawn(Asks, last)
    assert system.ask(last, "x") == ["x"] * 31


def test_a_cycle_of_waiting_handlers_is_a_deadlock(system: ActorSystem) -> None:
    first = system.spawn(Asks)
    third = system.spawn(Asks, system.spawn(Asks, first))
    system.ask(first, third)
    with pytest.raises(HandlerFailed) as failure:
        system.ask(first, "x")
    error: BaseException | None = failure.value
    while isinstance(error, HandlerFailed):
        error = error.error
    assert isinstance(error, AskDeadlock)
    assert clock(system).now() == 0


def test_a_time_out_comes_at_its_time(system: ActorSystem) -> None:
    class Silent(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.defer()

    with pytest.raises(AskTimeout):
        system.ask(system.spawn(Silent), "x", timeout=7)
    assert clock(system).now() == pytest.approx(7)


def test_an_answer_after_the_time_out_is_late_even_though_the_handler_had_the_programs_thread(
    system: ActorSystem,
) -> None:
    sleeper = system.spawn(Sleeper)
    with system.dead_letters() as letters:
        with pytest.raises(AskTimeout):
            system.ask(sleeper, 20, timeout=5)
        assert letters.receive(60).reason == "late reply"


def test_a_time_out_comes_also_in_a_world_that_never_rests(system: ActorSystem) -> None:
    class Busy(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.send(self.address, message)

    busy = system.spawn(Busy)
    system.send(busy, "again")
    with pytest.raises(TimeoutError):
        system.inbox().receive(0.5)
    assert clock(system).now() == pytest.approx(0.5, abs=0.001)
    system.stop_actor(busy)


def test_a_receive_without_end_ends_when_nothing_can_happen(system: ActorSystem) -> None:
    with pytest.raises(TimeoutError):
        system.inbox().receive()


def test_a_handler_that_waits_without_end_fails_when_nothing_can_happen(system: ActorSystem) -> None:
    inbox = system.inbox()

    class Receives(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            inbox.receive()

    waits = system.spawn(Receives, supervision=Stop())
    system.send(waits, "x")
    with pytest.raises(TimeoutError):
        system.inbox().receive()
    with pytest.raises(ActorGone):
        system.ask(waits, "x")


def test_an_actor_with_a_thread_of_its_own_keeps_it(system: ActorSystem) -> None:
    class Own(Actor):
        def __init__(self) -> None:
            self.thread = threading.current_thread()

        def receive(self, message: float, sender: Any) -> None:
            before = threading.current_thread()
            time.sleep(message)
            assert before is threading.current_thread() is self.thread
            self.reply(self.thread)

    owns = [system.spawn(Own, isolation="thread") for _ in range(3)]
    replies = [system._runtime.ask(own, 1.0, 30) for own in owns for _ in range(2)]
    threads = {reply.result() for reply in replies}
    assert len(threads) == 3
    assert threading.main_thread() not in threads
    system.stop_actor(owns[0])
    with pytest.raises(ActorGone):
        system.ask(owns[0], 1.0)


def test_failures_and_dead_letters_are_seen(system: ActorSystem) -> None:
    class Fails(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            raise ZeroDivisionError(message)

    class Never(Actor):
        def __init__(self) -> None:
            raise LookupError("no")

    failing = system.spawn(Fails)
    with pytest.raises(HandlerFailed) as failure:
        system.ask(failing, "x")
    assert isinstance(failure.value.error, ZeroDivisionError)
    with pytest.raises(SpawnFailed):
        system.spawn(Never)
    for _ in range(4):
        system.send(failing, "x")
    system.stop_actor(system.spawn(Echo))
    with pytest.raises(TimeoutError):
        system.inbox().receive(60)
    system.send(failing, "too late")
    status = system.status()
    assert status["dead_letters"]["by_reason"]["failed"] >= 1
    assert "ZeroDivisionError" in str(status["tombstones"])


def test_children_end_before_their_parents(system: ActorSystem) -> None:
    ended = []

    class Node(Actor):
        def __init__(self, depth: int) -> None:
            self.depth = depth
            if depth:
                self.spawn(Node, depth - 1)

        def stopping(self, reason: str) -> None:
            time.sleep(1)
            ended.append(self.depth)

        @on
        def exited(self, message: ChildExited) -> None:
            raise AssertionError("told while it was stopping itself")

    system.stop_actor(system.spawn(Node, 3))
    assert ended == [0, 1, 2, 3]


def test_async_handlers_run_in_virtual_time(system: ActorSystem) -> None:
    naps = [system.spawn(Naps) for _ in range(3)]
    replies = [system._runtime.ask(nap, [10.0 * i, 3600.0], 4000) for i, nap in enumerate(naps)]
    assert [reply.result() for reply in replies] == [pytest.approx(3600)] * 3


def test_stop_says_what_it_abandons_and_leaves_no_thread() -> None:
    unwound = []

    class Stuck(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            try:
                time.sleep(1e6)
            finally:
                unwound.append(threading.current_thread())

    system = ActorSystem("sim")
    # With threads of their own, so that the program's thread is free while they wait.
    echo, *stuck = system.spawn(Echo), *(system.spawn(Stuck, isolation="thread") for _ in range(2))
    replies = [system._runtime.ask(one, "x", 1e7) for one in stuck]
    with pytest.raises(TimeoutError):
        system.inbox().receive(0)
    assert system.ask(echo, 1) == (1, "sim")
    left = system.stop(grace=2)
    assert sum("Stuck" in line for line in left) == 2
    assert len(unwound) == 2
    assert not any(thread.is_alive() for thread in unwound)
    assert len(replies) == 2
    with pytest.raises(SystemStopped):
        system.ask(echo, 1)


def test_a_handler_may_stop_its_system() -> None:
    system = ActorSystem("sim")

    class Ends(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.reply("good bye")
            self.outcome = system.stop(1)

    assert system.ask(system.spawn(Ends), "x") == "good bye"
    with pytest.raises(SystemStopped):
        system.status()


def test_several_program_threads_take_turns(system: ActorSystem) -> None:
    asks = system.spawn(Asks, system.spawn(Asks))
    answers: list[Any] = []

    def program(number: int) -> None:
        answers.extend(system.ask(asks, (number, turn))[0] for turn in range(50))

    threads = [threading.Thread(target=program, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == [(n, t) for n in range(4) for t in range(50)]


def test_a_person_who_interrupts_a_handler_ends_the_program(system: ActorSystem) -> None:
    class Interrupted(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        system.ask(system.spawn(Interrupted), "x")


def test_unknown_options_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        ActorSystem("sim", workers=3)


def test_a_name_that_was_made_up_is_the_same_in_every_process(system: ActorSystem) -> None:
    assert system.name == "sim"


def test_addresses_of_two_seeds_differ() -> None:
    with ActorSystem("sim", seed=1) as one, ActorSystem("sim", seed=2) as two:
        addresses: list[Address[Any]] = [one.spawn(Echo), two.spawn(Echo)]
        assert addresses[0] != addresses[1]


def test_with_a_thread_of_its_own_a_handler_does_not_hold_up_the_program() -> None:
    with World(own_thread=True) as world:
        system = world.system("here")
        sleeper, other = system.spawn(Sleeper), system.spawn(Sleeper)
        long = system._runtime.ask(sleeper, 100, 200)
        assert system.ask(other, 1, timeout=5) == pytest.approx(world.now)
        assert world.now < 10
        with pytest.raises(AskTimeout):
            system.ask(sleeper, 1, timeout=5)
        assert world.now < 20
        assert long.result() == pytest.approx(world.now)
        assert 100 < world.now < 110


def test_what_fails_on_a_thread_of_the_world_is_raised_in_the_program() -> None:
    with World(own_thread=True) as world:
        system = world.system("here")
        sleeper = system.spawn(Sleeper)
        world.always("not for long", lambda: world.now < 10)
        with pytest.raises(SimFailure, match="not for long"):
            system.ask(sleeper, 100, timeout=200)
