"""The calling program's part of a ``multiprocess`` system: start one or attach to one, and take part in it.

Owns the session with the admin (its first connection, by which each side knows that the other lives) and the runtime in this
process. Actors never run here; its asks and inboxes do. A program may hold several of these.
"""

from __future__ import annotations

import base64
import logging
import os
import pickle
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from garrick import version
from garrick.clocks import SystemIds
from garrick.errors import InvalidArgument, NoSuchSystem, NotAuthorised, SystemStartFailed, VersionMismatch
from garrick.node import existing, handshake
from garrick.node.forkserver import NodeConfig
from garrick.node.inlink import listen
from garrick.node.limits import check_descriptors
from garrick.node.mainmodule import Bodies, Main, MainFinder, own_main, publish, refuse_while_importing
from garrick.node.reactor import READ
from garrick.node.rundir import RunDir, remove_ended
from garrick.node.spawner import processors, python
from garrick.node.worker import Process
from garrick.observe import logsetup
from garrick.runtime import process as process_signals
from garrick.runtime.baton import Baton
from garrick.runtime.signals import Shutdown, SystemLost
from garrick.wire.envelope import SIGNAL

log = logging.getLogger("garrick.node")

ENDED_SECONDS: Final = 1.0
"""How long an admin that does not answer is waited for, to say whether it has ended."""
START_SECONDS: Final = 20.0
"""How long the admin may take to answer; it needs a fraction of a second unless the machine is overloaded."""
END_MARGIN: Final = 5.0
"""Seconds beyond its grace in which a system must have ended, before it is killed."""


class ClientNode:
    """A running system as the calling program holds it; see `garrick.node.base.Node`.

    Attributes:
        name: of the system.
        system: its id, ``name@incarnation``.
        runtime: of this process.
        admin: control address of the admin.
        admin_pid: pid of the admin.
    """

    def __init__(
        self, rundir: RunDir, admin: subprocess.Popen[bytes] | None, session: _Session, main: Main | None
    ) -> None:
        welcome = session.welcome
        self.name = rundir.name
        self.system: str = welcome["system"]
        self.admin_pid: int = welcome["pid"]
        self._rundir = rundir
        self._admin_process = admin
        self._session = session
        self._buffer = bytearray()
        self._ended = threading.Event()
        self._abandoned: list[str] = []
        self._stopping = False
        self._lock = threading.Lock()
        self._finder = MainFinder(rundir.path / "mains")
        self._finder.install()
        config = NodeConfig(self.system, str(rundir.path))
        bodies = Bodies(main, welcome["main"], program=True)
        process = self._process = Process(config, welcome["number"], "client", rundir, bodies)
        self.runtime = process.runtime
        self.runtime.hosts_actors = False
        self.admin = self.runtime.admin
        seen = threading.Event()
        process.inbound.on_view = lambda _view: self.runtime.post(lambda _: seen.set(), None)
        process.poller.watch(session.sock.fileno(), READ, self._hear)
        process.inbound.on_holder = True
        process.links.open(0)
        self._scheduler = process.scheduler = Baton(self.runtime, process.poller, name=f"garrick-{self.name}")
        self._scheduler.start()
        if not seen.wait(START_SECONDS) or self._ended.is_set():
            self._close()
            raise SystemStartFailed(
                f"the system {self.name!r} did not come up", hint="what its processes printed on stderr says why"
            )
        process.numbers.fetch()
        os.register_at_fork(after_in_child=_Forked(self))

    @property
    def ended(self) -> bool:
        """Whether the system has ended, by whatever cause."""
        return self._ended.is_set()

    # --- the session; on the poller's thread ----------------------------------------------------------------------------

    def _hear(self, _events: int) -> None:
        try:
            data = self._session.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._buffer += data
        for statement in handshake.parse_lines(self._buffer):
            if "ended" in statement:
                self._abandoned = list(statement["abandoned"])
                self._system_ended("stopped", statement["ended"])
        if not data:
            self._process.poller.unwatch(self._session.sock.fileno())
            if not self._ended.is_set():
                self._system_ended("system lost", "its admin process died")

    def _system_ended(self, reason: str, detail: str) -> None:
        """Everything that still waits for the system fails, now and later."""
        if self._ended.is_set():
            return
        runtime = self.runtime
        runtime.deliver(runtime.address, SIGNAL, SystemLost(self.system, reason, detail), runtime.admin)
        self._end_inboxes()
        self._ended.set()
        if reason != "stopped" and not self._stopping:
            log.error("the system %s has gone: %s", self.system, detail)

    def _end_inboxes(self) -> None:
        self.runtime.ending = True
        self.runtime.post(process_signals.shutdown, self.runtime)

    # --- the end ----------------------------------------------------------------------------------------------------------

    def stop(self, grace: float) -> list[str]:
        """End the system, if this program started it; else leave it. See `garrick.node.base.Node`."""
        with self._lock:
            if self._stopping:
                self._ended.wait(grace + END_MARGIN)
                return self._abandoned
            self._stopping = True
        if self._admin_process is not None:
            self.shutdown(grace)
        self._close()
        return self._abandoned

    def shutdown(self, grace: float) -> list[str]:
        """End the system, also when another program started it; what had to be abandoned."""
        if not self._ended.is_set():
            self.runtime.route(self.admin, Shutdown(grace), None, SIGNAL)
            if not self._ended.wait(grace + END_MARGIN):
                self._abandoned = [*self._abandoned, f"the admin process {self.admin_pid} did not end and was killed"]
                if self._admin_process is not None:
                    self._admin_process.kill()  # and the kernel kills all others
            _await_exit(
                self.admin_pid, END_MARGIN, reap=self._admin_process is None or self._admin_process.returncode == 0
            )
        return self._abandoned

    def _close(self) -> None:
        process = self._process
        if not self._ended.is_set():
            process.flushed(1.0)
            self._session.goodbye()
        closed = threading.Event()
        self.runtime.on_shutdown = closed.set
        self._end_inboxes()
        closed.wait(1.0)
        process_signals.abandon(self.runtime)
        process.links.undeliverable = lambda _raw, _reason: None
        if not self._scheduler.stop(2.0):
            log.warning("a thread of %s is still in user code", self.system)
        self._finder.remove()
        process.links.close()
        process.listener.close()
        self._session.sock.close()
        process.poller.close()
        self._rundir.forget(self.runtime.number)
        if self._admin_process is not None:
            _reap(self._admin_process)
            remove_ended(self._rundir.path)


class _Forked:
    """Called in a child that the program forked: the system belongs to the parent, and its threads are not here."""

    def __init__(self, node: ClientNode) -> None:
        self._node = weakref.ref(node)  # there is no way to unregister

    def __call__(self) -> None:
        node = self._node()
        if node is not None:
            node.runtime.ending = True
            node._process.links.disown()
            node._ended.set()


class _Session:
    """The first connection to the admin."""

    def __init__(self, sock: socket.socket, welcome: dict[str, Any]) -> None:
        self.sock = sock
        self.welcome = welcome

    @classmethod
    def begin(cls, rundir: RunDir, *, owner: bool) -> _Session:
        """Say HELLO and wait for the answer.

        Raises:
            NotAuthorised: the token was refused.
            NoSuchSystem: nobody answers.
            VersionMismatch: the system runs another version of Garrick.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(START_SECONDS)
            sock.connect(rundir.socket(0))
            flags = handshake.OWNER if owner else 0
            sock.sendall(
                handshake.hello(handshake.SESSION, "client", handshake.UNKNOWN, os.getpid(), rundir.token(), flags)
            )
            welcome = _read_line(sock)
        except (OSError, EOFError) as error:
            sock.close()
            detail = str(error) or "it closed the connection"
            raise NoSuchSystem(f"the system {rundir.name!r} does not answer: {detail}") from error
        except BaseException:
            sock.close()
            raise
        if "refused" in welcome:
            sock.close()
            raise NotAuthorised(f"the system {rundir.name!r} refused this program: {welcome['refused']}")
        if "failed" in welcome:
            sock.close()
            raise pickle.loads(base64.b64decode(welcome["failed"]))
        sock.setblocking(False)
        session = cls(sock, welcome)
        if welcome.get("version") != version.__version__:
            session.goodbye()
            sock.close()
            raise VersionMismatch(
                f"the system {rundir.name!r} runs Garrick {welcome.get('version')}, this program {version.__version__}"
            )
        return session

    def goodbye(self) -> None:
        """Leave of one's own accord."""
        try:
            self.sock.send(handshake.line(bye=True))
        except OSError as error:
            log.debug("no good-bye: %s", error)


def _read_line(sock: socket.socket) -> dict[str, Any]:
    buffer = bytearray()
    while True:
        data = sock.recv(1)
        if not data:
            raise EOFError
        buffer += data
        for statement in handshake.parse_lines(buffer):
            return statement


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_MARGIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# --- starting and attaching ------------------------------------------------------------------------------------------------


def start(
    name: str | None = None,
    capabilities: Mapping[str, Any] | None = None,
    workers: int | None = None,
    *,
    detached: bool = False,
    credentials: str | os.PathLike[str] | None = None,
    join: str | Sequence[str] = (),
    listen: str | None = None,
    preload: Sequence[str] = (),
    logging: Mapping[str, Any] | None = None,
) -> ClientNode:
    """Start a system on this machine and take part in it.

    Args:
        name: unique among this user's running systems; None: made up.
        capabilities: of the system.
        workers: number of worker processes; None: one per processor that this process may use.
        detached: whether the system goes on when this program ends.
        credentials: file with the credentials for a convention that the system joins.
        join: addresses of the convention, if others than the credentials say.
        listen: ``host:port`` for the convention's server, if this system starts it.
        preload: modules that are imported once, before processes are forked, instead of in each of them.
        logging: how all processes of the system configure their logs, as for `logging.config.dictConfig`.

    Raises:
        BadLogging: ``logging`` can't be used.
        SystemExists: a system of that name runs.
        SystemStartFailed: its admin did not come up, or a module can't be preloaded.
        EngineError: the convention can't be joined.
        BadCredentials: the credentials are damaged, or another system's.
        MissingMainGuard: this is a worker that imports the program's main file.
    """
    refuse_while_importing()
    packed = logsetup.pack(logging)
    if workers is None:
        workers = processors()
    if not isinstance(workers, int) or workers < 0:
        raise InvalidArgument(f"workers={workers!r} is no number of processes", hint="give 1 or more, or None")
    check_descriptors(workers + 1)
    rundir = existing.create(name or _made_up_name(), capabilities or {})
    admin: subprocess.Popen[bytes] | None = None
    try:
        main = own_main()
        if main is not None:
            publish(main, rundir.path / "mains")
        config = NodeConfig(
            system=f"{rundir.name}@{SystemIds.incarnation()}",
            rundir=str(rundir.path),
            capabilities=dict(capabilities or {}),
            workers=workers,
            detached=detached,
            owner=None if detached else os.getpid(),
            main=main.name if main else None,
            argv=tuple(sys.argv),
            credentials=os.path.abspath(credentials) if credentials is not None else None,
            join=(join,) if isinstance(join, str) else tuple(join),
            listen=listen,
            preload=(preload,) if isinstance(preload, str) else tuple(preload),
            logging=packed,
            log_level=logsetup.program_level(),
        )
        admin = _start_admin(config, rundir)
        session = _first_session(rundir, admin, not detached)
        try:
            return ClientNode(rundir, None if detached else admin, session, main)
        except BaseException:
            session.sock.close()
            raise
    except BaseException:
        # A second Ctrl-C waits until nothing is left of the system: the signal itself is held back, since a handler may raise anywhere.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            if admin is not None:
                admin.kill()
                admin.wait()
            rundir.close()
            remove_ended(rundir.path)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        raise


def _start_admin(config: NodeConfig, rundir: RunDir) -> subprocess.Popen[bytes]:
    assert rundir.lock is not None
    try:
        content = pickle.dumps(config)
    except Exception as error:  # whatever a value of a user raises
        raise InvalidArgument(
            f"the capabilities of system {rundir.name!r} can't be pickled: {type(error).__name__}: {error}",
            hint="use values that other processes can have too: texts, numbers, lists, dicts",
        ) from error
    # Made here and inherited, so that this process can connect at once and fails at once if the admin does.
    with listen(rundir.socket(0)) as listener:
        output = None
        if config.detached:
            output = os.open(rundir.path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                python("admin_main", str(rundir.lock), str(listener.fileno())),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[rundir.lock, listener.fileno()],
                start_new_session=config.detached,
            )
        except OSError as error:
            raise SystemStartFailed(
                f"no process can be started for the system {rundir.name!r}: {error}",
                hint="is sys.executable a Python interpreter, and are processes and memory left (`ulimit -u`, `free`)?",
            ) from error
        finally:
            if output is not None:
                os.close(output)
    try:
        rundir.close()
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as pipe:  # it ended before it had read its configuration
            pipe.write(content)
    except BaseException:  # interrupted, and the caller does not know of it yet
        process.kill()
        process.wait()
        raise
    if config.detached:
        process.returncode = 0  # nobody waits for it; an exit of this program must not complain
    return process


def _await_exit(pid: int, seconds: float, *, reap: bool) -> None:
    """Wait until a process that has said that it ends has ended; whoever looks then finds no trace of it."""
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError):  # it has ended; or this is no Linux
        descriptor = -1
    if descriptor >= 0:
        try:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            waiting.poll(seconds * 1000)
        finally:
            os.close(descriptor)
    if reap:  # a detached one may be our child all the same
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _first_session(rundir: RunDir, admin: subprocess.Popen[bytes], owner: bool) -> _Session:
    try:
        return _Session.begin(rundir, owner=owner)
    except NoSuchSystem as error:
        ended = str(error)
        if admin.returncode is None:  # else it is detached, and nobody can know its status
            with suppress(subprocess.TimeoutExpired):
                # Its socket is closed a moment before it can be reaped.
                ended = f"its admin ended with status {admin.wait(ENDED_SECONDS)}"
        raise SystemStartFailed(
            f"the system {rundir.name!r} did not come up: {ended}", hint="what the admin printed on stderr says why"
        ) from error


def attach(name: str) -> ClientNode:
    """Take part in a running system of this user.

    Raises:
        NoSuchSystem: there is none of that name.
        NotAuthorised: its token can't be read, or it was refused.
        VersionMismatch: it runs another version of Garrick.
    """
    refuse_while_importing()
    check_descriptors(1)
    rundir = RunDir.find(name)
    session = _Session.begin(rundir, owner=False)
    try:
        main = own_main()
        if main is not None:
            publish(main, rundir.path / "mains")
        return ClientNode(rundir, None, session, main)
    except BaseException:
        session.sock.close()
        raise


_counter = 0
_counter_lock = threading.Lock()


def _made_up_name() -> str:
    """After the program and its pid, so that a list of systems says something."""
    global _counter  # noqa: PLW0603 - names must differ within the process
    with _counter_lock:
        _counter += 1
        number = _counter
    program = re.sub(r"[^A-Za-z0-9]+", "-", Path(sys.argv[0] if sys.argv else "").stem).strip("-")[:20] or "python"
    return f"{program}-{os.getpid()}" + (f"-{number}" if number > 1 else "")
