"""The embedded server: started by the first directory system, dead when that system is dead.

Owns one private directory (lock, configuration, keys, log) and one child process. Must not know members or frames.
Invariants:

* The exclusive lock of the directory elects the one starter, not a pid and not the port. The child does not inherit
  it: when the starter dies the lock is free, and the child is killed by the kernel.
* The child is forked by a thread that lives exactly as long as the child is wanted, because the kernel's death signal
  follows the thread.
* Ready means that the server answered a PING of an authenticated connection, not that a port is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from garrick.engine.nats import launch
from garrick.engine.nats.binary import Binary, find_server
from garrick.engine.nats.handshake import check_server
from garrick.errors import BadCredentials, EngineError, EngineLocked, PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from garrick.engine.identity import Credentials, ServerMaterial

__all__ = ["EmbeddedServer"]

_LOG_LINES = 12
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens everywhere is reached by loopback


class EmbeddedServer:
    """One nats-server as a child of this process.

    Args:
        credentials: of a directory system: they contain what a server needs.
        directory: private to this server; created with mode 0700.
        binary: path of the server; searched for if None.
        listen: ``host:port``; the first address of the convention if None. Port 0 takes any free port. Need not be what others
            connect to (``0.0.0.0:4222``, or an address behind a NAT): that is in their credentials.
        jetstream: switch the server's store on; it is on anyway if this is one of several servers.
        start_timeout: seconds until the server must answer.
    """

    def __init__(
        self,
        credentials: Credentials,
        directory: str | os.PathLike[str],
        *,
        binary: str | os.PathLike[str] | None = None,
        listen: str | None = None,
        jetstream: bool = False,
        start_timeout: float = 10.0,
    ) -> None:
        if credentials.server is None:
            raise BadCredentials(
                f"the credentials of {credentials.system} do not allow it to run the convention's server",
                hint="issue credentials with the role 'directory'",
            )
        address = urlsplit(f"tls://{listen}" if listen else credentials.servers[0])
        self.host = address.hostname or "127.0.0.1"
        self.port = 4222 if address.port is None else address.port
        self.directory = Path(directory)
        self.exited: Callable[[int], None] | None = None
        """Called on the loop's thread with the exit code if the server ends without being told to."""
        self._credentials = credentials
        self._material: ServerMaterial = credentials.server
        self._binary = binary
        self._jetstream = jetstream or bool(credentials.server.route)
        self._start_timeout = start_timeout
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Event | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """Where systems of this host connect; after `start` with the real port."""
        loopback = _WILDCARDS.get(self.host, self.host)
        host = f"[{loopback}]" if ":" in loopback else loopback
        return f"tls://{host}:{self.port}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            EngineNotFound, EngineTooOld: no usable binary.
            EngineLocked: another process runs a server in this directory.
            PortTaken: says by whom, if that can be seen.
            EngineError: with the last lines of its log.
        """
        if self.running:
            return
        binary = await asyncio.to_thread(find_server, self._binary)
        self._stopping = False
        if self._lock is None:
            self._lock = self._take_lock()
        try:
            await self._launch(binary)
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self, grace: float = 2.0) -> None:
        """SIGTERM, after `grace` seconds SIGKILL. Idempotent."""
        self._stopping = True
        if self._process is not None and self._ended is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self._process.poll() is None:
                    self._process.send_signal(number)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), grace)
                    break
        if self._thread is not None:
            self._thread.join(1.0)
        self._process = self._thread = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # -- inside -------------------------------------------------------------------------------------------------------

    def _take_lock(self) -> IO[str]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        file = (self.directory / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            by = f" by process {holder}" if holder else ""
            raise EngineLocked(
                f"a server already runs in {self.directory}, started{by}", hint="join it instead, or stop it first"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file

    async def _launch(self, binary: Binary) -> None:
        configuration = self._write_configuration()
        for old in self.directory.glob("*.ports"):
            old.unlink()
        self._log_path.write_text("")
        loop = asyncio.get_running_loop()
        started: asyncio.Future[subprocess.Popen[bytes]] = loop.create_future()
        self._ended = asyncio.Event()
        command = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(binary.path), "-c"]
        command.append(str(configuration))
        self._thread = threading.Thread(
            target=self._run, args=(command, loop, started, self._ended), name="garrick-nats-server", daemon=True
        )
        self._thread.start()
        self._process = await started

    def _run(
        self,
        command: list[str],
        loop: asyncio.AbstractEventLoop,
        started: asyncio.Future[subprocess.Popen[bytes]],
        ended: asyncio.Event,
    ) -> None:
        """Thread: fork, then wait as long as the child lives."""

        def tell(function: Callable[..., object], *arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(function, *arguments)

        try:
            with self._log_path.open("ab") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # an interrupt of the terminal ends us, and we end the server
                )
        except OSError as error:
            tell(_fail, started, EngineError(f"the server can't be started: {error}"))
            return
        tell(_succeed, started, process)
        code = process.wait()
        tell(self._over, ended, code)

    def _over(self, ended: asyncio.Event, code: int) -> None:
        ended.set()
        if not self._stopping and self.exited is not None:
            self.exited(code)

    async def _wait_until_ready(self) -> None:
        assert self._ended is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_timeout
        problem: Exception | None = None
        while loop.time() < deadline:
            if self._ended.is_set():
                raise self._why_not_started()
            # The file shows that it is our child who listens there, and not somebody who was quicker.
            if port := self._port_from_file():
                self.port = port
                try:
                    await check_server(self._credentials, self.url, timeout=max(0.1, deadline - loop.time()))
                    return
                except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                    problem = error
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.01)
        raise EngineError(f"the server did not answer within {self._start_timeout:g} s: {problem!r}\n{self._tail()}")

    def _port_from_file(self) -> int:
        for file in self.directory.glob(f"*_{self.pid}.ports"):
            with contextlib.suppress(ValueError):  # it is being written
                urls = json.loads(file.read_text())["nats"]
                return int(urlsplit(urls[0]).port or 0)
        return 0

    def _why_not_started(self) -> EngineError:
        log = self._tail()
        if "address already in use" in log:
            by = _listener_on(self.port)
            return PortTaken(
                f"{self.host}:{self.port} is taken{f' by {by}' if by else ''}",
                hint="stop that process, or give the convention another port",
            )
        return EngineError(f"the server ended while starting; the last lines of its log:\n{log}")

    @property
    def _log_path(self) -> Path:
        return self.directory / "server.log"

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        return "(no log)"

    def _write_configuration(self) -> Path:
        material, folder = self._material, self.directory

        def private(name: str, text: str) -> str:
            path = folder / name
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:  # mode 0600
                file.write(text)
            Path(file.name).replace(path)
            return str(path)

        configuration: dict[str, Any] = {
            "server_name": self._credentials.system,
            "listen": f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port or -1}",
            "ports_file_dir": str(folder),
            "operator": material.operator_jwt,
            "system_account": material.system_account,
            "resolver": "MEMORY",
            "resolver_preload": {
                material.account: material.account_jwt,
                material.system_account: material.system_account_jwt,
            },
            "tls": {
                "cert_file": private("server.pem", material.certificate),
                "key_file": private("server.key", material.key),
                "ca_file": private("ca.pem", self._credentials.ca),
                "verify": True,
                "handshake_first": True,
                "timeout": 5,
            },
            "ping_interval": "1s",
            "ping_max": 2,
            "write_deadline": "10s",
            "max_payload": 8 * 1024 * 1024,
            "max_control_line": 4096,
            "logtime": True,
            "log_file": str(self._log_path),
            "logfile_size_limit": 8 * 1024 * 1024,
            "logfile_max_num": 3,
        }
        if self._jetstream:
            configuration["jetstream"] = {
                "store_dir": str(folder / "store"),
                "sync_interval": "always",
                "max_mem": 16 * 1024 * 1024,
                "max_file": 64 * 1024 * 1024,
            }
        if material.route:
            configuration["cluster"] = self._cluster(material, configuration["tls"])
        return Path(private("server.conf", json.dumps(configuration, indent=1)))

    def _cluster(self, material: ServerMaterial, tls: dict[str, Any]) -> dict[str, Any]:
        """The other servers. A member's certificate is of the same authority, so servers also show what only they know."""
        own = urlsplit(f"tls://{material.route}")
        everywhere = self.host in _WILDCARDS
        host = self.host if everywhere else own.hostname or self.host
        return {
            "name": self._credentials.convention,
            "listen": f"{f'[{host}]' if ':' in host else host}:{own.port}",
            "no_advertise": True,  # addresses are in the credentials
            "authorization": {"user": "server", "password": material.route_secret, "timeout": 5},
            "routes": [f"nats-route://server:{material.route_secret}@{way}" for way in material.routes],
            "tls": {**{key: tls[key] for key in ("cert_file", "key_file", "ca_file")}, "verify": True, "timeout": 5},
        }


def _succeed(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _listener_on(port: int) -> str | None:
    """Who listens there, as text; None if we may not see it."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
                if connection.pid is None:
                    return None
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError):
        return None
    return None


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
