from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from waiting import wait_for

from provision.drivers.base import Definition
from provision.drivers.process import GUEST, ProcessDriver
from provision.errors import DriverError
from provision.probe import Answer, probe, request
from provision.processes import Identity, alive, end, identity
from provision.protocol import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.processes

numbers = itertools.count(1)


@pytest.fixture
def address() -> str:
    n = next(numbers)
    return f"127.98.{os.getpid() % 250}.{n}"


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[ProcessDriver]:
    driver = ProcessDriver(tmp_path)
    yield driver
    for server in driver.servers():
        driver.destroy(server)


def up(driver: ProcessDriver, server: str) -> Answer:
    status = driver.status(server)
    return wait_for(lambda: probe(status.address, status.port))  # type: ignore[return-value]


def test_a_server_is_a_process_that_answers_on_its_own_address(driver: ProcessDriver, address: str) -> None:
    port = driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0))
    assert not driver.status("web").running
    assert probe(address, port) is None
    pid = driver.start("web", "exec-1").pid
    assert up(driver, "web") == Answer("web", 1, "exec-1", pid or 0)
    driver.stop("web")
    assert probe(address, port) is None
    assert not psutil.pid_exists(pid or 0)


def test_everything_but_a_reboot_may_be_repeated(driver: ProcessDriver, address: str) -> None:
    definition = Definition(address, 1 << 20, boot_seconds=0.0)
    assert driver.define("web", definition) == driver.define("web", definition)
    assert driver.start("web", "a").pid == driver.start("web", "b").pid
    for operation in (driver.stop, driver.stop, driver.destroy, driver.destroy):
        operation("web")
    assert driver.servers() == []


def test_a_reboot_ends_the_process_and_starts_another(driver: ProcessDriver, address: str) -> None:
    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.3))
    before = driver.start("web", "a")
    assert up(driver, "web").boot == 1
    after = driver.reboot("web", "b")
    assert probe(address, after.port) is None, "it takes its time to boot"
    assert up(driver, "web") == Answer("web", 2, "b", after.pid or 0)
    assert before.pid != after.pid


def test_a_server_that_does_not_shut_down_is_killed(
    driver: ProcessDriver, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.drivers.process.HALT_GRACE", 0.1)
    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0, halt_seconds=0.0))
    first = driver.start("web", "a")
    up(driver, "web")
    os.kill(first.pid or 0, signal.SIGSTOP)
    driver.reboot("web", "b")
    assert up(driver, "web").boot == 2


def test_the_server_itself_records_each_boot_and_its_cause(driver: ProcessDriver, address: str, tmp_path: Path) -> None:
    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0))
    driver.start("web", "a")
    up(driver, "web")
    driver.reboot("web", "b")
    up(driver, "web")
    lines = (tmp_path / "servers/web/boots.jsonl").read_text().splitlines()
    assert [(boot["boot"], boot["cause"]) for boot in map(json.loads, lines)] == [(1, "a"), (2, "b")]


def test_a_password_is_kept_as_scrypt_and_checked_by_the_server(
    driver: ProcessDriver, address: str, tmp_path: Path
) -> None:
    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0))
    port = driver.start("web", "a").port
    up(driver, "web")
    assert request("POST", address, port, "/login", b"anything")[0] == 403
    driver.set_password("web", Secret("correct horse"))
    assert request("POST", address, port, "/login", b"correct horse")[0] == 200
    assert request("POST", address, port, "/login", b"wrong horse")[0] == 403
    driver.set_password("web", Secret("battery staple"))
    assert request("POST", address, port, "/login", b"correct horse")[0] == 403
    assert request("POST", address, port, "/login", b"battery staple")[0] == 200
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"staple" not in path.read_bytes()


def test_a_disk_fills_up_to_its_quota_and_not_beyond(driver: ProcessDriver, address: str) -> None:
    quota = 64 * 1024 + 1000
    driver.define("web", Definition(address, quota, boot_seconds=0.0))
    port = driver.start("web", "a").port
    up(driver, "web")
    assert not driver.disk_usage("web").full
    assert request("PUT", address, port, "/photos", bytes(1001))[0] == 507
    assert request("PUT", address, port, "/photos", bytes(1000))[0] == 201
    usage = driver.disk_usage("web")
    assert usage.full
    assert (usage.used, usage.quota) == (quota, quota)


def test_the_server_survives_clients_that_misbehave(driver: ProcessDriver, address: str) -> None:
    import socket

    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0))
    port = driver.start("web", "a").port
    up(driver, "web")
    for sent in (b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"PUT /a HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET"):
        with socket.create_connection((address, port)) as client:
            client.sendall(sent)
    assert request("GET", address, port, "/../etc/passwd")[0] == 404
    assert request("PUT", address, port, "/../x", b"x")[0] == 404
    assert up(driver, "web").boot == 1


def test_another_agent_adopts_running_servers_and_restarts_those_that_should_run(
    driver: ProcessDriver, address: str, tmp_path: Path
) -> None:
    for n, name in enumerate(("adopted", "crashed", "off")):
        driver.define(name, Definition(f"127.97.{os.getpid() % 250}.{n + 1}", 1 << 20, boot_seconds=0.0))
        driver.start(name, "first")
    driver.stop("off")
    adopted = driver.status("adopted").pid
    crashed = identity(driver.status("crashed").pid or 0)
    end(crashed, grace=0)

    again = ProcessDriver(tmp_path)
    recovered = again.recover("recover-2")
    assert recovered.adopted == ("adopted",)
    assert recovered.restarted == ("crashed",)
    assert again.status("adopted").pid == adopted
    assert up(again, "crashed").cause == "recover-2"
    assert not again.status("off").running


def test_a_server_whose_start_was_never_noted_is_ended_by_the_next_agent(
    driver: ProcessDriver, address: str, tmp_path: Path
) -> None:
    driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0))
    stray = identity(driver.start("web", "a").pid or 0)
    up(driver, "web")
    (tmp_path / "servers/web/run.json").unlink()
    ProcessDriver(tmp_path).recover("b")
    assert not alive(stray)
    assert up(driver, "web").cause == "b"


def test_servers_end_with_their_keeper_even_when_it_is_killed(tmp_path: Path, address: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as keeper:
        driver = ProcessDriver(tmp_path, keeper=keeper.pid)
        driver.define("web", Definition(address, 1 << 20, boot_seconds=0.0, halt_seconds=30.0))
        driver.define("booting", Definition(address, 1 << 20, boot_seconds=30.0))
        driver.define("halting", Definition(address, 1 << 20, boot_seconds=0.0, halt_seconds=30.0))
        servers = [identity(driver.start(name, "a").pid or 0) for name in ("web", "booting", "halting")]
        up(driver, "web")
        up(driver, "halting")
        os.kill(servers[2].pid, signal.SIGTERM)
        wait_for(lambda: probe(address, driver.status("halting").port) is None)
        assert all(map(alive, servers))
        keeper.kill()
        wait_for(lambda: not any(map(alive, servers)), 5.0)


def test_a_server_whose_keeper_is_another_process_of_the_same_number_ends_at_once(tmp_path: Path) -> None:
    config = json.dumps({"directory": str(tmp_path), "halt_seconds": 0, "keeper": os.getpid(), "keeper_start": 1})
    assert subprocess.run([sys.executable, "-I", "-S", GUEST, config], timeout=10, check=False).returncode == 3


def test_an_identity_is_not_mistaken_for_a_later_process_of_the_same_number() -> None:
    mine = identity(os.getpid())
    assert alive(mine)
    assert not alive(Identity(mine.pid, mine.start - 1, mine.machine_boot))
    assert not alive(Identity(mine.pid, mine.start, "another boot"))


def test_operations_on_a_server_that_is_not_here_say_so(driver: ProcessDriver) -> None:
    with pytest.raises(DriverError, match="no server 'ghost'"):
        driver.start("ghost", "a")
    with pytest.raises(DriverError, match="no name"):
        driver.define("../evil", Definition("127.0.0.1", 1))
    with pytest.raises(DriverError, match=r"192\.0\.2\.1"):
        driver.define("elsewhere", Definition("192.0.2.1", 1))


def test_a_server_that_is_off_is_not_rebooted(driver: ProcessDriver, address: str) -> None:
    driver.define("web", Definition(address, 1 << 20))
    with pytest.raises(DriverError, match="off"):
        driver.reboot("web", "a")
