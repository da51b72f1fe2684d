"""Processes that die in all ways and at all moments, and starts that fail half-way: who is told, how soon, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from garrick import ActorGone, ActorSystem, InvalidArgument, Restart
from garrick.errors import SystemStartFailed
from garrick.node import client
from tests.node.actors import Do, Victim
from tests.node.conftest import processes_of, wait_until
from tests.node.loss_actors import Again, Heard, House, Make

pytestmark = pytest.mark.processes

SOURCE = Path(__file__).resolve().parents[2]
TOLD_WITHIN = 3.0
"""Seconds; the promise is one, which `test_faults` judges: here many processes start and end at once."""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{SOURCE / 'src'}:{SOURCE}"}


@pytest.mark.parametrize(
    ("harm", "detail"),
    [
        (Do("kill_yourself"), "killed by SIGKILL"),
        (Do("segfault"), "killed by SIGSEGV"),
        (Do("abort"), "killed by SIGABRT"),
        (Do("exit_now", 0), "exit status 0"),
        (Do("exit_on_a_thread", 3), "exit status 3"),
    ],
)
@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_those_who_must_know_are_told_how_it_died(isolation: str, harm: Do, detail: str) -> None:
    with ActorSystem(name="a", workers=2) as system, system.inbox() as inbox:
        doomed, other = (system.spawn(Again, isolation=isolation) for _ in range(2))
        pids = [system.ask(actor, Do("pid")) for actor in (doomed, other)]
        assert pids[0] != pids[1]
        inbox.watch(doomed)
        began = time.monotonic()
        with pytest.raises(ActorGone) as gone:
            system.ask(doomed, harm, timeout=10)
        notice = inbox.receive(10)
        assert time.monotonic() - began < TOLD_WITHIN
        assert (gone.value.reason, gone.value.outcome_unknown) == ("worker lost", True)
        assert (notice.actor, notice.reason, notice.detail) == (doomed, "worker lost", detail)
        lost = system.status()["lost_processes"]
        assert [(process["reason"], process["detail"]) for process in lost] == [("worker lost", detail)]
        assert system.ask(other, Do("pid")) == pids[1]


def test_a_thread_that_exits_ends_nobody() -> None:
    with ActorSystem(name="a", workers=1) as system:
        actor = system.spawn(Again)
        pid = system.ask(actor, Do("pid"))
        system.ask(actor, Do("sys_exit_on_a_thread"))
        assert system.ask(actor, Do("pid")) == pid


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_what_crashes_at_its_start_is_tried_slower_and_slower(tmp_path: Path, isolation: str) -> None:
    path = tmp_path / "made"
    with ActorSystem(name="a", workers=1) as system:
        for_ever = Restart(max=1_000_000, within=60, on_loss=True)
        house = system.spawn(House)
        if isolation == "process":
            child = system.ask(house, Make((str(path), 1), supervision=for_ever))
        else:
            child = system.spawn(Again, str(path), 1, supervision=for_ever)
        system.ask(child, Do("pid"))
        began = time.monotonic()
        system.send(child, Do("kill_yourself"))
        wait_until(lambda: len(path.read_text().split()) == 6, 20)
        # At once, then after 0.1, 0.2, 0.4, 0.8 s.
        assert time.monotonic() - began > 1.4
        if isolation == "process":
            assert system.ask(house, Heard()) == []


def test_who_survives_losses_survives_the_fork_server() -> None:
    with ActorSystem(name="a", workers=2) as system:
        again = Restart(max=3, within=60, on_loss=True)
        actors = [system.spawn(Again, supervision=again, isolation=how) for how in ("shared", "shared", "process")]
        plain = system.spawn(Victim)
        server = system.ask(actors[0], Do("fork_server_pid"))
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: len(system.status()["lost_processes"]) == 3, 10)
        assert {system.ask(actor, Do("fork_server_pid"), timeout=10) for actor in actors} != {server}
        with pytest.raises(ActorGone):
            system.ask(plain, 1)


def test_an_admin_that_is_stopped_does_not_hold_up_the_end(base: Path) -> None:
    system = ActorSystem(name="a", workers=1)
    victim = system.spawn(Victim)
    psutil.Process(system._node.admin_pid).suspend()  # type: ignore[attr-defined]
    assert system.ask(victim, 1) == 1, "messages do not go over it"
    left = system.stop(grace=0.1)
    assert "was killed" in left[-1]
    wait_until(lambda: not processes_of(base))


PROGRAM = """
import sys
from garrick import ActorSystem
from tests.node.actors import Do, Spawner, Victim

if __name__ == "__main__":
    system = ActorSystem(name="a", workers=2)
    shared = [system.spawn(Victim, wait=False) for _ in range(300)]
    system.ask(shared[-1], 1)
    system.send(system.spawn(Spawner), 200)
    dedicated = [system.spawn(Victim, isolation="process", wait=False) for _ in range(200)]
    print("ready", flush=True)
    for victim in dedicated:
        system.ask(victim, Do("sleep", 1), 60)
"""


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_a_program_is_killed_while_it_makes_hundreds_of_actors(base: Path, after: float) -> None:
    path = base / "program.py"
    path.write_text(PROGRAM)
    command = [sys.executable, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(after)  # any moment will do
        process.kill()
        process.wait()
        wait_until(lambda: not processes_of(base), 15)


# --- starts that fail ---------------------------------------------------------------------------------------------------------


def test_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(SystemStartFailed, match="nowhere"):
        ActorSystem(name="a", workers=1)


def test_an_interpreter_that_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SystemStartFailed, match="ended with status 1"):
        ActorSystem(name="a", workers=1)


def test_capabilities_that_can_not_travel() -> None:
    with pytest.raises(InvalidArgument, match="capabilities"):
        ActorSystem(name="a", workers=1, capabilities={"x": lambda: None})


@pytest.mark.parametrize("option", [{"workers": -1}, {"workers": "2"}, {"capabilities": ["gpu"]}])
def test_options_that_make_no_sense(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(option))):
        ActorSystem(name="a", **option)


def test_the_program_fails_when_its_system_is_half_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("planted")

    monkeypatch.setattr(client, "Process", fail)
    with pytest.raises(OSError, match="planted"):
        ActorSystem(name="a", workers=1)


def test_too_few_descriptors_are_told_at_once() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n"
        "from garrick import ActorSystem\nActorSystem(name='a', workers=4)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "SystemStartFailed: GAR-3002 this program may open 16 files" in done.stderr
    assert "ulimit -n" in done.stderr


# --- beside multiprocessing ---------------------------------------------------------------------------------------------------


BESIDE = """
import multiprocessing, sys
from garrick import ActorSystem
from tests.node import loss_programs
from tests.node.actors import Victim

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ActorSystem(name="a", workers=1) as system:
        victim = system.spawn(Victim, name="v")
        queue = context.Queue()
        child = context.Process(target=getattr(loss_programs, sys.argv[2]), args=(queue,))
        child.start()
        print(queue.get(timeout=30), flush=True)
        child.join(30)
        print(child.exitcode, system.ask(victim, "still there"), flush=True)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("what", ["attach", "start"])
def test_a_child_of_multiprocessing_uses_a_system(base: Path, method: str, what: str) -> None:
    path = base / "program.py"
    path.write_text(BESIDE)
    command = [sys.executable, str(path), method, what]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("answered\n0 still there\n", "")
