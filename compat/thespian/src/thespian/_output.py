"""What actors print, in a system that goes on when its program ends.

Owns two files in the run directory, ``out`` and ``err``, to which the processes of actors print; and `Relay`, which copies both to the
program that started the system, for as long as it lives. So programs show what their actors print, and a system that goes on holds no pipe
of theirs. What the system itself has to say stays in the file ``log``. Must not know systems or actors.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

PAUSE = (0.02, 0.2)
"""Seconds between two looks, when something comes and when nothing does."""
CHUNK = 65536
OUT, ERR = 1, 2


@dataclass(frozen=True)
class Output:
    """Where the actors of a program print."""

    directory: str
    """The run directory."""
    terminals: tuple[str | None, str | None] = (None, None)
    """Those of the program: actors have them for their output and error output, as programs ask whether it is one."""


def output(directory: str) -> Output:
    """What holds for actors of this program."""
    return Output(directory, (_terminal(OUT), _terminal(ERR)))


def _terminal(descriptor: int) -> str | None:
    try:
        return os.ttyname(descriptor)
    except OSError:
        return None


def redirect(to: Output) -> None:
    """Let this process print there."""
    for descriptor, name, stream in ((OUT, "out", sys.stdout), (ERR, "err", sys.stderr)):
        target = _target(to, descriptor, name)
        stream.flush()
        os.dup2(target, descriptor)
        os.close(target)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _target(to: Output, descriptor: int, name: str) -> int:
    terminal = to.terminals[descriptor - OUT]
    if terminal is not None:
        with contextlib.suppress(OSError):  # it has been closed
            return os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    return os.open(Path(to.directory) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


class Relay:
    """Copies what is added to the files, in a thread.

    Args:
        directory: the run directory.
    """

    def __init__(self, directory: str) -> None:
        self._files = {
            os.open(Path(directory) / name, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600): to
            for name, to in (("out", OUT), ("err", ERR))
        }
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="thespian-output", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Copy what is there, and end."""
        self._over.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        pause = PAUSE[0]
        try:
            while not self._over.wait(pause):
                pause = PAUSE[0] if self._copy() else min(pause * 1.5, PAUSE[1])
            while self._copy():
                pass
        except OSError:  # the program's own output is closed
            pass
        finally:
            for file in self._files:
                os.close(file)

    def _copy(self) -> bool:
        some = False
        for file, to in self._files.items():
            data = memoryview(os.read(file, CHUNK))
            some = some or bool(data)
            while data:
                data = data[os.write(to, data) :]
        return some
