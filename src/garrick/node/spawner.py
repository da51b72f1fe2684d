"""`Spawner`: the admin's side of the fork-server.

Owns which numbers run as which pids, and the fork-server itself, which is made anew when it dies (its children die with it). Must
not know what the processes do. `garrick.node.host` is told of each end exactly once.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from garrick.node.deaths import Deaths
from garrick.node.forkserver import PACKET, NodeConfig
from garrick.node.reactor import READ, Reactor

log = logging.getLogger("garrick.node")

_ATTEMPTS: Final = 5
_ATTEMPTS_WITHIN: Final = 10.0
_BOOT: Final = "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); from garrick.node.boot import {0}; {0}()"


def python(entry: str, *arguments: str) -> list[str]:
    """Command line of a fresh interpreter like this one that runs a function of `garrick.node.boot`."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    path = "\n".join(os.path.abspath(place) if place else os.getcwd() for place in sys.path)
    return [sys.executable, *flags, "-c", _BOOT.format(entry), path, *arguments]


class Spawner:
    """See the module.

    Args:
        sock: to the fork-server.
        pid: of the fork-server.
        config: for a new one.
        reactor: waits for the socket.
        died: told ``(number, detail, expected)`` when a process has ended.
        gave_up: told the reason when no fork-server stays alive.
    """

    def __init__(
        self,
        sock: socket.socket,
        pid: int,
        config: NodeConfig,
        reactor: Reactor,
        died: Callable[[int, str, bool], None],
        gave_up: Callable[[str], None],
    ) -> None:
        self.pids: dict[int, int] = {}
        """Number -> pid, of the processes that run."""
        self.preloaded: Callable[[str], None] = lambda _problem: None
        """Told once what went wrong with ``preload`` (empty: nothing), if there is any."""
        self.server = pid
        self._sock: socket.socket | None = sock
        self._config = config
        self._reactor = reactor
        self._died = died
        self._gave_up = gave_up
        self._alive: set[int] = set()
        self._coroner = Deaths()
        self._deaths: list[float] = []
        self._closing = False
        self._attend()

    def start(self, number: int, role: str) -> None:
        """Fork a process with this number."""
        self._alive.add(number)
        self._tell(start=number, role=role)

    def kill(self, number: int) -> bool:
        """Kill a process; False if there is none with this number. `died` tells of its end."""
        if number in self._alive:
            self._tell(kill=number)
            return True
        return False

    @property
    def count(self) -> int:
        """How many processes run, or are being started."""
        return len(self._alive)

    @property
    def alive(self) -> bool:
        """Whether any process runs."""
        return bool(self._alive)

    def close(self) -> None:
        """End the fork-server, and with it everything that still runs."""
        self._closing = True
        if self._sock is not None:
            self._reactor.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None
        # It may be frozen, or in the middle of a fork; nothing in it is worth waiting for.
        _kill_and_reap(self.server)

    def _attend(self) -> None:
        assert self._sock is not None
        self._sock.setblocking(False)
        self._reactor.watch(self._sock.fileno(), READ, self._ready)

    def _tell(self, **order: Any) -> None:
        if self._sock is None:
            return
        try:
            self._sock.send(json.dumps(order).encode())
        except BlockingIOError:
            # Its queue is full of orders: it forks as fast as it can. Later is soon enough.
            self._reactor.later(0.01, lambda: self._tell(**order))
        except OSError:
            log.debug("the fork-server has gone; its end is noticed by reading")

    def _ready(self, _events: int) -> None:
        while self._sock is not None:
            try:
                packet = self._sock.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._server_died()
                return
            self._hear(json.loads(packet))

    def _hear(self, news: dict[str, Any]) -> None:
        if "preloaded" in news:
            self.preloaded(news["preloaded"])
        elif "started" in news:
            self.pids[news["started"]] = news["pid"]
        elif "exited" in news:
            detail, expected = self._coroner.describe(news["status"])
            self._ended(news["exited"], detail, expected)
        elif "failed" in news:
            self._ended(news["failed"], f"it could not be forked: {news['error']}", expected=False)

    def _ended(self, number: int, detail: str, expected: bool) -> None:
        self.pids.pop(number, None)
        if number in self._alive:
            self._alive.discard(number)
            self._died(number, detail, expected)

    def _server_died(self) -> None:
        assert self._sock is not None
        self._reactor.unwatch(self._sock.fileno())
        self._sock.close()
        self._sock = None
        status = _kill_and_reap(self.server)
        if self._closing:
            return
        detail = f"the fork-server ended ({self._coroner.describe(status)[0]}) and all processes with it"
        log.warning("%s; it is started anew", detail)
        lost = list(self._alive)
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if at > now - _ATTEMPTS_WITHIN] + [now]
        if len(self._deaths) > _ATTEMPTS:
            self._gave_up(detail)
        else:
            self._restart()
        for number in lost:
            self._ended(number, detail, expected=False)

    def _restart(self) -> None:
        # Not by fork: this process has an event loop by now, and perhaps threads.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                python("forkserver_main", str(theirs.fileno()), str(os.getpid())),
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(pickle.dumps(self._config))
        self.server = process.pid
        process.returncode = 0  # reaped by us, see close and _server_died
        self._sock = ours
        self._attend()


def _kill_and_reap(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]
    except (ProcessLookupError, ChildProcessError):
        return 0


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
