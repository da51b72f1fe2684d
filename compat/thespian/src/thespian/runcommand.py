"""`RunCommand`: an actor that runs programs, one after the other, and tells what came of them.

Owns the messages and the order of commands; the running of one is `thespian._running`'s. On a system base with processes the actor stays
open to messages while a program runs (it runs in a thread); on ``simpleSystemBase`` it waits for its end.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from thespian._actor import Actor
from thespian._address import ActorAddress
from thespian._messages import ActorExitRequest, ActorSystemMessage
from thespian._running import CANCELLED, Ended, Run

HALF_NUM_LINES_LOGGED = 5
"""Lines of output that are logged from its begin and from its end."""


def str_form(data: bytes | str | None) -> str:
    """Output as text."""
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""


class Command:
    """A program to run.

    Args:
        exe: the program.
        args: its arguments.
        use_shell: whether a shell interprets them.
        omit_string: a secret, which is not logged.
        error_ok: whether another exit code than 0 is no error worth a log line of that level.
        logger: None: the logging module; False: nothing is logged; an address: it gets `CommandLog`.
        logtag: begins log lines; None: the program's name.
        input_src: what the program reads: text, bytes, or something with ``read()``.
        output_updates: an address that gets output while the program runs.
        max_bufsize: characters of output that are kept; of more, the begin and the end.
        env: its environment; None: that of the actor.
        timeout: seconds, or a timedelta, until it is ended.
        report_on_start: whether `CommandStarted` comes when it runs.
    """

    def __init__(
        self,
        exe: str,
        args: Any,
        use_shell: bool = False,
        omit_string: str | None = None,
        error_ok: bool = False,
        logger: Any = None,
        logtag: str | None = None,
        input_src: Any = None,
        output_updates: ActorAddress | None = None,
        max_bufsize: int = 1024 * 1024,
        env: dict[str, str] | None = None,
        timeout: Any = None,
        report_on_start: bool = False,
    ) -> None:
        self.exe = exe
        self.args = args
        self.use_shell = use_shell
        self.omit_string = omit_string
        self.error_ok = error_ok
        self.logger = logger
        self.logtag = logtag or str(exe)
        self.input_src = input_src
        self.output_updates = output_updates
        self.max_bufsize = max_bufsize
        self.env = env
        self.timeout = timeout
        self.report_on_start = report_on_start

    def __str__(self) -> str:
        words = [self.exe, *([self.args] if isinstance(self.args, str) else self.args or ())]
        text = " ".join(map(str, words))
        return text.replace(self.omit_string, "...") if self.omit_string else text


class CommandAbort:
    """Ends the program that runs."""


@dataclass
class CommandStarted:
    """A program runs."""

    command: Command
    pid: int


@dataclass
class CommandLog:
    """A line for the log."""

    level: str
    message: str


@dataclass
class CommandOutput:
    """What a program has printed."""

    command: Command
    output: str


@dataclass
class CommandError:
    """What a program has printed on its error output."""

    command: Command
    error_output: str


class CommandResult:
    """What came of a program; true if its exit code is 0.

    Args:
        command: what was run.
        exitcode: its exit code, or the negative number of the signal that ended it; the errno if it could not start; -3: the actor was
            told to exit before.
        stdout: its output; of more than ``max_bufsize`` characters a pair of begin and end.
        stderr: likewise.
        duration: how long it took, a timedelta.
    """

    def __init__(
        self, command: Command, exitcode: int, stdout: Any = "", stderr: Any = "", duration: Any = None
    ) -> None:
        self.command = command
        self.exitcode = exitcode
        self.stdout = stdout
        self.stderr = stderr
        self.duration = duration

    def __bool__(self) -> bool:
        return self.exitcode == 0

    @property
    def errorstr(self) -> str:
        """Why it failed; empty if it did not."""
        if self:
            return ""
        said = self.stderr if isinstance(self.stderr, str) else "...".join(self.stderr)
        return f"FAILED ({self.exitcode}): {self.command}" + (f" ==> {said}" if said else "")

    def __str__(self) -> str:
        return f"CommandResult({self.command}, exit {self.exitcode} after {self.duration})"


@dataclass
class _Told(ActorSystemMessage):
    run: int
    what: Any


class RunCommand(Actor):
    """Runs `Command`s in the order in which they come; each answers its sender with a `CommandResult`."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Command, ActorAddress]] = deque()
        self._run: Run | None = None
        self._count = 0

    def receiveMessage(self, msg: Any, sender: ActorAddress, /) -> Any:
        """See Actor."""
        if isinstance(msg, Command):
            self._waiting.append((msg, sender))
            if self._run is None:
                self._next()
        elif isinstance(msg, CommandAbort):
            if self._run is not None:
                self._run.kill()
        elif isinstance(msg, _Told):
            if msg.run == self._count:
                self._hear(msg.what)
        elif isinstance(msg, ActorExitRequest):
            self._leave()

    def _next(self) -> None:
        blocking = self._garrick_host.setting.isolation != "process"
        while self._waiting and self._run is None:
            command, _ = self._waiting[0]
            self._log(command, "info", f"{command.logtag} CMD: {command}")
            self._count += 1
            if blocking:
                self._run = Run(command, self._hear)
                self._run()
            else:
                self._run = Run(command, partial(self._tell, self._count))
                self._run.start()

    def _tell(self, number: int, what: Any) -> None:
        """From the thread of a run."""
        self.send(self.myAddress, _Told(number, what))

    def _hear(self, what: Any) -> None:
        command, sender = self._waiting[0]
        if isinstance(what, Ended):
            self._waiting.popleft()
            self._run = None
            self._finish(command, sender, what)
            if self._garrick_host.setting.isolation == "process":
                self._next()
        elif isinstance(what, int):
            if command.report_on_start:
                self.send(sender, CommandStarted(command, what))
        elif command.output_updates is not None:
            name, text = what
            kind = CommandOutput if name == "stdout" else CommandError
            self.send(command.output_updates, kind(command, text))

    def _finish(self, command: Command, sender: ActorAddress, ended: Ended) -> None:
        result = CommandResult(command, ended.exitcode, ended.stdout, ended.stderr, ended.duration)
        level = "info" if result or command.error_ok else "error"
        for name, kept in (("OUT", ended.stdout), ("ERR", ended.stderr)):
            for line in _excerpt(kept if isinstance(kept, str) else "\n".join(kept)):
                self._log(command, level, f"{command.logtag} {name}| {line}")
        self._log(command, level, f"{command.logtag} exit code {ended.exitcode} after {ended.duration}")
        self.send(sender, result)

    def _leave(self) -> None:
        """All that has not ended is cancelled."""
        self._count += 1
        if self._run is not None:
            self._run.kill()
            self._run.join(1.0)
        while self._waiting:
            command, sender = self._waiting.popleft()
            self.send(sender, CommandResult(command, CANCELLED))

    def _log(self, command: Command, level: str, text: str) -> None:
        if command.omit_string:
            text = text.replace(command.omit_string, "...")
        if isinstance(command.logger, ActorAddress):
            self.send(command.logger, CommandLog(level, text))
        elif command.logger is None:
            logging.log(logging.ERROR if level == "error" else logging.INFO, "%s", text)  # noqa: LOG015 - as upstream


def _excerpt(text: str) -> list[str]:
    lines = text.splitlines()
    if len(lines) <= 2 * HALF_NUM_LINES_LOGGED:
        return lines
    left_out = len(lines) - 2 * HALF_NUM_LINES_LOGGED
    return [*lines[:HALF_NUM_LINES_LOGGED], f"... {left_out} lines ...", *lines[-HALF_NUM_LINES_LOGGED:]]
