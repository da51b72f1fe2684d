"""The private directory of a system: how its processes find one another, and how nobody else does.

Owns the layout ``<base>/<system name>/`` with ``p<number>.sock`` (the socket of each process), ``token`` (0600), ``pid`` (of the
admin), ``mains/`` (see `garrick.node.mainmodule`) and ``lock``. Must not know what goes over the sockets. Invariants:

* The directory and everything above it that we made belong to this user and are closed to everybody else (0700).
* The admin holds ``lock`` for its whole life. A free lock therefore means a dead system, whose directory anybody of this user may
  remove while holding the lock.
* The longest path of a socket fits into ``sun_path``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from garrick.errors import InvalidArgument, NoSuchSystem, NotAuthorised, SystemExists, SystemStartFailed

TOKEN_SIZE = 32
SUN_PATH_MAX = 107
"""Longest path of a Unix socket on Linux, without the closing zero."""
_LONGEST_SOCKET = "p4294967295.sock"
GONE_SECONDS = 2.0
"""How long a system that has ended waits for its directory to be gone: a process of it that has not closed its copy of the lock yet, or
somebody who sweeps, may hold the lock a moment longer."""
SWEPT_SECONDS = 0.2
"""How long a new system waits for a lock that may be held by somebody who sweeps, before it says that there is such a system."""
_PAUSE = 0.005
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def base_directory() -> Path:
    """Where the systems of this user are: below ``$XDG_RUNTIME_DIR`` if that is ours, else below ``/tmp``; made if missing.

    Raises:
        SystemStartFailed: somebody else owns the place, or it is open to others.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_private(Path(runtime)):
        base = Path(runtime) / "garrick"
    else:
        base = Path("/tmp") / f"garrick-{os.getuid()}"  # noqa: S108 - owner and mode are checked below
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    if not _is_private(base):
        raise SystemStartFailed(
            f"{base} can't hold sockets and tokens: it is a link, belongs to another user, or is open to others",
            hint=f"remove {base} or make it yours alone (chmod 700), or set XDG_RUNTIME_DIR to a private directory",
        )
    return base


def _is_private(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


class RunDir:
    """One system's directory."""

    __slots__ = ("lock", "name", "path")

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self.name = path.name
        self.lock = lock
        """Descriptor that holds the lock; None for those who only attach."""

    # --- starting -------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, name: str) -> RunDir:
        """Make the directory of a new system and hold its lock.

        Raises:
            SystemExists: a system of that name runs.
            InvalidArgument: the name can't be part of a path, or the path gets too long for a socket.
        """
        path = _path(name)
        sweep(path.parent)
        deadline = time.monotonic() + SWEPT_SECONDS
        while True:
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
            try:
                lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # somebody swept it away between mkdir and open: it was not locked yet
            if not _lock(lock):
                os.close(lock)
                if time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                    continue
                raise SystemExists(
                    f"a system named {name!r} is running",
                    hint=f"attach to it with ActorSystem.attach({name!r}), or give the new one another name",
                )
            if _same_file(lock, path / "lock"):
                break
            os.close(lock)  # swept away between open and lock
        try:
            for leftover in path.iterdir():
                if leftover.name != "lock":
                    _remove(leftover)
            made = cls(path, lock)
            made.write("token", secrets.token_bytes(TOKEN_SIZE))
            (path / "mains").mkdir(mode=0o700)
        except BaseException:  # interrupted, or no room
            _remove(path)
            os.close(lock)
            raise
        return made

    @classmethod
    def find(cls, name: str) -> RunDir:
        """The directory of the running system of that name.

        Raises:
            NoSuchSystem: there is none.
        """
        path = _path(name)
        if not path.is_dir() or remove_if_dead(path):
            running = ", ".join(sorted(running_systems())) or "none"
            raise NoSuchSystem(f"no system named {name!r} is running for this user", hint=f"running systems: {running}")
        return cls(path)

    # --- content --------------------------------------------------------------------------------------------------------

    def socket(self, number: int) -> str:
        """Path of the socket of a process."""
        return f"{self.path}/p{number}.sock"

    def token(self) -> bytes:
        """The secret of this system.

        Raises:
            NotAuthorised: it can't be read by this user.
        """
        try:
            token = (self.path / "token").read_bytes()
        except PermissionError as error:
            raise NotAuthorised(f"the token of system {self.name!r} belongs to another user") from error
        except FileNotFoundError:
            raise NoSuchSystem(f"the system {self.name!r} has just ended, or is only starting") from None
        if len(token) != TOKEN_SIZE:
            raise NotAuthorised(f"the token of system {self.name!r} is damaged")
        return token

    def write(self, name: str, content: bytes) -> None:
        """Write a file that only this user can read."""
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def forget(self, number: int) -> None:
        """Remove the socket of a process that has died."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket(number))

    def remove(self) -> None:
        """The system has ended: remove everything and release the lock."""
        _remove(self.path)
        self.close()

    def close(self) -> None:
        """Give up the lock (another process may still hold it through the same descriptor)."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def running_systems() -> list[str]:
    """Names of this user's running systems."""
    base = base_directory()
    sweep(base)
    return [path.name for path in base.iterdir() if path.is_dir()]


def sweep(base: Path) -> None:
    """Remove the directories of systems that have died."""
    for path in base.iterdir():
        if path.is_dir():
            remove_if_dead(path)


def remove_if_dead(path: Path) -> bool:
    """Remove a system's directory unless the system lives; True when it is gone now."""
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # Removed; or being made just now, whose maker notices and begins anew; or its remover was killed after the lock and before
        # the directory.
        with contextlib.suppress(OSError):
            path.rmdir()
        return not path.is_dir()
    try:
        if not _lock(lock):
            return False
        if _same_file(lock, path / "lock"):
            _remove(path)
        return True
    finally:
        os.close(lock)


def remove_ended(path: Path) -> None:
    """Remove the directory of a system that has just ended, and see it gone; bounded by `GONE_SECONDS`."""
    try:
        ours = path.stat()
    except FileNotFoundError:
        return
    deadline = time.monotonic() + GONE_SECONDS
    while not remove_if_dead(path) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        with contextlib.suppress(FileNotFoundError):
            if not os.path.samestat(ours, path.stat()):
                return  # the next system of that name


def _path(name: str) -> Path:
    if not _NAME.match(name):
        raise InvalidArgument(
            f"{name!r} can't name a system",
            hint="1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        )
    path = base_directory() / name
    if len(os.fsencode(str(path / _LONGEST_SOCKET))) > SUN_PATH_MAX:
        raise InvalidArgument(
            f"sockets in {path} would have paths longer than {SUN_PATH_MAX} bytes",
            hint="use a shorter name for the system, or set XDG_RUNTIME_DIR to a shorter path",
        )
    return path


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        # The lock file last: as long as it is there, "locked" and "gone" can be told apart.
        for entry in _entries(path):
            _remove(entry)
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _entries(path: Path) -> Iterator[Path]:
    return (entry for entry in list(path.iterdir()) if entry.name != "lock")
