"""Which agent of a host may act: the latest, and never two at once.

An agent can be replaced while something it began is still under way (its worker died, a child in another worker has not heard of it
yet). So each agent takes a number, higher than all before, under a lock that every effect shares: taking it waits until effects
under way are over, and whoever has an older number may begin none. The lock is the kernel's, and ends with its process.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import Fenced

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fence:
    """The fence of one host.

    Args:
        directory: the host's state directory.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._path = Path(directory) / "agent"

    def take(self) -> int:
        """Become the agent; the number of this start of an agent (from 1)."""
        with self._locked(fcntl.LOCK_EX) as file:
            number = self._read(file) + 1
            # Twenty digits in one write: a reader finds the old or the new number.
            os.pwrite(file, b"%020d" % number, 0)
            os.fsync(file)
            return number

    @contextmanager
    def held(self, number: int) -> Iterator[None]:
        """For the time of one effect: no other agent can begin.

        Raises:
            Fenced: another agent has taken over.
        """
        with self._locked(fcntl.LOCK_SH) as file:
            if (now := self._read(file)) != number:
                raise Fenced(f"agent {number} has been replaced by agent {now}")
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        # Opened anew each time: the lock belongs to the open file, so that threads exclude one another as well.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, how)
            yield file
        finally:
            os.close(file)

    @staticmethod
    def _read(file: int) -> int:
        return int(os.pread(file, 32, 0) or 0)
