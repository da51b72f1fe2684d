"""`Host`: the admin process of a system, asyncio around the `AdminMachine`.

Owns what the machine must not know and `garrick.node.edge` leaves open: sockets, processes, time, clients, the operator, the end. No
user code and no class of a user is ever loaded here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable
from typing import Any, Final, NoReturn

from garrick import version
from garrick.errors import GarrickError, SystemStartFailed
from garrick.node import handshake
from garrick.node.admin import (
    AdminMachine,
    Answer,
    Effect,
    EndSystem,
    KillProcess,
    StartProcess,
)
from garrick.node.edge import AdminEdge, Gateway
from garrick.node.forkserver import NodeConfig
from garrick.node.handshake import OWNER, Hello
from garrick.node.inlink import Listener
from garrick.node.limits import most_processes, raise_soft_limit
from garrick.node.links import Links
from garrick.node.mainmodule import Bodies
from garrick.node.neighbours import Neighbours
from garrick.node.reactor import READ, AsyncioReactor
from garrick.node.rundir import RunDir
from garrick.node.spawner import Spawner
from garrick.observe.management import CHANGES, QUESTIONS, SOCKET, methods
from garrick.observe.server import ManagementServer

log = logging.getLogger("garrick.node")

OWNER_CALLS_SECONDS: Final = 10.0
"""How long a system that can't start waits for its owner, to tell it why."""
FLUSH_SECONDS: Final = 1.0
OWNER_GONE_GRACE: Final = 5.0


class Host(AdminEdge):
    """See the module."""

    def __init__(
        self, config: NodeConfig, rundir: RunDir, listener: socket.socket, forkserver: socket.socket, pid: int
    ) -> None:
        self.config = config
        self.rundir = rundir
        self.loop = asyncio.get_running_loop()
        self.reactor = AsyncioReactor(self.loop)
        machine = AdminMachine(
            config.system,
            capabilities=config.capabilities,
            detached=config.detached,
            now=self.loop.time(),
            pulse=True,
        )
        self.ended = asyncio.Event()
        token = rundir.token()
        links = Links(
            system=config.system,
            number=0,
            role="admin",
            rundir=rundir,
            token=token,
            reactor=self.reactor,
            bodies=Bodies(None, config.main, program=False),
        )
        super().__init__(machine, links, Listener(listener, self.reactor, token, self.receive, self._session))
        self.spawner = Spawner(forkserver, pid, config, self.reactor, self.process_died, self._no_forkserver)
        self._preloaded: asyncio.Future[str] = self.loop.create_future()
        self.spawner.preloaded = self._fork_server_is_ready
        self.opening: asyncio.Task[None] | None = None
        """What the system does before it lets clients in; an end of the system ends that first."""
        self._sessions: dict[int, _Session] = {}
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tick_handle: asyncio.TimerHandle | None = None
        self._ready = config.credentials is None and not config.preload
        self._early: list[tuple[Hello, socket.socket]] = []
        """Sessions of clients that wait until the system has what it needs."""
        self._failure: GarrickError | None = None
        """Why the system can't start."""
        neighbours = Neighbours(self)
        self._management = ManagementServer(
            rundir.path / SOCKET,
            {"status": lambda _: self.status(), **methods(QUESTIONS, self.inspect), **neighbours.looks},
            {**methods(CHANGES, self.inspect), **neighbours.changes},
        )
        self._most = most_processes()
        self._ending = False
        self._end: EndSystem | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the workers."""
        self.apply(self.machine.start(self.config.workers, self.now()))

    async def open(self) -> None:
        """Answer questions of the operator, join the convention if there is one, and let clients in.

        Raises:
            GarrickError: the convention can't be joined, or a module not be preloaded; clients have been told.
        """
        await self._management.start()
        try:
            if self.config.preload:
                await self._preload()
            if self.config.credentials is not None:
                await self._join(self.config.credentials)
        except GarrickError as error:
            self._turn_away(error)
            raise
        self._ready = True
        for hello, sock in self._early:
            self._session(hello, sock)
        self._early.clear()

    def _fork_server_is_ready(self, problem: str) -> None:
        if not self._preloaded.done():  # a new fork-server says it again
            self._preloaded.set_result(problem)

    async def _preload(self) -> None:
        problem = await self._preloaded
        if problem:
            raise SystemStartFailed(
                problem, hint="preload= takes modules that can be imported without the program and start no threads"
            )

    async def refuse(self, error: GarrickError) -> NoReturn:
        """Tell whoever starts this system why it can't be, and give up."""
        self._ready = False
        if not self.config.foreground:
            deadline = self.now() + OWNER_CALLS_SECONDS
            while not self._early and self.now() < deadline:  # noqa: ASYNC110 - once in the life of a system
                await asyncio.sleep(0.005)
        self._turn_away(error)
        raise error

    def _turn_away(self, error: GarrickError) -> None:
        self._failure = error
        for _, sock in self._early:
            _refuse(sock, error)
        self._early.clear()

    async def _join(self, path: str) -> None:
        from garrick.node.joining import join_convention  # late: only members need the engine

        credentials: Any = path
        serve = None
        if self.config.join:
            from garrick.engine.identity import load_credentials

            credentials = load_credentials(path).with_servers(self.config.join)
            serve = None if self.config.listen else False  # the servers are elsewhere
        await join_convention(self, credentials, listen=self.config.listen, serve=serve)

    def now(self) -> float:
        """Monotonic seconds."""
        return self.loop.time()

    def shutdown(self, grace: float, reason: str) -> None:
        """Begin to end the system."""
        self.apply(self.machine.shutdown(grace, self.now(), reason))

    async def status(self) -> dict[str, Any]:
        """What is known of the system and its processes, as plain data."""
        return await self._answer(lambda token: self.machine.status_wanted(token, self.now()))

    async def inspect(self, what: str, params: dict[str, Any]) -> dict[str, Any]:
        """An operator's question about actors or dead letters (`garrick.node.admin.inspection`).

        Raises:
            GarrickError: it makes no sense, or what it asks for can't be done.
        """
        return await self._answer(lambda token: self.machine.inspect(token, what, params, self.now()))

    async def _answer(self, ask: Callable[[int], list[Effect]]) -> dict[str, Any]:
        token = len(self._answers) + 1
        while token in self._answers:
            token += 1
        future: asyncio.Future[dict[str, Any]] = self.loop.create_future()
        self._answers[token] = future
        try:
            self.apply(ask(token))
            return await future
        finally:
            del self._answers[token]

    # --- processes ----------------------------------------------------------------------------------------------------------

    def _no_forkserver(self, detail: str) -> None:
        log.error("no fork-server stays alive (%s): the system ends", detail)
        self.shutdown(0.0, detail)

    def _session(self, hello: Hello, sock: socket.socket) -> None:
        """A client wants to take part."""
        if self._failure is not None:
            _refuse(sock, self._failure)
            return
        if self._ending:
            sock.close()
            return
        if not self._ready:
            self._early.append((hello, sock))
            return
        number = self.machine.allot("client", self.now())
        owner = bool(hello.flags & OWNER)
        self._sessions[number] = _Session(self, number, owner, sock, hello.pid)

    def session_ended(self, number: int, detail: str, expected: bool) -> None:
        """A client has gone."""
        if self._sessions.pop(number, None) is not None:
            self.process_died(number, detail, expected)

    # --- effects --------------------------------------------------------------------------------------------------------------

    def _answered(self, effect: Answer) -> None:
        future = self._answers.get(effect.token)
        if future is None or future.done():
            return
        if isinstance(effect.value, BaseException):
            future.set_exception(effect.value)
        else:
            future.set_result(effect.value)

    def _owns(self, number: int) -> bool:
        session = self._sessions.get(number)
        return session is not None and session.owner

    def _buried(self, number: int) -> None:
        self.rundir.forget(number)

    @property
    def ending(self) -> bool:
        """See AdminEdge."""
        return self._ending

    def _start(self, effect: StartProcess) -> None:
        if effect.role == "worker" or self.spawner.count + len(self._sessions) < self._most:
            self.spawner.start(effect.number, effect.role)
            return
        detail = f"no descriptors for more than {self._most} processes; raise the hard limit (ulimit -Hn; garrick explain GAR-3101)"
        # Not here: the machine is in the middle of something.
        self.loop.call_soon(self.process_died, effect.number, detail, False)

    def _kill(self, effect: KillProcess) -> None:
        if self.spawner.kill(effect.number):
            return
        session = self._sessions.get(effect.number)
        if session is not None:
            session.end(effect.reason, ())
        else:
            log.warning("process %d is to be killed (%s) and is none of ours", effect.number, effect.reason)

    def _arm(self) -> None:
        deadline = self.machine.deadline
        if self._tick_handle is not None:
            if deadline is not None and self._tick_handle.when() == deadline:
                return
            self._tick_handle.cancel()
            self._tick_handle = None
        if deadline is not None:
            self._tick_handle = self.loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._tick_handle = None
        # The loop may call a little early; the machine compares exactly.
        self.apply(self.machine.tick(max(self.now(), self.machine.deadline or 0.0)))

    # --- the end ----------------------------------------------------------------------------------------------------------------

    def _finish(self, end: EndSystem) -> None:
        if self._ending:
            return
        self._ending = True
        self._end = end
        task = self.loop.create_task(self._leave(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _leave(self, end: EndSystem) -> None:
        if self.opening is not None and not self.opening.done():
            self.opening.cancel()  # or it would go on to make what is removed here
            await asyncio.wait([self.opening])
        if self.gateway is not None:
            await self.gateway.close(end.reason)
        await self._management.close()
        deadline = self.now() + FLUSH_SECONDS
        # Links tell nobody when they are empty, and this happens once in the life of a system.
        while self.links.pending_to(set(self._sessions)) and self.now() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        self.spawner.close()  # before anybody is told: then nothing of the system is left
        self.links.undeliverable = lambda _raw, _reason: None
        for session in list(self._sessions.values()):
            session.end(end.reason, end.abandoned)
        self.links.close()
        self.listener.close()
        for _, sock in self._early:
            sock.close()
        self.rundir.remove()
        self.ended.set()


def _refuse(sock: socket.socket, error: GarrickError) -> None:
    """Tell a client that the system can't start."""
    with sock, contextlib.suppress(OSError):
        sock.send(handshake.line(failed=base64.b64encode(pickle.dumps(error)).decode()))


class _Session:
    """The admin's end of a client's session."""

    def __init__(self, host: Host, number: int, owner: bool, sock: socket.socket, pid: int) -> None:
        self.owner = owner
        self._host = host
        self._number = number
        self._sock: socket.socket | None = sock
        self._buffer = bytearray()
        self._said_goodbye = False
        self._pidfd = _pidfd(sock, pid)
        host.reactor.watch(sock.fileno(), READ, self._ready)
        if self._pidfd is not None:
            # A child that the client forked may hold its socket open: only the process itself tells its death.
            host.reactor.watch(self._pidfd, READ, lambda _: self._gone("the client died"))
        self._say(
            number=number,
            system=host.system,
            main=host.config.main,
            detached=host.config.detached,
            pid=os.getpid(),
            version=version.__version__,
        )

    def _say(self, **content: Any) -> None:
        if self._sock is not None:
            try:
                self._sock.send(handshake.line(**content))
            except OSError as error:
                log.debug("client %d does not listen: %s", self._number, error)

    def _ready(self, _events: int) -> None:
        if self._sock is None:
            return
        try:
            data = self._sock.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._gone("the client closed its session" if self._said_goodbye else "the client died")
            return
        self._buffer += data
        for statement in handshake.parse_lines(self._buffer):
            self._said_goodbye |= bool(statement.get("bye"))

    def _gone(self, detail: str) -> None:
        self._close()
        self._host.session_ended(self._number, detail, self._said_goodbye)

    def end(self, reason: str, abandoned: tuple[str, ...]) -> None:
        """Tell the client that the system has ended."""
        self._say(ended=reason, abandoned=list(abandoned))
        self._close()

    def _close(self) -> None:
        if self._pidfd is not None:
            self._host.reactor.unwatch(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        if self._sock is not None:
            self._host.reactor.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None


def _pidfd(sock: socket.socket, said: int) -> int | None:
    if not hasattr(os, "pidfd_open") or not hasattr(socket, "SO_PEERCRED"):
        return None
    pid = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), "little", signed=True)
    if pid != said:
        return None  # another namespace of pids: the end of the connection has to do
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def serve(
    config: NodeConfig,
    rundir: RunDir,
    listener: socket.socket,
    forkserver: socket.socket,
    pid: int,
    refused: GarrickError | None = None,
) -> int:
    """Run the admin of a system until it has ended; the exit status. ``refused``: why it can't begin at all."""
    raise_soft_limit()
    owner = os.getppid()
    rundir.write("pid", str(os.getpid()).encode())
    return asyncio.run(_serve(config, rundir, listener, forkserver, pid, owner, refused))


async def _serve(
    config: NodeConfig,
    rundir: RunDir,
    listener: socket.socket,
    forkserver: socket.socket,
    pid: int,
    owner: int,
    refused: GarrickError | None,
) -> int:
    host = Host(config, rundir, listener, forkserver, pid)
    loop = host.loop
    if config.foreground:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: host.shutdown(OWNER_GONE_GRACE, "it was asked to by a signal"))
    else:
        loop.add_signal_handler(signal.SIGTERM, lambda: host.shutdown(OWNER_GONE_GRACE, "its admin got SIGTERM"))
        if not config.detached:
            _watch_owner(host, owner)
    try:
        if refused is not None:
            await host.refuse(refused)
        host.start()
        host.opening = loop.create_task(host.open())
        await asyncio.wait([host.opening])
        if host.opening.cancelled():
            await host.ended.wait()
            return 0
        host.opening.result()
    except GarrickError as error:
        log.error(
            "the system %s can't start: %s", config.system, "; ".join([str(error), *getattr(error, "__notes__", ())])
        )
        host.shutdown(0.0, str(error))
        await host.ended.wait()
        return 1
    if config.foreground:
        print(f"ready {config.system}", flush=True)  # noqa: T201 - whoever started this program waits for it
    await host.ended.wait()
    return 0


def _watch_owner(host: Host, owner: int) -> None:
    """Until the owner has its session, only its pid tells that it lives."""

    def gone(_events: int = 0) -> None:
        host.reactor.unwatch(descriptor)
        os.close(descriptor)
        if not any(session.owner for session in host._sessions.values()):
            host.shutdown(0.0, "its owner died")

    try:
        descriptor = os.pidfd_open(owner)
    except (OSError, AttributeError):
        return
    host.reactor.watch(descriptor, READ, gone)
    if os.getppid() != owner:
        gone()


__all__ = ["Gateway", "Host", "serve"]
