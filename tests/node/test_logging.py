"""The logs of the processes of a system: configured once, whole lines in one file, and nothing lost at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.errors import BadLogging
from tests.node.conftest import wait_until
from tests.node.log_actors import Clerk

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]


def to_file(path: Path, **handler: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"json": {"()": "garrick.observe.logs.JsonFormatter"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": str(path), "formatter": "json", **handler},
        },
        "root": {"handlers": ["file"], "level": "INFO"},
    }


def buffered(path: Path) -> dict[str, Any]:
    return {
        "version": 1,
        "handlers": {"held": {"()": "tests.node.log_actors.Buffered", "path": str(path)}},
        "loggers": {"shop": {"handlers": ["held"], "level": "INFO"}},
    }


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_configuration_reaches_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ActorSystem(workers=2, logging=to_file(path)) as system:
        clerks = [system.spawn(Clerk, isolation=isolation) for isolation in ("shared", "shared", "process")]
        pids = {system.ask(clerk, ("log", "hello")) for clerk in clerks}
        later = system.spawn(Clerk, isolation="process")  # long after the configuration was given
        pids.add(system.ask(later, ("log", "later")))
    lines = lines_of(path)
    assert {line["pid"] for line in lines if line["logger"] == "shop"} == pids
    assert {line["process"].split()[0] for line in lines} == {"admin", "worker", "dedicated"}
    assert {line["system"] for line in lines} == {system._runtime.system}
    spoken = [line for line in lines if line["message"] == "later"]
    assert [(line["class"], line["address"], line["message_type"]) for line in spoken] == [
        ("Clerk", str(later), "tuple")
    ]


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ActorSystem(workers=2, logging=to_file(path)) as system:
        clerks = [system.spawn(Clerk, isolation="process") for _ in range(4)]
        inbox = system.inbox()
        for clerk in clerks:
            inbox.send(clerk, ("lines", 300))
        for _ in clerks:
            inbox.receive(timeout=30)
    lines = [line for line in lines_of(path) if line["logger"] == "shop"]
    assert len({line["pid"] for line in lines}) == 4
    for clerk in clerks:
        written = [line["message"].split()[0] for line in lines if line["address"] == str(clerk)]
        assert written == [str(number) for number in range(300)]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"version": 2}, "version"),
        ({"version": 1, "root": {"handlers": ["nowhere"]}}, "nowhere"),
        ({"version": 1, "handlers": {"h": {"class": "no.such.Handler"}}}, "no.such"),
        (to_file(Path("/nowhere/at/all")), "/nowhere/at/all"),
    ],
)
def test_a_bad_configuration_is_told_at_the_start(config: dict[str, Any], why: str) -> None:
    with pytest.raises(BadLogging, match=why) as caught:
        ActorSystem(workers=1, logging=config)
    assert caught.value.hint


def test_what_handlers_hold_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ActorSystem(workers=1, logging=buffered(path)) as system:
        system.ask(system.spawn(Clerk), ("log", "from a worker"))
        system.ask(system.spawn(Clerk, isolation="process"), ("log", "from a dedicated process"))
        assert not path.exists()
    assert set(path.read_text().splitlines()) == {"from a worker", "from a dedicated process"}


def test_a_handler_that_hangs_keeps_nobody(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "handlers": {"h": {"()": "tests.node.log_actors.Hanging"}},
        "root": {"handlers": ["h"]},
    }
    system = ActorSystem(workers=1, logging=config)
    system.ask(system.spawn(Clerk), ("log", "x"))
    assert system.stop(grace=5.0) == []


def test_threads_of_users_that_fail_are_logged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ActorSystem(workers=1, logging=to_file(path)) as system:
        system.ask(system.spawn(Clerk), ("thread", None))
        system.ask(system.spawn(Clerk, isolation="process"), ("thread", None))
    lines = [line for line in lines_of(path) if "my-thread" in line["message"]]
    assert len({line["pid"] for line in lines}) == 2
    for line in lines:
        assert line["level"] == "ERROR"
        assert "LookupError: in a thread of my own" in line["exception"]


def test_failures_of_handlers_are_one_line_with_a_report_for_debugging(tmp_path: Path) -> None:
    path = tmp_path / "log"
    config = to_file(path)
    config["loggers"] = {"garrick.actor": {"level": "DEBUG"}}
    with ActorSystem(workers=1, logging=config) as system:
        clerk = system.spawn(Clerk)
        system.inbox().send(clerk, ("fail", "no order 12"))
        system.ask(clerk, ("log", "alive"))
    line, report = [line for line in lines_of(path) if line["logger"] == "garrick.actor"]
    assert (line["level"], report["level"]) == ("WARNING", "DEBUG")
    assert "Clerk failed on tuple: LookupError: no order 12" in line["message"]
    assert "exception" not in line
    assert report["message"].startswith(f"crash report of {clerk}")
    assert "raise LookupError(argument)" in report["exception"]
    assert {(each["class"], each["message_type"]) for each in (line, report)} == {("Clerk", "tuple")}


def test_the_limit_of_descriptors_is_told_with_its_code_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ActorSystem(workers=1, logging=to_file(path)) as system:
        system.ask(system.spawn(Clerk), ("exhaust", 0.5))
        wait_until(lambda: "sent without descriptors" in path.read_text())
    (line, *_) = [line for line in lines_of(path) if "GAR-3101" in line["message"]]
    assert "ulimit -n" in line["message"]
    assert line["process"].startswith("worker")


# --- programs --------------------------------------------------------------------------------------------------------


def start(tmp_path: Path, text: str) -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("level", "said"), [("WARNING", False), ("INFO", True)])
def test_by_default_processes_write_to_the_program_s_stderr_at_its_level(
    tmp_path: Path, level: str, said: bool
) -> None:
    child = start(
        tmp_path,
        f"""
        import logging
        from garrick import ActorSystem
        from tests.node.log_actors import Clerk

        if __name__ == "__main__":
            logging.basicConfig(level="{level}", filename="/dev/null")
            with ActorSystem(workers=1) as system:
                clerk = system.spawn(Clerk, name="clara")
                system.ask(clerk, ("log", "good morning"))
                system.send(clerk, ("fail", "no order 12"))
                system.stop_actor(clerk)
        """,
    )
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, "")
    assert ("INFO shop: good morning [Clerk clara]" in err) is said
    assert "WARNING garrick.actor: Clerk failed on tuple: LookupError: no order 12" in err


def test_a_main_file_that_configures_logging_does_so_in_workers_too(tmp_path: Path) -> None:
    child = start(
        tmp_path,
        """
        import logging
        from garrick import Actor, ActorSystem

        logging.basicConfig(level="INFO", format="mine: %(message)s")

        class Till(Actor):
            def receive(self, message, sender):
                logging.getLogger("shop").info("sold")
                self.send(sender, "thanks")

        if __name__ == "__main__":
            with ActorSystem(workers=1) as system:
                system.ask(system.spawn(Till, name="till"), "apples")
        """,
    )
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, "")
    assert "mine: sold\n" in err
    assert err.count("sold") == 1


HOLDING = """
    import sys, time
    from garrick import ActorSystem
    from tests.node.log_actors import Clerk

    if __name__ == "__main__":
        config = {{
            "version": 1,
            "handlers": {{"held": {{"()": "tests.node.log_actors.Buffered", "path": {path!r}}}}},
            "loggers": {{"shop": {{"handlers": ["held"], "level": "INFO"}}}},
        }}
        with ActorSystem(workers=1, logging=config) as system:
            system.ask(system.spawn(Clerk), ("log", "held"))
            print(system._node.admin_pid, flush=True)
            time.sleep(60)
"""


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGKILL", "SIGTERM of the admin"])
def test_what_handlers_hold_is_written_also_when_the_program_is_interrupted(tmp_path: Path, how: str) -> None:
    path = tmp_path / "log"
    child = start(tmp_path, HOLDING.format(path=str(path)))
    assert child.stdout is not None
    admin = int(child.stdout.readline())
    if how == "Ctrl-C":
        child.send_signal(signal.SIGINT)
    elif how in ("SIGTERM", "SIGKILL"):
        child.send_signal(signal.Signals[how])
    else:
        os.kill(admin, signal.SIGTERM)
    try:
        wait_until(path.exists, 10.0)
        wait_until(lambda: path.read_text() == "held\n")
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_nobody_complains_of_results_that_were_not_wanted(tmp_path: Path, base: str) -> None:
    """Neither asyncio nor a hook of the interpreter prints what the log or the asker has already."""
    child = start(
        tmp_path,
        f"""
        import asyncio, gc, logging
        from garrick import Actor, ActorSystem, AsyncActorSystem

        class Fails(Actor):
            async def receive(self, message, sender):
                await asyncio.sleep(0)
                raise LookupError("expected")

        class Forgets(Actor):
            async def receive(self, message, sender):
                target = self.spawn(Fails)
                self.ask(target, 1)                                     # nobody looks at the answer
                waiting = asyncio.ensure_future(self.ask(target, 2, timeout=0.01))
                waiting.cancel()
                await asyncio.sleep(0.1)
                self.send(sender, "forgot")

        async def main():
            async with AsyncActorSystem("{base}") as system:
                print(await system.ask(await system.spawn(Forgets), "go"))
                task = asyncio.create_task(system.ask(await system.spawn(Fails), "and this one is cancelled"))
                await asyncio.sleep(0)
                task.cancel()
            gc.collect()

        if __name__ == "__main__":
            logging.getLogger("garrick").setLevel("CRITICAL")
            asyncio.run(main())
            with ActorSystem("{base}") as system:
                system.send(system.spawn(Fails), "sent")
            gc.collect()
        """,
    )
    out, err = child.communicate(timeout=40)
    assert (child.returncode, out) == (0, "forgot\n")
    assert "asyncio" not in err
    assert "never" not in err
    assert "Traceback" not in err


def test_a_segmentation_fault_leaves_a_traceback(tmp_path: Path) -> None:
    child = start(
        tmp_path,
        """
        from garrick import ActorGone, ActorSystem
        from tests.node.log_actors import Clerk

        if __name__ == "__main__":
            with ActorSystem(workers=1) as system:
                clerk = system.spawn(Clerk)
                try:
                    system.ask(clerk, ("segfault", None), timeout=20)
                except ActorGone as error:
                    print(error.reason)
        """,
    )
    out, err = child.communicate(timeout=40)
    assert (child.returncode, out) == (0, "worker lost\n")
    assert "Segmentation fault" in err
    assert "log_actors.py" in err
