"""What code of a world gets when it reaches for the outside, and that nobody else notices."""

# ruff: noqa: PLW0108 - a lambda looks the name up inside of the world, where it means something else

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import gc
import multiprocessing
import os
import random
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from garrick import Actor, ActorSystem, HandlerFailed
from garrick.errors import NotSimulated
from garrick.sim import boundary
from garrick.sim.border import BOUNDARY, Border
from garrick.sim.clock import EPOCH
from garrick.sim.fences import place
from garrick.sim.world import World

CAUGHT = [border for border in boundary() if border.how != "not caught"]


class Does(Actor):
    """Calls what it is sent, and answers the result."""

    def receive(self, message: Callable[[], Any], sender: Any) -> None:
        self.reply(message())


class DoesAsync(Actor):
    """The same in a coroutine."""

    async def receive(self, message: Callable[[], Any], sender: Any) -> None:
        self.reply(await message())


def everything() -> dict[str, Any]:
    found = {}
    for border in CAUGHT:
        owner, name = place(border.name)
        found[border.name] = vars(owner).get(name, "inherited")
    return found


@pytest.fixture(autouse=True)
def _nothing_patched() -> Any:
    before = everything()
    collecting = gc.isenabled()
    yield
    assert everything() == before
    assert gc.isenabled() == collecting


# --- the boundary is what it says -------------------------------------------------------------------------------------------

LEGAL: dict[str, tuple[Any, ...]] = {
    "time.sleep": (0.5,),
    "time.strftime": ("%Y",),
    "random.uniform": (1, 2),
    "random.triangular": (1, 2),
    "random.randint": (1, 6),
    "random.choice": ([1, 2, 3],),
    "random.randrange": (6,),
    "random.sample": (range(9), 3),
    "random.shuffle": ([],),
    "random.choices": ([1, 2, 3],),
    "random.normalvariate": (0, 1),
    "random.lognormvariate": (0, 1),
    "random.expovariate": (1,),
    "random.vonmisesvariate": (0, 1),
    "random.gammavariate": (1, 1),
    "random.gauss": (0, 1),
    "random.betavariate": (1, 1),
    "random.paretovariate": (1,),
    "random.weibullvariate": (1, 1),
    "random.getrandbits": (64,),
    "random.randbytes": (8,),
    "random._urandom": (8,),
    "os.urandom": (8,),
}


def call(border: Border) -> Any:
    if border.name == "random.Random.seed":
        return random.Random().random()
    owner, name = place(border.name)
    return getattr(owner, name)(*LEGAL.get(border.name, ()))


@pytest.mark.parametrize("border", [b for b in CAUGHT if b.how in ("virtual", "seeded")], ids=lambda b: b.name)
def test_what_is_virtual_or_seeded_is_the_same_in_every_run(border: Border) -> None:
    def run(seed: int) -> Any:
        with ActorSystem("sim", seed=seed) as system:
            does = system.spawn(Does)
            return [repr(system.ask(does, lambda: call(border))) for _ in range(3)]

    assert run(1) == run(1)
    if border.how == "seeded" and border.name not in ("random.seed", "random.shuffle"):
        drawn = [*run(1), *run(2)]
        if border.name not in ("random.randint", "random.randrange", "random.choice", "random.choices"):
            assert len(set(drawn)) == 6, "not what the seed decides"


@pytest.mark.parametrize("border", [b for b in CAUGHT if b.how == "refused"], ids=lambda b: b.name)
def test_what_is_refused_raises_at_the_call_and_says_the_way_out(border: Border, system: ActorSystem) -> None:
    def reach() -> None:
        owner, name = place(border.name)
        getattr(owner, name)(object())

    with pytest.raises(HandlerFailed) as failure:
        system.ask(system.spawn(Does), reach)
    error = failure.value.error
    assert isinstance(error, NotSimulated)
    assert border.name in str(error)
    assert border.instead in str(error.hint)
    assert "in reach" in failure.value.remote_traceback


def test_every_name_of_the_boundary_says_what_to_do() -> None:
    assert [border.name for border in BOUNDARY if len(border.instead) < 8] == []
    names = [border.name for border in BOUNDARY]
    assert len(names) == len(set(names))


def test_what_is_not_caught_is_the_machines(system: ActorSystem) -> None:
    year = system.ask(system.spawn(Does), lambda: dt.datetime.now(dt.UTC).year)
    assert "datetime.datetime.now" in {border.name for border in boundary() if border.how == "not caught"}
    assert year > 2000, "it is caught after all: the boundary should say so"


# --- as programs do it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reach",
    [
        lambda: threading.Thread(target=print).start(),
        lambda: threading.Timer(1, print).start(),
        lambda: concurrent.futures.ThreadPoolExecutor().submit(print),
        lambda: multiprocessing.Process(target=print).start(),
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: os.system("true"),
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.socketpair(),
        lambda: select.select([], [], [], 0),
    ],
    ids=["thread", "timer", "pool", "process", "subprocess", "shell", "connection", "pair", "select"],
)
def test_the_outside_is_refused(reach: Callable[[], Any], system: ActorSystem) -> None:
    with pytest.raises(HandlerFailed) as failure:
        system.ask(system.spawn(Does), reach)
    assert isinstance(failure.value.error, NotSimulated)


def test_sockets_that_were_open_before_are_refused_too(system: ActorSystem) -> None:
    one, other = socket.socketpair()
    with one, other:
        does = system.spawn(Does)
        for reach in (lambda: one.send(b"x"), lambda: other.recv(1)):
            with pytest.raises(HandlerFailed) as failure:
                system.ask(does, reach)
            assert isinstance(failure.value.error, NotSimulated)
        assert one.send(b"x") == 1  # the program's own
        assert other.recv(1) == b"x"


def test_time_is_the_worlds(system: ActorSystem) -> None:
    does = system.spawn(Does)

    def look() -> list[float]:
        began = [time.time(), time.monotonic(), time.perf_counter()]
        time.sleep(90)
        return [time.time(), time.monotonic(), time.perf_counter(), *began, time.gmtime().tm_year]

    t, m, p, t0, m0, p0, year = system.ask(does, look, timeout=100)
    assert (t - t0, m - m0, p - p0) == (pytest.approx(90), pytest.approx(90), pytest.approx(90))
    assert (t0, year) == (pytest.approx(EPOCH, abs=1), 2000)
    assert time.time() > EPOCH + 1e8
    assert system.ask(does, lambda: time.strftime("%H:%M:%S", time.gmtime())) == "00:01:30"


def test_what_one_actor_draws_moves_nothing_of_another() -> None:
    draws: list[Callable[[], Any]] = [
        lambda: random.random(),
        lambda: uuid.uuid4(),
        lambda: secrets.token_hex(4),
    ]

    def run(*, more: bool) -> list[Any]:
        with World(5) as world:
            system = world.system("one")
            first, second = system.spawn(Does), system.spawn(Does)
            if more:
                system.ask(first, lambda: [random.random() for _ in range(3)] and uuid.uuid4())
            return [system.ask(second, draw) for draw in draws]

    assert run(more=True) == run(more=False)


def test_the_programs_randomness_is_left_alone() -> None:
    random.seed(3)
    expected = [random.random() for _ in range(2)]
    random.seed(3)
    with ActorSystem("sim") as system:
        does = system.spawn(Does)
        drawn = [random.random()]
        system.ask(does, lambda: [random.seed(1), random.random()])
        drawn.append(random.random())
    assert drawn == expected


def test_coroutines_draw_from_their_actors_stream() -> None:
    def run(*, more: bool) -> Any:
        async def draw() -> list[float]:
            await asyncio.sleep(1)
            return [random.random(), time.monotonic()]

        with ActorSystem("sim") as system:
            first, second = system.spawn(DoesAsync), system.spawn(DoesAsync)
            if more:
                system._runtime.ask(first, draw, 30)
            return system.ask(second, draw)

    one, other = run(more=True), run(more=False)
    assert one[0] == other[0]


def test_functions_for_threads_run_inline(system: ActorSystem) -> None:
    async def work() -> list[Any]:
        loop = asyncio.get_running_loop()
        pool = concurrent.futures.ThreadPoolExecutor()
        return [
            await asyncio.to_thread(threading.current_thread) is threading.main_thread(),
            await loop.run_in_executor(pool, lambda: random.randrange(1)),
        ]

    assert system.ask(system.spawn(DoesAsync), work) == [True, 0]


@pytest.mark.parametrize("how", ["exec", "connection", "signal", "reader"])
def test_the_loop_refuses_what_is_outside(how: str, system: ActorSystem) -> None:
    async def reach() -> None:
        loop = asyncio.get_running_loop()
        if how == "exec":
            await asyncio.create_subprocess_exec(sys.executable)
        elif how == "connection":
            await asyncio.open_connection("127.0.0.1", 9)
        elif how == "signal":
            loop.add_signal_handler(15, print)
        else:
            loop.add_reader(0, print)

    with pytest.raises(HandlerFailed) as failure:
        system.ask(system.spawn(DoesAsync), reach)
    assert isinstance(failure.value.error, NotSimulated)


def test_without_fences_everything_is_real() -> None:
    with ActorSystem("sim", fences=False) as system:
        does = system.spawn(Does)
        assert system.ask(does, lambda: time.time()) > EPOCH + 1e8
        with concurrent.futures.ThreadPoolExecutor() as pool:
            assert system.ask(does, lambda: pool.submit(len, "abc").result()) == 3


def test_threads_of_the_program_are_not_fenced_while_a_world_runs(system: ActorSystem) -> None:
    seen: list[Any] = []
    inside, over = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        seen.append((time.time() > EPOCH + 1e8, subprocess.run(["true"], check=False).returncode))
        over.set()

    thread = threading.Thread(target=other)
    thread.start()

    def let_it() -> bool:
        inside.set()
        return over.wait(10)

    assert system.ask(system.spawn(Does), let_it)
    thread.join(10)
    assert seen == [(True, 0)]


def test_what_somebody_else_patches_stays_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1234.5)
    with ActorSystem("sim") as system:
        assert system.ask(system.spawn(Does), lambda: time.time()) == pytest.approx(EPOCH, abs=1)
        assert time.time() == 1234.5
    assert time.time() == 1234.5


def test_finalizers_run_at_fixed_steps() -> None:
    class Cycle:
        def __init__(self, log: list[int], steps: Callable[[], int]) -> None:
            self.me = self
            weakref.finalize(self, lambda: log.append(steps()))

    def run(noise: int) -> list[int]:
        log: list[int] = []
        world = World()
        with world:
            system = world.system("one")
            does = system.spawn(Does)

            def make() -> None:
                [[] for _ in range(noise)]
                Cycle(log, lambda: world._kernel.steps)

            for _ in range(4):
                system.ask(does, make)
            replies = [system._runtime.ask(does, make, 30) for _ in range(36)]
            replies += [system._runtime.ask(does, lambda: None, 30) for _ in range(3000)]
            assert replies[-1].result() is None
            return list(log)

    quiet, noisy = run(1), run(5000)
    assert len(quiet) == 40
    assert len(set(quiet)) > 2
    assert quiet == noisy
