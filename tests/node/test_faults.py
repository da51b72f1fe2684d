"""Each process of a system dies, freezes or misbehaves: what the design says happens, within its times, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from garrick import ActorGone, ActorSystem, Address, AskError, ChildExited, HandlerFailed, SystemStopped, Terminated
from tests.node.actors import Counter, Do, Flooder, Notices, Parent, Raise, Victim
from tests.node.conftest import processes_of, wait_until

pytestmark = pytest.mark.processes

KNOWN_WITHIN = 1.0
"""Seconds: section 12 of the design, "failure known"."""


def parent_and_child(system: ActorSystem) -> tuple[Address[Any], Address[Any]]:
    """A parent, and a child of it that has a process of its own."""
    parent = system.spawn(Parent)
    child = system.ask(parent, Raise("process"))
    system.ask(child, Do("pid"))
    return parent, child


@pytest.mark.parametrize(
    ("harm", "detail"),
    [
        (Do("kill_yourself"), "SIGKILL"),
        (Do("segfault"), "SIGSEGV"),
        (Do("exit_now", 0), "exit status 0"),
        (Do("exit_now", 3), "exit status 3"),
    ],
)
def test_a_dedicated_process_dies(harm: Do, detail: str) -> None:
    with ActorSystem(name="a", workers=1) as system:
        parent, child = parent_and_child(system)
        notices = system._runtime.ask(parent, Notices(), 5)
        began = time.monotonic()
        with pytest.raises(ActorGone) as gone:
            system.ask(child, harm, timeout=5)
        heard = notices.result()
        assert time.monotonic() - began < KNOWN_WITHIN
        assert gone.value.reason == "worker lost"
        assert gone.value.outcome_unknown
        assert {type(n) for n in heard} == {ChildExited, Terminated}
        assert {n.reason for n in heard} == {"worker lost"}
        assert all(detail in n.detail for n in heard)
        with pytest.raises(ActorGone):
            system.ask(child, 1, timeout=5)
        assert system.ask(system.ask(parent, Raise()), 1) == 1


@pytest.mark.parametrize("harm", [Do("kill_yourself"), Do("segfault"), Do("exit_now", 0)])
def test_a_worker_dies_and_is_replaced(harm: Do) -> None:
    with ActorSystem(name="a", workers=2) as system, system.inbox() as inbox:
        victims = [system.spawn(Victim) for _ in range(2)]
        doomed, other = victims
        pids = [system.ask(v, Do("pid")) for v in victims]
        assert pids[0] != pids[1]
        for victim in victims:
            inbox.watch(victim)
        began = time.monotonic()
        with pytest.raises(ActorGone) as gone:
            system.ask(doomed, harm, timeout=5)
        notice = inbox.receive(5)
        assert time.monotonic() - began < KNOWN_WITHIN
        assert gone.value.outcome_unknown
        assert isinstance(notice, Terminated)
        assert (notice.actor, notice.reason) == (doomed, "worker lost")
        assert system.ask(other, Do("pid")) == pids[1]
        fresh = [system.spawn(Victim) for _ in range(4)]
        assert len({system.ask(v, Do("pid")) for v in fresh}) == 2


def test_the_admin_dies(base: Path) -> None:
    system = ActorSystem(name="a", workers=2)
    victim = system.spawn(Victim)
    reply = system._runtime.ask(victim, Do("sleep", 60), 60)
    began = time.monotonic()
    os.kill(system._node.admin_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    with pytest.raises(AskError):
        reply.result()
    assert time.monotonic() - began < KNOWN_WITHIN
    wait_until(lambda: not processes_of(base), KNOWN_WITHIN)
    with pytest.raises((AskError, SystemStopped)):
        system.ask(victim, 1, timeout=5)
    system.stop()


def test_the_admin_dies_while_everything_else_is_frozen(base: Path) -> None:
    system = ActorSystem(name="a", workers=2)
    system.spawn(Victim)
    admin = system._node.admin_pid  # type: ignore[attr-defined]
    for process in processes_of(base):
        if process.pid != admin:
            process.suspend()
    os.kill(admin, signal.SIGKILL)
    wait_until(lambda: not processes_of(base), KNOWN_WITHIN)
    system.stop()


def test_the_fork_server_dies() -> None:
    with ActorSystem(name="a", workers=2) as system:
        victims = [system.spawn(Victim), system.spawn(Victim, isolation="process")]
        server = system.ask(victims[0], Do("fork_server_pid"))
        replies = [system._runtime.ask(v, Do("sleep", 60), 60) for v in victims]
        began = time.monotonic()
        os.kill(server, signal.SIGKILL)
        for reply in replies:
            with pytest.raises(ActorGone):
                reply.result()
        assert time.monotonic() - began < KNOWN_WITHIN
        again = system.spawn(Victim)
        assert system.ask(again, Do("fork_server_pid")) != server


def test_a_frozen_worker_loses_nothing() -> None:
    with ActorSystem(name="a", workers=2) as system:
        counter = system.spawn(Counter)
        flooder = system.spawn(Flooder, counter, "x")
        beside_counter = next(v for v in (system.spawn(Victim) for _ in range(4)) if v.process == counter.process)
        victim = psutil.Process(system.ask(beside_counter, Do("pid")))
        victim.suspend()
        reply = system._runtime.ask(flooder, (20_000, 100), 30)
        time.sleep(0.2)  # frozen for a while: that is the point
        victim.resume()
        assert reply.result() == 20_000
        wait_until(lambda: system.ask(counter, "count")[0] == 20_000, 30)
        assert system.ask(counter, "count") == (20_000, 0)


def suspicion(system: ActorSystem, number: int) -> float | None:
    """For how long a process has been suspect."""
    found: float | None = next(p["suspect"] for p in system.status(10)["processes"] if p["number"] == number)
    return found


def test_a_frozen_worker_is_suspect_and_not_dead() -> None:
    with ActorSystem(name="a", workers=2) as system:
        victims = [system.spawn(Victim) for _ in range(2)]
        frozen, other = victims
        assert frozen.process != other.process
        process = psutil.Process(system.ask(frozen, Do("pid")))
        process.suspend()
        try:
            wait_until(lambda: suspicion(system, frozen.process) is not None, 10)
            assert suspicion(system, other.process) is None
            # Nothing that has a choice goes there, and what is for it waits.
            fresh = [system.spawn(Victim) for _ in range(4)]
            assert {victim.process for victim in fresh} == {other.process}
            reply = system._runtime.ask(frozen, "waited", 30)
        finally:
            process.resume()
        assert reply.result() == "waited"
        wait_until(lambda: suspicion(system, frozen.process) is None, 10)
        again = [system.spawn(Victim) for _ in range(6)]
        assert frozen.process in {victim.process for victim in again}
        assert system.ask(frozen, Do("pid")) == process.pid


def test_who_wants_dead_letters_waits_for_a_process_that_is_late() -> None:
    with ActorSystem(name="a", workers=1) as system:
        process = psutil.Process(system.ask(system.spawn(Victim), Do("pid")))
        going_on = threading.Event()

        def go_on() -> None:
            going_on.set()
            process.resume()

        process.suspend()
        timer = threading.Timer(1.5, go_on)
        timer.start()
        with system.dead_letters():
            assert going_on.is_set()
        timer.join()


def test_a_dedicated_process_that_computes_is_not_suspect() -> None:
    with ActorSystem(name="a", workers=1) as system:
        victim = system.spawn(Victim, isolation="process")
        reply = system._runtime.ask(victim, Do("compute", 2.0), 30)
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            assert suspicion(system, victim.process) is None
            time.sleep(0.1)
        assert reply.result() == "computed"


def test_sys_exit_ends_the_actor_and_not_its_worker() -> None:
    with ActorSystem(name="a", workers=1) as system, system.inbox() as inbox:
        first, second = system.spawn(Victim), system.spawn(Victim)
        pid = system.ask(first, Do("pid"))
        inbox.watch(first)
        with pytest.raises(HandlerFailed):
            system.ask(first, Do("sys_exit", 3), timeout=5)
        notice = inbox.receive(5)
        assert (notice.actor, notice.reason) == (first, "failed")
        assert system.ask(second, Do("pid")) == pid


def test_memory_error_is_an_ordinary_failure() -> None:
    with ActorSystem(name="a", workers=1) as system:
        victim = system.spawn(Victim, isolation="process")
        system.ask(victim, Do("limit_memory", 64 << 20))
        with pytest.raises(HandlerFailed) as failure:
            system.ask(victim, Do("allocate", 1 << 30), timeout=5)
        assert isinstance(failure.value.error, MemoryError)
        assert system.ask(victim, Do("allocate", 1000), timeout=5) == 1000


PROGRAM = """
import sys, time
from garrick import ActorSystem
from tests.node.actors import Do, Victim

if __name__ == "__main__":
    system = ActorSystem(name="a", workers=2, detached={detached})
    victims = [system.spawn(Victim, name="v"), system.spawn(Victim, isolation="process")]
    for victim in victims:
        system.ask(victim, Do("pid"))
    print("ready", flush=True)
    {then}
"""


def program(base: Path, *, detached: bool = False, then: str = "time.sleep(600)") -> subprocess.Popen[str]:
    """A program that runs a system; it has said that it is ready."""
    path = base / "program.py"
    path.write_text(PROGRAM.format(detached=detached, then=then))
    source = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{source / 'src'}:{source}"}
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_client_dies_and_its_system_with_it(base: Path, number: signal.Signals) -> None:
    with program(base) as process:
        process.send_signal(number)
        process.wait()
        wait_until(lambda: not processes_of(base), KNOWN_WITHIN)


def test_the_client_just_ends(base: Path) -> None:
    with program(base, then="pass") as process:
        assert process.wait(10) == 0
        wait_until(lambda: not processes_of(base), 5)


def test_the_client_dies_while_a_handler_blocks(base: Path) -> None:
    with program(base, then="system.ask(victims[0], Do('sleep', 600), 600)") as process:
        process.kill()
        process.wait()
        wait_until(lambda: not processes_of(base), 7)


def test_an_interrupt_is_for_the_client_alone(base: Path) -> None:
    then = """
    try:
        print("waiting", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        print(system.ask(victims[0], 7), flush=True)
        system.stop()
    """
    with program(base, then=then) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        others = [member.pid for member in processes_of(base) if member.pid != process.pid]
        for pid in [*others, process.pid]:  # as a terminal does; the client last, since it ends the others then
            os.kill(pid, signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "7\n"
        assert process.wait(10) == 0


def test_a_child_that_the_program_forks_is_no_part_of_it(base: Path) -> None:
    then = """
    import os
    from garrick import GarrickError
    pid = os.fork()
    if pid == 0:
        try:
            system.ask(victims[0], "from the child", 5)
        except GarrickError as error:
            os._exit(7)
        os._exit(8)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), system.ask(victims[0], "x"), flush=True)
    system.stop()
    """
    with program(base, then=then) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "7 x\n"
        assert process.wait(10) == 0


def test_a_detached_system_survives_its_client(base: Path) -> None:
    with program(base, detached=True) as process:
        process.kill()
        process.wait()
    guest = ActorSystem.attach("a")
    victim = guest.lookup("v")
    assert victim is not None
    assert guest.ask(victim, 1) == 1
    guest._node.shutdown(1.0)  # type: ignore[attr-defined]
    guest.stop()
    wait_until(lambda: not processes_of(base))


def test_a_guest_dies_and_the_system_goes_on(base: Path) -> None:
    with ActorSystem(name="b", workers=1) as system:
        victim = system.spawn(Victim, name="v")
        path = base / "guest.py"
        path.write_text(
            "import time\nfrom garrick import ActorSystem\nsystem = ActorSystem.attach('b')\n"
            "from tests.node.actors import Do\nvictim = system.lookup('v')\nprint(system.ask(victim, 5), flush=True)\n"
            "system.ask(victim, Do('wait_until_given_up', 30), 600)\n"
        )
        source = Path(__file__).resolve().parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{source / 'src'}:{source}"}
        with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=environment) as guest:
            assert guest.stdout is not None
            assert guest.stdout.readline() == "5\n"
            time.sleep(0.2)  # so that it probably has asked; whenever it dies, nobody else suffers
            guest.kill()
        assert system.ask(victim, 1) == 1
        assert system.ask(victim, Do("what_was_seen")) in ([5, True, 1], [5, 1])  # who handles its question sees that


def test_the_directory_of_a_dead_system_is_swept_away(base: Path) -> None:
    with program(base) as process:
        admin = int((base / "garrick" / "a" / "pid").read_text())
        process.send_signal(signal.SIGSTOP)
        os.kill(admin, signal.SIGKILL)
        wait_until(lambda: processes_of(base) == [psutil.Process(process.pid)])
        process.kill()
    assert (base / "garrick" / "a").exists()
    with ActorSystem(name="b", workers=1):
        assert not (base / "garrick" / "a").exists()


def test_few_descriptors_are_enough() -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))"
    code = f"""{limit}
from garrick import ActorSystem
from tests.node.actors import Do, Spawner
system = ActorSystem(name="a", workers=1)
actors = system.ask(system.spawn(Spawner), 100)
print(len({{system.ask(a, Do("pid")) for a in actors}}))
system.stop()
"""
    source = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{source / 'src'}:{source}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "100\n", done.stderr
