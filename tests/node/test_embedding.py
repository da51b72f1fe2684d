"""Garrick inside other frames: threaded web servers, asyncio programs, children of `multiprocessing`."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem
from garrick.aio import AsyncActorSystem
from tests.node.embedding import Doubler, Forever, WhereAsync, child

BASES = ["local", pytest.param("multiprocess", marks=pytest.mark.processes)]
WAIT = 30.0


@pytest.mark.parametrize("base", BASES)
def test_threads_of_a_web_server_ask_in_parallel(base: str) -> None:
    with ActorSystem(base) as system:
        doublers = [system.spawn(Doubler) for _ in range(3)]

        class View(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = int(self.path.strip("/"))
                body = str(system.ask(doublers[number % 3], number, timeout=WAIT)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name in the base class)
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), View) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()

            def get(number: int) -> int:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{number}", timeout=WAIT) as answer:
                    return int(answer.read())

            with ThreadPoolExecutor(16) as browsers:
                assert list(browsers.map(get, range(200))) == [2 * number for number in range(200)]
            server.shutdown()
            serving.join(WAIT)


def test_a_local_system_runs_async_handlers_on_the_loop_of_the_program() -> None:
    async def program() -> None:
        async with AsyncActorSystem("local") as system:
            actor = await system.spawn(WhereAsync)
            here = (threading.get_ident(), id(asyncio.get_running_loop()))
            assert await system.ask(actor, "where?", timeout=WAIT) == here

    asyncio.run(program())


def test_a_handler_that_never_ends_does_not_outlive_its_system_on_the_loop_of_the_program() -> None:
    async def program() -> None:
        system = AsyncActorSystem("local")
        async with system:
            actor = await system.spawn(Forever)
            begun = asyncio.Event()
            asking = asyncio.create_task(system.ask(actor, begun, timeout=WAIT))
            await begun.wait()
            (left,) = await system.stop(grace=0.1)
            assert "Forever" in left
            with pytest.raises(ActorGone):
                await asking
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(program())


@pytest.mark.parametrize("base", BASES)
def test_many_tasks_of_an_asyncio_program_ask_at_once(base: str) -> None:
    async def program() -> list[int]:
        async with AsyncActorSystem(base) as system:
            doubler = await system.spawn(Doubler)
            return list(await asyncio.gather(*(system.ask(doubler, number, timeout=WAIT) for number in range(100))))

    assert asyncio.run(program()) == [2 * number for number in range(100)]


@pytest.mark.processes
@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_a_spawned_child_of_multiprocessing_has_a_system_of_its_own(base: str) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(base, answers))
    process.start()
    process.join(WAIT)
    assert process.exitcode == 0
    assert answers.get() == 42
    answers.close()
    process.close()


SUITE = """
import pytest
from garrick import ActorGone, ActorSystem
from tests.node.embedding import Doubler

@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_doubler(base, number):
    with ActorSystem(base, **({"workers": 1} if base == "multiprocess" else {})) as system:
        assert system.ask(system.spawn(Doubler), number) == 2 * number
"""


@pytest.mark.processes
def test_a_suite_under_xdist(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    root = Path(__file__).parents[2]
    found = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": found},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "16 passed" in run.stdout
