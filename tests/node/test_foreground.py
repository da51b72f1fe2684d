"""``python -m garrick.node``: a host without a program of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from garrick import ActorSystem, NoCapableSystem
from garrick.errors import BadLogging, SystemExists
from garrick.node.rundir import RunDir
from garrick.observe.client import request
from tests.node.actors import Do, Victim
from tests.node.conftest import processes_of, wait_until

pytestmark = pytest.mark.processes

SOURCE = Path(__file__).resolve().parents[2]


@contextmanager
def node(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE / 'src'}:{SOURCE}"}
    command = [sys.executable, "-m", "garrick.node", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    word, _, system = process.stdout.readline().strip().partition(" ")
    assert word == "ready"
    return system


def test_a_node_logs_as_its_file_says(tmp_path: Path) -> None:
    config = tmp_path / "logging.json"
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "log")}
    config.write_text(
        json.dumps({"version": 1, "handlers": {"f": handler}, "root": {"handlers": ["f"], "level": "INFO"}})
    )
    with node("--name", "h1", "--workers", "1", "--logging", str(config)) as process:
        ready(process)
        process.terminate()
        assert process.wait(10) == 0
    assert "the system ends" in (tmp_path / "log").read_text()


def test_a_node_does_not_start_with_a_bad_logging_file(tmp_path: Path) -> None:
    config = tmp_path / "logging.json"
    config.write_text('{"version": 1, "root": {"handlers": ["nowhere"]}}')
    with node("--name", "h1", "--workers", "1", "--logging", str(config)) as process:
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert BadLogging.code in process.stderr.read()


def test_a_program_uses_a_node() -> None:
    with node("--name", "h1", "--workers", "1", "--capabilities", "host=h1", "n=3", "db", "x=tr ue") as process:
        assert ready(process).startswith("h1@")
        system = ActorSystem.attach("h1")
        assert system.capabilities == {"host": "h1", "n": 3, "db": True, "x": "tr ue"}
        victim = system.spawn(Victim, name="stays", requires={"host": "h1", "n": 3})
        with pytest.raises(NoCapableSystem):
            system.spawn(Victim, requires={"host": "h2"})
        system.stop()
        again = ActorSystem.attach("h1")
        assert again.lookup("stays") == victim
        assert again.ask(victim, 1) == 1
        again.stop()
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_its_processes_is_a_graceful_end(number: signal.Signals) -> None:
    with node("--name", "h1", "--workers", "2") as process:
        ready(process)
        system = ActorSystem.attach("h1")
        system.ask(system.spawn(Victim, isolation="process"), Do("pid"))
        os.killpg(process.pid, number)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        system.stop()


def test_kill_minus_nine_leaves_nothing(base: Path) -> None:
    with node("--name", "h1", "--workers", "2") as process:
        ready(process)
        process.kill()
        process.wait()
        wait_until(lambda: not processes_of(base), 1)
    assert (base / "garrick" / "h1").exists()
    with node("--name", "h1", "--workers", "1") as process:  # the same name again, over what the dead one left
        ready(process)
        process.terminate()
        assert process.wait(10) == 0


def test_a_taken_name_is_refused() -> None:
    with ActorSystem(name="h1", workers=1), node("--name", "h1") as process:
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert SystemExists.code in process.stderr.read()


def test_missing_credentials_are_told() -> None:
    pytest.importorskip("nats", reason="the extra `cluster` is not installed")
    with node("--name", "h1", "--credentials", "/nowhere/h1.creds") as process:
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert "GAR-4006" in process.stderr.read()


@pytest.mark.parametrize("moment", ["p1.sock", "engine", "engine/lock"])
def test_a_signal_while_it_joins_leaves_nothing(base: Path, tmp_path: Path, moment: str) -> None:
    pytest.importorskip("nats", reason="the extra `cluster` is not installed")
    from garrick.engine.identity import create_convention, issue, save_credentials
    from garrick.engine.nats.server import free_port

    address = f"127.0.0.1:{free_port()}"
    keys = create_convention(tmp_path / "keys", "test", [f"tls://{address}"])
    path = save_credentials(issue(keys, "h1", ["directory"]), tmp_path / "h1.json")
    with node("--name", "h1", "--workers", "1", "--credentials", str(path), "--listen", address) as process:
        rundir = base / "garrick" / "h1"
        wait_until(lambda: (rundir / moment).exists() or process.poll() is not None, 10)
        process.terminate()
        assert process.wait(10) == 0
        assert not rundir.exists()


def test_the_management_socket_answers(base: Path) -> None:
    with ActorSystem(name="a", workers=1) as system:
        system.spawn(Victim, name="v")
        status = request(RunDir.find("a").path, "status")
        assert status["system"].startswith("a@")
        assert "v" in str(status)
