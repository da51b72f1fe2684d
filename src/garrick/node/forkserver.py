"""The fork-server of a system: a small process with the library loaded that makes all others in milliseconds.

Owns forking, and reaping what it forked. Must not import asyncio or anything of a user that he has not named for it (``preload``), and has
one thread, or forking would not be safe. The admin talks to it over a socket pair, one JSON object per packet::

    {"start": number, "role": role}    ->  {"started": number, "pid": pid}  or  {"failed": number, "error": text}
    {"kill": number}
                                       <-  {"preloaded": text}: once, if there was something to preload; what went wrong
                                       <-  {"exited": number, "status": wait status}

Invariants: whoever it forked is killed by the kernel when it ends, and it is killed when the admin ends, whatever state they are in;
so nothing of a system outlives its admin.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from garrick.observe import logsetup

PACKET: Final = 4096
OWNER_PATIENCE: Final = 20.0
"""Seconds after the death of the owner in which the admin must have ended the system; then it hangs, or is stopped, and is killed."""
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15


@dataclass(frozen=True)
class NodeConfig:
    """What every process of a system must know; travels to the admin by its standard input, and from there by fork."""

    system: str
    rundir: str
    capabilities: dict[str, Any] = field(default_factory=dict)
    workers: int = 1
    detached: bool = False
    owner: int | None = None
    """Pid of the program that the system ends with."""
    foreground: bool = False
    """The admin is a program of its own (`garrick.node`), which ends on SIGINT and SIGTERM."""
    main: str | None = None
    """The private name of the owner's main module."""
    argv: tuple[str, ...] = ()
    """What ``sys.argv`` is in workers."""
    logging: bytes | None = None
    """How every process configures its log (`garrick.observe.logsetup.pack`); None: the default."""
    log_level: int = 30
    """Level of the default: the one of the program's root logger."""
    credentials: str | None = None
    """File with the credentials for a convention; None: the system stays on its own."""
    join: tuple[str, ...] = ()
    """Addresses of the convention, if others than the credentials say."""
    listen: str | None = None
    """``host:port`` for the convention's server, if this system starts it."""
    preload: tuple[str, ...] = ()
    """Modules that the fork-server imports, so that its children need not."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; at once if that has happened."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def set_title(title: str) -> None:
    """The short name that ``ps`` and ``top`` show."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)


def serve(sock: socket.socket, config: NodeConfig, admin: int) -> NoReturn:
    """Be the fork-server until the admin closes the socket."""
    server = _ForkServer(sock, config, admin)
    try:
        server.run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


class _ForkServer:
    def __init__(self, sock: socket.socket, config: NodeConfig, admin: int) -> None:
        self.sock = sock
        self.config = config
        self.admin = admin
        self.numbers: dict[int, int] = {}
        """pid -> process number, of those that have not been reaped."""
        self.owner: int | None = None
        """Tells when the owner has died."""
        self.deadline: float | None = None
        """When the admin must have ended."""
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, leave_it_to_the_admin)
        signal.signal(signal.SIGCHLD, _wake)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        die_with_parent(self.admin)
        set_title("garrick fork")
        import garrick.node.worker  # noqa: F401 - what every child needs is loaded once, here

        if self.config.preload:
            self.tell(preloaded=preload(self.config.preload)[:2000])
        gc.collect()
        gc.freeze()  # the collector of a child leaves our pages alone, so that they stay shared
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self.wake_read, select.POLLIN)
        self.watch_owner(poll)
        while True:
            ready = poll.poll(None if self.deadline is None else 1000 * max(0.0, self.deadline - time.monotonic()))
            if self.deadline is not None and time.monotonic() >= self.deadline:
                print("garrick: the admin outlives its owner and is killed", file=sys.stderr, flush=True)  # noqa: T201
                os.kill(self.admin, signal.SIGKILL)  # and with it goes this process, by the kernel, and all others
                os._exit(1)
            if self.owner is not None and any(descriptor == self.owner for descriptor, _ in ready):
                poll.unregister(self.owner)
                self.deadline = time.monotonic() + OWNER_PATIENCE
            if any(descriptor == self.wake_read for descriptor, _ in ready):
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, 512)
                self.reap()
            if any(descriptor == self.sock.fileno() for descriptor, _ in ready):
                packet = self.sock.recv(PACKET)
                if not packet:
                    return
                self.obey(json.loads(packet))

    def watch_owner(self, poll: Any) -> None:
        """An admin that is stopped can't see that its owner has died; somebody has to, or the system would stay for ever."""
        if self.config.owner is None or not hasattr(os, "pidfd_open"):
            return
        try:
            self.owner = os.pidfd_open(self.config.owner)
            poll.register(self.owner, select.POLLIN)
        except ProcessLookupError:
            self.deadline = time.monotonic() + OWNER_PATIENCE
        except OSError:
            pass  # an old kernel: the admin alone watches it

    def obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            self.start(order["start"], order["role"])
        elif "kill" in order:
            for pid, number in self.numbers.items():
                if number == order["kill"]:
                    os.kill(pid, signal.SIGKILL)  # not reaped yet, so the pid is still theirs

    def start(self, number: int, role: str) -> None:
        if role == "dedicated" and self.config.main is not None:
            # Workers come first and may never need it; of these there may be many. The name says the content, so it stays right.
            from garrick.node.mainmodule import compile_ahead

            compile_ahead(self.config.main, Path(self.config.rundir) / "mains")
        parent = (
            os.getpid()
        )  # asked before: a child whose parent has just been killed would take whoever adopted it for its parent
        try:
            pid = os.fork()
        except OSError as error:
            self.tell(failed=number, error=str(error))
            return
        if pid == 0:
            self.child(number, role, parent)
        self.numbers[pid] = number
        self.tell(started=number, pid=pid)

    def child(self, number: int, role: str, parent: int) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent(parent)
            self.sock.close()
            os.close(self.wake_read)
            os.close(self.wake_write)
            if self.owner is not None:
                os.close(self.owner)
            set_title(f"garrick {role[0]}{number}")
            if not faulthandler.is_enabled():
                with contextlib.suppress(ValueError, OSError, AttributeError):
                    faulthandler.enable()  # a segmentation fault in a handler says where
            from garrick.node.worker import run

            status = run(self.config, number, role)
        except BaseException:
            logging.getLogger("garrick.node").critical("%s %d failed", role, number, exc_info=True)
        finally:
            with contextlib.suppress(Exception):
                logsetup.end()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def reap(self) -> None:
        while self.numbers:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self.numbers.pop(pid, None)
            if number is not None:
                self.tell(exited=number, status=status)

    def tell(self, **content: Any) -> None:
        try:
            self.sock.send(json.dumps(content).encode())
        except OSError:
            os._exit(1)  # the admin has gone


def preload(modules: tuple[str, ...]) -> str:
    """Import what users want all processes to have from the beginning; what went wrong, or nothing."""
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # of a user, and whatever it is the start of the system has to say it
            return f"{name} can't be preloaded: {type(error).__name__}: {error}"
        if threading.active_count() > 1:
            others = ", ".join(t.name for t in threading.enumerate() if t is not threading.main_thread())
            return f"{name} can't be preloaded: it starts a thread ({others}), which no forked process would have"
    return ""


def leave_it_to_the_admin(_signum: int, _frame: FrameType | None) -> None:
    """A terminal or a service manager signals all processes of a system at once; the admin decides what that means.

    Not SIG_IGN, which programs started by a handler would inherit.
    """


def _wake(_signum: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor does the work; a handler must exist for it to be written."""
