"""Every error that Garrick raises or reports, in one catalogue.

Owns the exception classes and their codes. A class of its own exists only where a program could sensibly catch and react to
exactly it; everything else is a message text. Each class carries a stable ``code`` (``GAR-nnnn``) and has a page
(``error_pages/GAR-nnnn.md``, ``garrick explain GAR-nnnn``); hints are PEP 678 notes, so that they appear in tracebacks and in pytest
unchanged. Whoever raises gives a hint, or the class has a usual one. All errors survive pickling, because they cross processes.

Code ranges: 1xxx messages and asks, 2xxx actors and placement, 3xxx systems and processes, 4xxx conventions and the engine,
5xxx the program's own mistakes, 6xxx simulation, 7xxx sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

REPORTS: Final[Mapping[str, str]] = {
    "GAR-1301": "dead letter",
    "GAR-2201": "slow handler",
    "GAR-2202": "handler failed",
    "GAR-3101": "file-descriptor limit",
}
"""Codes of what is only told in the log, and never raised."""

REFUSALS: Final[Mapping[str, str]] = {
    "GAR-7101": "not a bundle",
    "GAR-7102": "bundle too large",
    "GAR-7103": "bundle not signed",
    "GAR-7104": "bundle signed by unknown keys",
    "GAR-7105": "signature of bundle wrong",
    "GAR-7106": "bundle lacks signatures",
    "GAR-7107": "key not for this bundle",
    "GAR-7108": "key out of its time",
    "GAR-7109": "key revoked",
    "GAR-7110": "signature of bundle expired",
    "GAR-7111": "bundle older than one seen",
    "GAR-7112": "manifest not canonical",
    "GAR-7113": "manifest wrong",
    "GAR-7114": "unsafe path in bundle",
    "GAR-7115": "archive of bundle damaged",
    "GAR-7116": "bundle has other files",
    "GAR-7117": "file of bundle twice",
    "GAR-7118": "file of bundle changed",
    "GAR-7119": "stray bytes in bundle",
}
"""Codes of `BundleRefused`: every reason has its own."""


class GarrickError(Exception):
    """Base of all errors of Garrick.

    Args:
        message: what happened and where, in one sentence.
        hint: what to do about it; becomes a note of the exception. None: what usually helps with this error, if anything does.
    """

    code: str = "GAR-0000"
    usual_hint: ClassVar[str | None] = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint or self.usual_hint
        if self.hint:
            self.add_note(f"hint: {self.hint}\nmore: garrick explain {self.code}")

    def __str__(self) -> str:
        return f"{self.code} {self.args[0]}" if self.args else self.code

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take other constructor arguments; pickling restores the state instead of calling them.
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(cls: type[GarrickError], args: tuple[Any, ...], state: dict[str, Any]) -> GarrickError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


# --- 1xxx: messages and asks -----------------------------------------------------------------------------------------


class AskError(GarrickError):
    """An ask did not bring an answer. Never raised itself."""

    code = "GAR-1000"


class AskTimeout(AskError, TimeoutError):
    """No answer came in time. The request may have been handled or may still be."""

    code = "GAR-1001"
    usual_hint = "`garrick actor why` says what the actor does and waits for; give timeout= what the work needs"


class ActorGone(AskError):
    """The target of an ask has ended or never existed.

    Attributes:
        reason: why it is gone (``stopped``, ``failed``, ``worker lost``, ``system lost``, ...).
        outcome_unknown: True when the request may have been handled before the actor went away.
    """

    code = "GAR-1002"
    usual_hint = "watch(...) tells of an end when it happens; the log and the dead letters say why"

    def __init__(self, message: str, *, reason: str, outcome_unknown: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.outcome_unknown = outcome_unknown


class HandlerFailed(AskError):
    """The handler that was asked raised an exception.

    Attributes:
        error: the exception of the handler, when it could be pickled; else None.
        remote_traceback: the text of its traceback.
    """

    code = "GAR-1003"

    def __init__(self, message: str, *, error: BaseException | None, remote_traceback: str) -> None:
        super().__init__(message)
        self.error = error
        self.remote_traceback = remote_traceback
        if remote_traceback:
            self.add_note("traceback of the handler:\n" + remote_traceback)


class AskDeadlock(AskError):
    """Waiting for this answer would wait for ever: the target itself waits, directly or not, for the asker."""

    code = "GAR-1004"
    usual_hint = "send in one of the two directions instead of asking, and handle the answer as a message of its own"


class AskCancelled(AskError):
    """The ask was cancelled by its caller or by the end of its system."""

    code = "GAR-1005"
    usual_hint = "the request may have been handled; make it safe to repeat before repeating it"


class UnpicklableMessage(GarrickError):
    """A message had to leave the process and can't be pickled.

    Attributes:
        path: where inside the message the culprit is, e.g. ``message.payload['x']``.
    """

    code = "GAR-1101"
    usual_hint = "send what the receiver needs to make the thing itself"

    def __init__(self, message: str, *, path: str = "message", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class UndecodableMessage(GarrickError):
    """A message arrived whose body can't be unpickled here (for example: its class is not installed)."""

    code = "GAR-1102"
    usual_hint = "install the package with the message's class wherever its actors may run"


class MailboxFull(AskError):
    """A bounded mailbox has no room for the message: an ask ends with it, and with ``overflow="fail"`` a ``send`` raises it."""

    code = "GAR-1103"
    usual_hint = "the actor does not keep up: slow down, spread the work, or give its mailbox more room"


class BackPressure(GarrickError):
    """The way to the target's process stayed full until the time-out."""

    code = "GAR-1104"
    usual_hint = "that process does not read what it is sent: `garrick status` shows which one does not answer"


class WireError(GarrickError):
    """A peer sent bytes that don't follow the protocol."""

    code = "GAR-1201"
    usual_hint = "all processes must run the same version of Garrick; or something else connects to its sockets"


class NoSuchDeadLetter(GarrickError):
    """No dead letter of this number is kept."""

    code = "GAR-1302"
    usual_hint = "garrick deadletter ls shows those that are kept: the newest hundred of each process"


# --- 2xxx: actors and placement --------------------------------------------------------------------------------------


class SpawnFailed(GarrickError):
    """A top-level actor could not be started; the cause is chained or attached as text."""

    code = "GAR-2001"
    usual_hint = "the traceback of its constructor or of started() is attached"


class BadActorClass(GarrickError):
    """What was given to spawn is no actor class, or its name can't be imported."""

    code = "GAR-2002"
    usual_hint = 'derive from garrick.Actor and give the class itself, or "package.module.Class"'


class NameTaken(GarrickError):
    """An actor with this name already runs in the system."""

    code = "GAR-2003"
    usual_hint = "use the one that runs: lookup(name)"


class NotAnAddress(GarrickError, TypeError):
    """The target of a send, ask, stop or watch is not an Address."""

    code = "GAR-2004"
    usual_hint = "use what spawn(...) or lookup(...) returned; the sender of a plain send from the program is None"


class NoActorContext(GarrickError):
    """An operation of an actor was used outside of the actor's life (for example in ``__init__``)."""

    code = "GAR-2005"
    usual_hint = "actors are made by spawn(...), never by calling the class"


class NoSuchActor(GarrickError):
    """Nobody is known by this name, address or part of one."""

    code = "GAR-2006"
    usual_hint = "garrick actor ls lists the actors of a system; it may have ended longer ago than is remembered"


class NoCapableSystem(GarrickError):
    """No known system satisfies the requirements of the actor."""

    code = "GAR-2107"
    usual_hint = "give a system what is lacking (capabilities=, set_capability), or relax requires="


# --- 3xxx: systems and processes -------------------------------------------------------------------------------------


class SystemStopped(GarrickError):
    """The actor system has ended or is ending."""

    code = "GAR-3001"
    usual_hint = "keep the system open for as long as it is used, or start a new one"


class SystemStartFailed(GarrickError):
    """The processes of the system did not come up."""

    code = "GAR-3002"
    usual_hint = "what its processes printed on stderr says why"


class NoSuchSystem(GarrickError):
    """There is no running system of that name for this user."""

    code = "GAR-3003"
    usual_hint = "`garrick status` lists the running systems of this user"


class MissingMainGuard(SystemStartFailed):
    """The program starts an actor system while it is being imported by a worker: no ``if __name__ == "__main__"``."""

    code = "GAR-3004"
    usual_hint = 'put what the program does under `if __name__ == "__main__":`'


class NotAuthorised(GarrickError):
    """A token, key or credentials file was refused."""

    code = "GAR-3005"
    usual_hint = "use the system as the user that started it"


class SystemExists(GarrickError):
    """A system of that name is running already."""

    code = "GAR-3006"
    usual_hint = "attach to it with ActorSystem.attach(name), or give the new one another name"


class NoSourceFile(GarrickError):
    """A class of ``__main__`` has to reach another process, but the main program has no file."""

    code = "GAR-3007"
    usual_hint = "put the classes into a module, or pip install 'garrick[notebook]'"


class ManagementError(GarrickError):
    """The management socket of a system answered that it can't answer; ``code`` is then the one that it named."""

    code = "GAR-3008"
    usual_hint = "use the `garrick` command of the environment in which the system runs"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        if code is not None:
            self.code = code
        super().__init__(message, hint=hint)


class VersionMismatch(GarrickError):
    """A program and a running system are of different versions of Garrick."""

    code = "GAR-3009"
    usual_hint = "use the system from the environment that started it, or stop it and start it with the new version"


# --- 4xxx: conventions and the engine --------------------------------------------------------------------------------


class EngineError(GarrickError):
    """The engine between systems could not be started or reached."""

    code = "GAR-4001"
    usual_hint = "compare the addresses with those of a running system; is a server up, and no firewall between?"


class EngineNotFound(EngineError):
    """No server binary for the engine was found."""

    code = "GAR-4002"
    usual_hint = "pip install 'garrick[cluster]'"


class EngineTooOld(EngineError):
    """The server binary is older than the oldest supported version."""

    code = "GAR-4003"
    usual_hint = "pip install -U 'garrick[cluster]'"


class PortTaken(EngineError):
    """The port that the engine should listen on is in use."""

    code = "GAR-4004"
    usual_hint = "choose another port in listen="


class JoinRefused(EngineError):
    """The convention refused the credentials of this system."""

    code = "GAR-4005"
    usual_hint = "issue new credentials where the convention was made, and compare the clocks of the hosts"


class BadCredentials(EngineError):
    """A credentials file is missing, unreadable by us, readable by others, or damaged."""

    code = "GAR-4006"
    usual_hint = "issue new credentials where the convention was made"


class EngineLocked(EngineError):
    """Another process already runs the engine's server in this directory."""

    code = "GAR-4007"
    usual_hint = "stop the other process first, or give each system a directory of its own"


# --- 5xxx: the program's own mistakes --------------------------------------------------------------------------------


class InvalidArgument(GarrickError, ValueError):
    """An argument has a value that can't be used."""

    code = "GAR-5001"


class BadLogging(GarrickError, ValueError):
    """What was given as ``logging=`` can't be used to configure the log of a system's processes."""

    code = "GAR-5004"
    usual_hint = "it takes what logging.config.dictConfig takes; try that call with it in this program"


class NoDemo(GarrickError):
    """No installed distribution offers a demonstration."""

    code = "GAR-5003"
    usual_hint = "pip install garrick-provision"


# --- 6xxx: simulation ------------------------------------------------------------------------------------------------


class SimFailure(GarrickError, AssertionError):
    """A check of a simulated world was violated.

    Attributes:
        check: the name of the check, the same in every run that fails alike.
        kind: which sort of check (``always``, ``eventually``, ``leads to``, ``deadlock``, ``livelock``, ``leak``, ``dead letter``,
            ``failure``, ``goal``, ...).
        message: what was found, without the time and the step.
        step: of the world's kernel at which it was found.
        now: virtual seconds since the world began.
        tail: the last things that happened, oldest first, as lines of text.
    """

    code = "GAR-6001"
    usual_hint = "run the same seed again: it fails in the same way"

    def __init__(
        self,
        message: str,
        *,
        check: str = "",
        kind: str = "",
        step: int = 0,
        now: float = 0.0,
        tail: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        where = f" (at {now:.6f} s, step {step})" if step else ""
        super().__init__(f"{message}{where}", hint=hint)
        self.message = message
        self.check = check
        self.kind = kind
        self.step = step
        self.now = now
        self.tail = tuple(tail)
        if self.tail:
            self.add_note("what happened before:\n" + "\n".join(f"  {line}" for line in self.tail))


class NotSimulated(GarrickError, RuntimeError):
    """Code that runs in a simulated world used something that the world can't make repeatable."""

    code = "GAR-6002"


class Diverged(GarrickError, RuntimeError):
    """A simulated run that should have been the same as an earlier one was not."""

    code = "GAR-6003"
    usual_hint = "something outside of the world decides: garrick explain GAR-6003"


# --- 7xxx: sources ---------------------------------------------------------------------------------------------------


class SourceError(GarrickError):
    """Something is wrong with a bundle, a key or a loaded source. Never raised itself."""

    code = "GAR-7000"
    usual_hint = "`garrick source show` tells what a bundle is and who signed it"


class BuildFailed(SourceError):
    """No bundle can be made of these files."""

    code = "GAR-7001"
    usual_hint = "a bundle holds packages and modules as they lie in a folder of sys.path"


class BadKey(SourceError):
    """A key is missing, damaged, or readable by others."""

    code = "GAR-7002"
    usual_hint = "`garrick key show` lists the keys; `garrick key new` makes one"


class BundleRefused(SourceError):
    """A bundle is not what it should be, or nobody that is trusted here stands for it. ``code`` says why (see `REFUSALS`)."""

    code = "GAR-7100"
    usual_hint = "get the bundle again from where it was signed; nothing of this one was used"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        if code is not None:
            self.code = code
        super().__init__(message, hint=hint)


class SourceMissing(SourceError, ModuleNotFoundError):
    """Code of a source is needed that is not in this process and can't be brought in."""

    code = "GAR-7201"
    usual_hint = "put the bundle into the store of this host, or name another store in GARRICK_SOURCES"

    def __init__(
        self, message: str, *, name: str | None = None, hint: str | None = None, retired: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.retired = retired
        """Whether it was taken out of this process on purpose."""


class SourceConflict(SourceError):
    """A source can't be loaded in this process, because of what it is or of what is there."""

    code = "GAR-7202"
    usual_hint = "load it in another process"


class SourceDamaged(SourceError):
    """The store of this host is not what it was, or not private."""

    code = "GAR-7203"
    usual_hint = "remove the directory that the text names; the bundle is fetched or added again"


class SourceInUse(SourceError):
    """A source can't be unloaded while somebody holds it."""

    code = "GAR-7204"
    usual_hint = "end what uses it first"


class SourceRetired(SourceError):
    """A version of a source takes no new actors: it is draining, drained or unloaded."""

    code = "GAR-7205"
    usual_hint = "spawn from the current version: source=NAME; garrick source ls shows all"


class SourceLeaked(SourceError):
    """A source was unloaded, and some of its code still lives in a process; the text tells what, and what keeps it."""

    code = "GAR-7206"
    usual_hint = "it can't be loaded again in that process as long as that lives; end what keeps it, or the process"


class SourceDenied(SourceError):
    """A bundle is signed well, and the authority did not approve it, or there is none."""

    code = "GAR-7301"
    usual_hint = (
        "name an actor source-authority that approves it, or use development=True where one of your own keys signed it"
    )
