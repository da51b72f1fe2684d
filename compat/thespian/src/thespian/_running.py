"""The running of one program: its input and output, its time-out and its end.

Owns the process and one thread, the caller's or its own. Must not know actors. Invariant: `Ended` is told once, and last.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

CANCELLED = -3
UNKNOWN = -4
MERCY = 2.0
"""Seconds between SIGTERM and SIGKILL."""
CHUNK = 65536
AFTER = 0.2
"""How long output is awaited when the program has ended and left something else that holds its pipes."""


@dataclass(frozen=True)
class Ended:
    """The program's end."""

    exitcode: int
    stdout: Any
    stderr: Any
    duration: timedelta


class _Kept:
    """Output, of which the begin and the end are kept."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._limit = limit
        self._head = ""
        self._tail = ""
        self._cut = False
        self.decoder = getincrementaldecoder("utf-8")("replace")

    def add(self, text: str) -> None:
        if not self._cut:
            self._head += text
            if len(self._head) <= self._limit:
                return
            self._cut = True
            text, self._head = self._head[self._half :], self._head[: self._half]
        self._tail = (self._tail + text)[-self._half :]

    def result(self) -> Any:
        return (self._head, self._tail) if self._cut else self._head


class Run:
    """One run of a command.

    Args:
        command: `thespian.runcommand.Command`.
        tell: gets the process's id, pairs of a stream's name and text, and `Ended`.
    """

    def __init__(self, command: Any, tell: Callable[[Any], None]) -> None:
        self._command = command
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run it in a thread."""
        self._thread = threading.Thread(target=self, name=f"run {self._command.logtag}", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the thread, which has then taken note of the program's end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def kill(self) -> None:
        """End it, whether it has begun or not."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)  # type: ignore[union-attr]

    def __call__(self) -> None:
        """Run it."""
        begun = time.monotonic()
        out, err = _Kept(self._command.max_bufsize), _Kept(self._command.max_bufsize)
        try:
            code = self._whole(out, err, begun)
        except OSError as error:
            err.add(str(error))
            code = error.errno or UNKNOWN
        except Exception as error:
            err.add(f"{type(error).__name__}: {error}")
            code = UNKNOWN
        self._tell(Ended(code, out.result(), err.result(), timedelta(seconds=time.monotonic() - begun)))

    def _whole(self, out: _Kept, err: _Kept, begun: float) -> int:
        command = self._command
        words = [command.args] if isinstance(command.args, str) else list(command.args or ())
        line: Any = [command.exe, *words]
        with self._lock:
            if self._killed:
                return CANCELLED
            self._process = process = subprocess.Popen(
                " ".join(line) if command.use_shell else line,
                shell=bool(command.use_shell),
                stdin=subprocess.DEVNULL if command.input_src is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=command.env,
                start_new_session=True,
            )
        self._tell(process.pid)
        due = None
        if command.timeout is not None:
            limit = command.timeout
            due = begun + (limit.total_seconds() if isinstance(limit, timedelta) else float(limit))
        try:
            self._pump(process, {"stdout": out, "stderr": err}, due)
        except BaseException:
            self.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            with self._lock:  # its number may be another's afterwards
                code = process.wait()
                self._process = None
        return code

    def _pump(self, process: subprocess.Popen[bytes], kept: dict[str, _Kept], due: float | None) -> None:
        terminated = False
        ended: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, "stdout")  # type: ignore[arg-type]
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")  # type: ignore[arg-type]
            given = memoryview(_bytes(self._command.input_src))
            if process.stdin is not None:
                os.set_blocking(process.stdin.fileno(), False)
                selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
            while process.poll() is None or set(_names(selector)) - {"stdin"}:
                now = time.monotonic()
                if due is not None and now >= due and process.returncode is None:
                    self._signal(signal.SIGKILL if terminated else signal.SIGTERM)
                    terminated, due = True, now + MERCY
                if process.returncode is not None:
                    ended = ended or now
                    if now - ended > AFTER:
                        return
                for key, _ in selector.select(0.05):
                    if key.data == "stdin":
                        given = _write(selector, process, given)
                    elif not self._read(key, kept[key.data]):
                        selector.unregister(key.fileobj)
                if not set(_names(selector)) - {"stdin"} and process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.05)

    def _read(self, key: selectors.SelectorKey, kept: _Kept) -> bool:
        data = os.read(key.fd, CHUNK)
        text = kept.decoder.decode(data, not data)
        if text:
            kept.add(text)
            self._tell((key.data, text))
        return bool(data)


def _names(selector: selectors.BaseSelector) -> list[str]:
    return [key.data for key in selector.get_map().values()]


def _bytes(source: Any) -> bytes:
    if hasattr(source, "read"):
        source = source.read()
    return source.encode() if isinstance(source, str) else bytes(source or b"")


def _write(selector: selectors.BaseSelector, process: subprocess.Popen[bytes], given: memoryview) -> memoryview:
    stdin: Any = process.stdin
    try:
        given = given[os.write(stdin.fileno(), given[:CHUNK]) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        given = given[:0]
    if not given:
        selector.unregister(stdin)
        stdin.close()
    return given
