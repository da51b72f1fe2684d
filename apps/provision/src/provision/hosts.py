"""The systems of a convention on one machine, each with processes of its own: start, crash, stop, and see that none is left.

Owns the keys, the credentials files, the processes and their logs. Knows nothing of what runs on the systems. Invariants:

* Each system is a session and a process group of its own, so that killing the group is what a crash of the machine would be.
* No system outlives the program that started it, not even when that is killed (``provision.tether``).
* Every process carries the mark of its convention in its environment, except the customers' servers, which are known by their
  directory: so what is left over can be found without trusting any bookkeeping.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.engine.nats.server import free_port
from garrick.node.rundir import base_directory, sweep
from provision.drivers.process import GUEST
from provision.errors import SystemFailed
from provision.processes import Identity, alive, identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK: Final = "PROVISION_DEMO"
TETHER: Final = str(Path(__file__).with_name("tether.py"))
APP: Final = "app"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 8.0
GONE_SECONDS: Final = 5.0
PORTS_TRIED: Final = 5


class Convention:
    """An application server and its hosts.

    Args:
        directory: for keys, credentials, logs, and the hosts' disks (``<directory>/<host>``).
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mark = secrets.token_hex(8)
        self.url = ""
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def name(self, system: str) -> str:
        """What ``garrick status`` calls it: two of these programs may run at the same time."""
        return f"{system}-{os.getpid()}"

    def state(self, host: str) -> Path:
        """The host's disk."""
        return self.directory / host

    def sources(self, system: str) -> dict[str, str]:
        """Where a system finds whom it trusts, and keeps the sources that it has: each its own, as on machines of their own."""
        return {
            "GARRICK_HOME": str(self.directory / "trust"),
            "GARRICK_SOURCES": str(self.directory / "sources" / system),
        }

    # ---------------------------------------------------------------------------------------------------------- starting

    def start_app(self) -> None:
        """Make the keys and start the application server, which starts the convention's server on a free port.

        Raises:
            SystemFailed: with what it said last.
        """
        for attempt in range(PORTS_TRIED):
            self.url = f"tls://127.0.0.1:{free_port()}"
            self._keys = create_convention(self.directory / f"keys{attempt or ''}", "demo", [self.url])
            self._launch(APP, ["db=true"], roles=["directory"])
            try:
                self.wait(APP)
                return
            except SystemFailed:
                # Between asking for a free port and using it somebody else may have taken it.
                if "is taken" not in self.log(APP) or attempt == PORTS_TRIED - 1:
                    raise

    def start_host(self, host: str) -> None:
        """Start a host system; ``wait`` returns when it has joined."""
        self._launch(host, [f"host={host}", f"state={self.state(host)}", "remote_sources=signed"])

    def _launch(self, system: str, capabilities: list[str], roles: Iterable[str] = ()) -> None:
        credentials = self.directory / f"{system}.credentials"
        if not credentials.exists() or roles:
            save_credentials(issue(self._keys, self.name(system), roles), credentials)
        node = [sys.executable, "-m", "garrick.node", "--name", self.name(system), "--credentials", str(credentials)]
        with (self.directory / f"{system}.log").open("a", encoding="utf-8") as log:
            self._processes[system] = subprocess.Popen(
                [sys.executable, "-I", "-S", TETHER, str(os.getpid()), *node, "--capabilities", *capabilities],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, MARK: self.mark, **self.sources(system)},
                start_new_session=True,
            )

    def wait(self, system: str, seconds: float = START_SECONDS) -> None:
        """Wait until a system runs and has joined.

        Raises:
            SystemFailed: with what it said last.
        """
        output = self._processes[system].stdout
        assert output is not None
        ready, _, _ = select.select([output], [], [], seconds)
        if not ready or not output.readline().startswith("ready"):
            self._end([system], signal.SIGKILL)
            last = "\n".join(self.log(system).splitlines()[-8:]) or "it said nothing"
            raise SystemFailed(f"the system {system} did not come up within {seconds:g} s", hint=last)

    def log(self, system: str) -> str:
        """What a system has written."""
        return (self.directory / f"{system}.log").read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Nobody has ended who was not told to.

        Raises:
            SystemFailed: a system has.
        """
        for system, process in self._processes.items():
            if process.poll() is not None:
                last = "\n".join(self.log(system).splitlines()[-8:])
                raise SystemFailed(f"the system {system} ended with status {process.returncode}", hint=last)

    # ------------------------------------------------------------------------------------------------------------- ending

    def crash(self, host: str) -> tuple[int, list[str]]:
        """Kill everything on a host at once, as a power failure would.

        Returns:
            How many processes that were, and those that did not die of it (a broken promise).
        """
        group = self._processes[host].pid
        members = list(_group(group))
        os.killpg(group, signal.SIGKILL)
        self._forget(host)
        deadline = time.monotonic() + GONE_SECONDS
        while any(map(alive, members)) and time.monotonic() < deadline:
            time.sleep(0.005)
        survivors = [f"process {process.pid} of {host}" for process in members if alive(process)]
        return len(members), survivors + [_told(guest) for guest in _guests(self.state(host))]

    def stop(self, seconds: float = STOP_SECONDS) -> list[str]:
        """End all systems, hosts first.

        Returns:
            Those that had to be killed.
        """
        hosts = [system for system in self._processes if system != APP]
        stubborn = self._end(hosts, signal.SIGTERM, seconds)
        stubborn += self._end([s for s in self._processes if s == APP], signal.SIGTERM, seconds)
        sweep(base_directory())  # a system that was killed could not remove its run directory
        return stubborn

    def _end(self, systems: list[str], how: signal.Signals, seconds: float = STOP_SECONDS) -> list[str]:
        for system in systems:
            self._processes[system].send_signal(how)
        deadline = time.monotonic() + seconds
        stubborn = []
        for system in systems:
            process = self._processes[system]
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                stubborn.append(f"the system {system} did not end within {seconds:g} s and was killed")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            self._forget(system)
        return stubborn

    def _forget(self, system: str) -> None:
        process = self._processes.pop(system)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def leftovers(self, seconds: float = GONE_SECONDS) -> list[str]:
        """Processes of this convention that are still there after a moment; they are killed, and told."""
        deadline = time.monotonic() + seconds
        while (found := self._alive()) and time.monotonic() < deadline:
            time.sleep(0.05)
        told = [_told(process) for process in found]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return told

    def _alive(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # ended meanwhile, or another user's
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found + _guests(self.directory)


def _group(group: int) -> Iterator[Identity]:
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):  # ended meanwhile
            if os.getpgid(pid) == group:
                yield identity(pid)


def _guests(directory: Path) -> list[psutil.Process]:
    """Customers' servers whose files are below a directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError, KeyError):  # ended meanwhile, or no server after all
            arguments = process.cmdline()
            if GUEST in arguments and directory in Path(json.loads(arguments[-1])["directory"]).parents:
                found.append(process)
    return found


def _told(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"process {process.pid}: {' '.join(process.cmdline())[:120] or process.name()}"
    return f"process {process.pid}, which has ended since"
