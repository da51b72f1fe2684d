"""The driver whose servers are operating-system processes: no privileges needed, and everything about them is real.

Owns the host's directory: ``servers/<name>/`` holds ``server.json`` (what it is to be), ``run.json`` (the process that it is),
``disk/`` (the customer's files), ``password`` (scrypt), ``boots.jsonl`` (written by the server itself) and ``log``. Invariants:

* ``server.json`` says whether a server should run *before* the driver acts on it. Whatever crashes when, ``recover`` brings the
  host to what its files say.
* A server ends when its keeper ends; see ``provision.drivers.guest``. The processes stay in the process group of the host, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from provision.drivers.base import Definition, DiskUsage, Recovered, Status
from provision.errors import DriverError
from provision.processes import Identity, alive, end, identity

if TYPE_CHECKING:
    from provision.protocol import Secret

GUEST: Final = str(Path(__file__).with_name("guest.py"))
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
IMAGE_BYTES: Final = 64 * 1024
"""What a fresh server has on its disk."""
HALT_GRACE: Final = 3.0
"""Seconds beyond its own shutdown time before a server is killed."""
SCRYPT: Final = {"n": 1 << 12, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True)
class Record:
    """``server.json``."""

    name: str
    address: str
    port: int
    quota: int
    boot_seconds: float
    halt_seconds: float
    power: str = "off"
    boot: int = 0


class ProcessDriver:
    """The servers of one host.

    Args:
        directory: the host's state directory.
        keeper: number of the process whose end ends the servers; this process if not given.
    """

    def __init__(self, directory: str | os.PathLike[str], *, keeper: int | None = None) -> None:
        self._root = Path(directory) / "servers"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._keeper = identity(os.getpid() if keeper is None else keeper)

    # ------------------------------------------------------------------------------------------------------ operations

    def define(self, server: str, definition: Definition) -> int:
        if not NAME.fullmatch(server):
            raise DriverError(f"{server!r} is no name for a server", hint="small letters, digits and hyphens")
        home = self._root / server
        if (home / "server.json").exists():
            known = self._read(server)
            if known.address != definition.address:
                raise DriverError(f"server {server!r} exists with the address {known.address}")
            return known.port
        disk = home / "disk"
        disk.mkdir(parents=True, exist_ok=True, mode=0o700)
        (disk / "image").write_bytes(bytes(min(IMAGE_BYTES, definition.quota)))
        record = Record(server, port=_free_port(definition.address), **asdict(definition))
        self._write(record)
        return record.port

    def start(self, server: str, cause: str) -> Status:
        record = self._read(server)
        if self._process(server) is None:
            self._boot(record, cause)
        elif record.power != "on":
            self._write(replace(record, power="on"))
        return self.status(server)

    def stop(self, server: str) -> None:
        record = self._read(server)
        self._write(replace(record, power="off"))
        self._halt(record)

    def reboot(self, server: str, cause: str) -> Status:
        record = self._read(server)
        if record.power != "on":
            raise DriverError(f"server {server!r} is off")
        self._halt(record)
        self._boot(record, cause)
        return self.status(server)

    def destroy(self, server: str) -> None:
        home = self._root / server
        if (home / "server.json").exists():
            self._write(replace(self._read(server), power="off"))
            if process := self._process(server):
                end(process, grace=0)
        if home.exists():
            # Out of the way in one step: a crash in the middle must not leave half a server.
            trash = self._root / f".{server}.{secrets.token_hex(4)}"
            home.rename(trash)
            shutil.rmtree(trash)

    def set_password(self, server: str, password: Secret) -> None:
        self._read(server)
        salt = secrets.token_bytes(16)
        derived = hashlib.scrypt(password.reveal().encode(), salt=salt, dklen=32, **SCRYPT)
        text = "$".join(["scrypt", *(str(SCRYPT[k]) for k in "nrp"), salt.hex(), derived.hex()])
        _replace_file(self._root / server / "password", text + "\n")

    # ----------------------------------------------------------------------------------------------------- observations

    def status(self, server: str) -> Status:
        record, process = self._read(server), self._process(server)
        return Status(
            name=record.name,
            address=record.address,
            port=record.port,
            power=record.power,
            running=process is not None,
            boot=record.boot,
            pid=None if process is None else process.pid,
        )

    def disk_usage(self, server: str) -> DiskUsage:
        record = self._read(server)
        disk = self._root / server / "disk"
        return DiskUsage(sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()), record.quota)

    def servers(self) -> list[str]:
        return sorted(
            path.parent.name for path in self._root.glob("*/server.json") if not path.parent.name.startswith(".")
        )

    def recover(self, cause: str) -> Recovered:
        for trash in self._root.glob(".*"):
            shutil.rmtree(trash)
        self._end_strays()
        adopted, restarted = [], []
        for server in self.servers():
            record = self._read(server)
            if record.power == "on":
                if self._process(server) is not None:
                    adopted.append(server)
                else:
                    self._boot(record, cause)
                    restarted.append(server)
        return Recovered(tuple(adopted), tuple(restarted))

    # -------------------------------------------------------------------------------------------------------- the parts

    def _read(self, server: str) -> Record:
        try:
            return Record(**json.loads((self._root / server / "server.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise DriverError(f"this host has no server {server!r}") from None

    def _write(self, record: Record) -> None:
        _replace_file(self._root / record.name / "server.json", json.dumps(asdict(record)))

    def _process(self, server: str) -> Identity | None:
        """The running process of a server, whoever started it."""
        try:
            process = Identity(**json.loads((self._root / server / "run.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        return process if alive(process) else None

    def _boot(self, record: Record, cause: str) -> None:
        record = replace(record, power="on", boot=record.boot + 1)
        self._write(record)
        home = self._root / record.name
        config = {
            **asdict(record),
            "directory": str(home),
            "cause": cause,
            "keeper": self._keeper.pid,
            "keeper_start": self._keeper.start,
        }
        # posix_spawn, not fork: the agent has threads. Nothing else of its descriptors is inheritable (PEP 446).
        log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", GUEST, json.dumps(config)],
                {"PATH": os.defpath, "LANG": "C.UTF-8"},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsigmask=[],
                setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD],
            )
        finally:
            os.close(log)
            os.close(null)
        _replace_file(home / "run.json", json.dumps(asdict(identity(pid))))

    def _end_strays(self) -> None:
        """End servers of ours that no ``run.json`` knows: their agent died between starting them and noting it."""
        for process in psutil.process_iter():
            try:
                arguments = process.cmdline()
                if GUEST not in arguments:
                    continue
                home = Path(json.loads(arguments[-1])["directory"])
                stray = identity(process.pid)
            except (psutil.Error, ProcessLookupError, ValueError, KeyError):
                continue  # ended meanwhile, or not one of ours after all
            if home.parent == self._root and self._process(home.name) != stray:
                end(stray, grace=0)

    def _halt(self, record: Record) -> None:
        if process := self._process(record.name):
            end(process, grace=record.halt_seconds + HALT_GRACE)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise DriverError(f"the address {address} can't be used here: {error.strerror}") from None
        return int(probe.getsockname()[1])


def _replace_file(path: Path, text: str) -> None:
    """Write a file so that after any crash it has the old or the new content, whole."""
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
