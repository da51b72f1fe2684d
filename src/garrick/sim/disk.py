"""`SimDisk`: the disk of one system, which loses and tears what was not synced when the power goes.

Owns the files, in memory. See `garrick.disk.Disk`. What a crash takes is a choice: of each file how much of the end of what was not synced,
and of each folder how many of the last changes of names; 0 is nothing.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from garrick.errors import InvalidArgument

if TYPE_CHECKING:
    from garrick.sim.choices import Choices


class _File:
    __slots__ = ("data", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = 0
        """So many bytes from its beginning survive."""


class SimDisk:
    """See the module.

    Args:
        choices: of the world.
        owner: the system's name.
    """

    def __init__(self, choices: Choices, owner: str) -> None:
        self._choices = choices
        self._owner = owner
        self._names: dict[str, _File] = {}
        self._safe: dict[str, _File] = {}
        """The names as of the last sync of their folder."""
        self._pending: list[tuple[str, dict[str, _File | None]]] = []
        """Changes of names since then, oldest first: the folder, and what each name stands for afterwards (None: nothing)."""
        self._crashes = 0
        self._fills = 0
        self._room: int | None = None

    # --- faults ------------------------------------------------------------------------------------------------------------

    def fill(self, room: int | None = 0) -> None:
        """Only ``room`` more bytes fit; None: any number, as usual.

        Raises:
            InvalidArgument: it is negative.
        """
        if room is not None and room < 0:
            raise InvalidArgument(f"a disk with room for {room} bytes", hint="0 is full, None is endless")
        if room is not None:
            self._fills += 1
            if not self._choices.scripted("script.full disk", (self._owner, self._fills)):
                return
        self._room = room

    def crash(self) -> None:
        """The power went: what was not synced may be lost or torn."""
        self._crashes += 1
        choose = self._choices.choose
        lost = choose("disk.names", (self._owner, self._crashes), len(self._pending) + 1)
        for _, change in self._pending[: len(self._pending) - lost]:
            _apply(self._safe, change)
        self._names, self._pending = dict(self._safe), []
        for path, file in sorted(self._names.items()):
            loose = len(file.data) - file.synced
            torn = choose("disk.torn", (self._owner, self._crashes, path), loose + 1)
            del file.data[len(file.data) - torn :]
            file.synced = len(file.data)

    def wipe(self) -> None:
        """Another disk, which is empty."""
        self._names, self._safe, self._pending = {}, {}, []

    # --- Disk --------------------------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        """See Disk."""
        return bytes(self._file(path).data)

    def create(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """See Disk."""
        del mode
        if path in self._names:
            raise FileExistsError(errno.EEXIST, "the file exists", path)
        self._rename({path: _File()})
        self._write(path, data)

    def append(self, path: str, data: bytes) -> None:
        """See Disk."""
        if path not in self._names:
            self._rename({path: _File()})
        self._write(path, data)

    def sync(self, path: str) -> None:
        """See Disk."""
        file = self._file(path)
        file.synced = len(file.data)

    def sync_folder(self, path: str) -> None:
        """See Disk."""
        kept = []
        for folder, change in self._pending:
            if folder == path:
                _apply(self._safe, change)
            else:
                kept.append((folder, change))
        self._pending = kept

    def rename(self, source: str, target: str) -> None:
        """See Disk."""
        self._rename({target: self._file(source), source: None})

    def remove(self, path: str) -> None:
        """See Disk."""
        file = self._file(path)
        if self._room is not None:
            self._room += len(file.data)
        self._rename({path: None})

    # --- inside ------------------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> _File:
        file = self._names.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "there is no such file", path)
        return file

    def _rename(self, change: dict[str, _File | None]) -> None:
        _apply(self._names, change)
        self._pending.append((next(iter(change)).rpartition("/")[0] or ".", change))

    def _write(self, path: str, data: bytes) -> None:
        fits = len(data) if self._room is None else min(len(data), self._room)
        self._file(path).data += data[:fits]
        if self._room is not None:
            self._room -= fits
        if fits < len(data):
            raise OSError(errno.ENOSPC, "the disk is full", path)


def _apply(names: dict[str, _File], change: dict[str, _File | None]) -> None:
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file
