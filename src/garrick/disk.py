"""The port `Disk`, its real implementation, and how a file is replaced so that a crash leaves the old one or the new one.

Owns both. Who needs something to survive a loss of power writes it by a `Disk`: the simulator's (`garrick.sim.disk`) loses and tears what
was not synced, the real one is the operating system's. Invariant of `replace_file`: whatever happens, the file is as it was, or as it
shall be.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Files by path. What was written survives a loss of power when it was synced, and so does a name when its folder was."""

    def read(self, path: str) -> bytes:
        """The whole content. Raises FileNotFoundError."""
        ...

    def create(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """A new file with this content. Raises FileExistsError, or OSError if the disk is full: then a part may be there."""
        ...

    def append(self, path: str, data: bytes) -> None:
        """At the end of a file, which is made if there is none. Raises OSError if the disk is full: then a part may be there."""
        ...

    def sync(self, path: str) -> None:
        """The content of the file survives from now on."""
        ...

    def sync_folder(self, path: str) -> None:
        """The names in this folder survive from now on."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, at once and instead of any file that has it."""
        ...

    def remove(self, path: str) -> None:
        """Take a file's name away. Raises FileNotFoundError."""
        ...


class RealDisk:
    """See Disk."""

    def read(self, path: str) -> bytes:
        """See Disk."""
        return Path(path).read_bytes()

    def create(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """See Disk."""
        self._put(path, data, os.O_EXCL, mode)

    def append(self, path: str, data: bytes) -> None:
        """See Disk."""
        self._put(path, data, os.O_APPEND, 0o600)

    def sync(self, path: str) -> None:
        """See Disk."""
        self._sync(path, os.O_RDWR)

    def sync_folder(self, path: str) -> None:
        """See Disk."""
        self._sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, source: str, target: str) -> None:
        """See Disk."""
        Path(source).replace(target)

    def remove(self, path: str) -> None:
        """See Disk."""
        Path(path).unlink()

    @staticmethod
    def _put(path: str, data: bytes, flags: int, mode: int) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, mode), "ab") as file:
            file.write(data)

    @staticmethod
    def _sync(path: str, flags: int) -> None:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(disk: Disk, path: str, data: bytes, mode: int = 0o600, *, aside: str = ".new") -> None:
    """Write a whole file: afterwards it survives a loss of power, and before that the old one does.

    Args:
        disk: where.
        path: of the file, whose folder exists.
        data: its content.
        mode: of the file.
        aside: what is added to the name of the file in which the content is made ready: different for those who may write at the same
            time.

    Raises:
        OSError: the disk is full, or refuses; the old file is still there.
    """
    temporary = f"{path}{aside}"
    with contextlib.suppress(FileNotFoundError):
        disk.remove(temporary)  # of one that was interrupted
    try:
        disk.create(temporary, data, mode)
        disk.sync(temporary)
        disk.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_folder(path.rpartition("/")[0] or ".")
