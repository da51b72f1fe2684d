"""What runtimes and admins say to each other. They travel as envelopes like user messages, but never reach an actor.

Owns only data. A signal to an actor's address concerns that actor; a signal to a control address (serial 0) concerns the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from garrick.address import Address, ReplyAddress
from garrick.requirements import is_demanding, pairs


class Signal:
    """Base of all signals."""

    __slots__ = ()


NOTHING: Final[dict[str, Any]] = {}
"""What specs without keyword arguments or requirements share; never changed."""


def _nothing() -> dict[str, Any]:
    return NOTHING


@dataclass(slots=True)
class Spec:
    """How to make (and re-make) an actor; travels with a spawn.

    ``actor_class`` is a class or ``"package.module.Class"``; a class that can't be pickled by reference fails in the spawner.
    Never changed once an actor is made of it: actors may share one (`of`).
    """

    actor_class: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=_nothing)
    name: str | None = None
    requires: dict[str, Any] = field(default_factory=_nothing)
    supervision: Any = None
    isolation: str = "shared"
    mailbox: Any = None
    global_name: str | None = None
    plain: bool = field(default=False, compare=False, repr=False)
    """Whether there is nothing to check: only a class, which is an actor's and wants nothing of its system."""
    pending: bool = False
    """Whether it waits for a system that fits, if there is none."""

    @classmethod
    def of(
        cls,
        actor_class: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
        requires: Mapping[str, Any] | None,
        supervision: Any,
        isolation: str,
        mailbox: Any,
        pending: bool = False,
        global_name: str | None = None,
    ) -> Spec:
        """What ``spawn`` was called with. All actors of a class that were given nothing else share one: most actors need no more."""
        if (
            args
            or kwargs
            or name is not None
            or requires
            or supervision is not None
            or mailbox is not None
            or isolation != "shared"
            or pending
            or global_name is not None
        ):
            requires = pairs("requires", requires) if requires else NOTHING
            spec = cls(actor_class, args, kwargs or NOTHING, name, requires, supervision, isolation, mailbox)
            spec.pending, spec.global_name = pending, global_name
            return spec
        plain: Spec | None = getattr(actor_class, "_plain_spec", None)
        if plain is None or plain.actor_class is not actor_class:  # a subclass finds its parent's
            plain = cls(actor_class)
            if isinstance(actor_class, type) and hasattr(actor_class, "_plain_spec"):
                plain.plain = not is_demanding(actor_class)
                actor_class._plain_spec = plain
        return plain


# --- to an actor's address -------------------------------------------------------------------------------------------


Held: TypeAlias = "tuple[tuple[int, Any, Address[Any] | None], ...]"
"""``(kind, message, sender)`` of what waited for an actor until it had a place."""


@dataclass
class Spawn(Signal):
    """Create the actor with this very address. ``notify`` (a reply address) gets Started or a failure.

    ``held`` stands in front of everything else in its mailbox.
    """

    spec: Spec
    parent: Address[Any]
    notify: Address[Any] | None = None
    held: Held = ()


@dataclass
class Started(Signal):
    """Answer to `Spawn.notify`: the actor runs."""

    address: Address[Any]


@dataclass
class Stop(Signal):
    """End the actor after the messages that came before this signal; ``notify`` learns when it is done.

    Without ``drain`` it ends after the message that it handles now, its children likewise; what waits are dead letters.
    """

    reason: str = "stopped"
    notify: Address[Any] | None = None
    drain: bool = True


@dataclass
class Watch(Signal):
    """Tell ``watcher`` when the actor ends (at once if it has ended)."""

    watcher: Address[Any]


@dataclass
class Unwatch(Signal):
    """Undo Watch."""

    watcher: Address[Any]


@dataclass
class Escalated(Signal):
    """To a parent: its child failed, is suspended, and leaves the decision to the parent's policy. ``error`` can travel."""

    child: Address[Any]
    error: BaseException


@dataclass
class Verdict(Signal):
    """The answer to `Escalated`: go on, or be made again; none comes when the parent ends, and with it all its children."""

    restart: bool


@dataclass
class GroupFailed(Signal):
    """To a parent: its child failed, is suspended, and wants all of its group to restart (``Restart(all_for_one=True)``).

    ``epoch`` is the last `GroupVerdict` that the child had heard of when it failed.
    """

    child: Address[Any]
    policy: Any
    epoch: int
    error: BaseException


@dataclass
class GroupVerdict(Signal):
    """To every child of a parent: those of the group restart after ``delay`` seconds, or stop as failed when it is None."""

    epoch: int
    delay: float | None
    error: BaseException


@dataclass
class Chase(Signal):
    """Follows the waits of actors, looking for the one that sent it (`garrick.runtime.deadlock`)."""

    asker: Address[Any]
    serial: int
    over: tuple[Address[Any], ...]


@dataclass
class Cancel(Signal):
    """The asker no longer wants the answer to ``question``, which it sent to this actor before."""

    question: ReplyAddress


@dataclass
class Subscribe(Signal):
    """``subscriber`` wants what the actor publishes, and can take ``credit`` events."""

    subscriber: Address[Any]
    request: Any
    credit: int


@dataclass
class Unsubscribe(Signal):
    """Undo Subscribe."""

    subscriber: Address[Any]


@dataclass
class Demand(Signal):
    """``subscriber`` can take so many events more."""

    subscriber: Address[Any]
    credit: int


@dataclass
class Event(Signal):
    """To a subscriber: something was published."""

    event: Any


@dataclass
class Missed(Signal):
    """To a subscriber: so many events were published here that it had no credit for."""

    count: int


@dataclass
class Probe(Signal):
    """Where is ``question``, which was sent to this actor? Answered at once with `Found` to the control address of its process."""

    question: ReplyAddress


@dataclass
class Mark(Signal):
    """Answer ``to`` with `Marked` in its turn: everything that was sent to the actor before has been handled then."""

    to: Address[Any]
    number: int


@dataclass
class Marked:
    """The answer to a `Mark`: a message, since actors of the library wait for it."""

    number: int


@dataclass
class Told(Signal):
    """A notice (ChildExited, Terminated, Poisoned, CapabilityLost) for the actor."""

    notice: Any


# --- to the admin (process 0, serial 0) --------------------------------------------------------------------------------


@dataclass
class NameClaim(Signal):
    """A runtime wants to start an actor under a name; answered with NameAnswer to ``reply_to`` (a control address)."""

    name: str
    address: Address[Any]
    everywhere: bool = False
    """Whether the name is to be unique in the convention, not only in the system; in the answer and the release likewise."""


@dataclass
class NameAnswer(Signal):
    """``holder`` equals the claimed address when the name was granted.

    A name that is unique everywhere is granted under ``epoch``, and ``until`` a moment of the machine's monotonic clock.
    """

    name: str
    address: Address[Any]
    holder: Address[Any]
    everywhere: bool = False
    epoch: int = 0
    until: float | None = None


@dataclass
class NameReleased(Signal):
    """The named actor has ended."""

    name: str
    address: Address[Any]
    everywhere: bool = False


@dataclass
class Lookup(Signal):
    """Ask: which address has this name? Answered with an Address or None."""

    name: str
    everywhere: bool = False


@dataclass
class StartProcess(Signal):
    """Start a dedicated process with this number for the actor at ``address``; its Spawn follows by itself."""

    number: int
    address: Address[Any]


@dataclass
class Keep(Signal):
    """The actor runs, and is to be made again with this address when its process dies (``Restart(on_loss=True)``).

    Sent by the hosting process when the actor first runs there.

    Attributes:
        address: of the actor.
        parent: of the actor; nothing is made again for a parent that is gone.
        dedicated: whether it has a process of its own.
        max: losses ``within`` seconds that it survives.
        within: see ``max``; seconds.
        spawn: the whole envelope of a `Spawn` that makes it again. The admin never looks into it.
    """

    address: Address[Any]
    parent: Address[Any]
    dedicated: bool
    max: int
    within: float
    spawn: bytes


@dataclass
class Forget(Signal):
    """The actor is ending: undo `Keep`."""

    address: Address[Any]


@dataclass
class NumbersWanted(Signal):
    """Ask: a block of process numbers for dedicated processes. Answered with ``(first, count)``."""


@dataclass
class Await(Signal):
    """Actors of the process wait for a system that fits, or no longer: it wants to hear when there are others."""

    active: bool


@dataclass
class Load(Signal):
    """A process reports how many actors it has; at most once a second, and only when that has changed."""

    actors: int


@dataclass
class Farewell(Signal):
    """A dedicated process is about to end as it should: ``reason`` is how the actor that it was for ended."""

    reason: str


@dataclass
class Pong(Signal):
    """Answer to `Ping`."""


@dataclass
class DeadLetterNote(Signal):
    """A process reports dead letters: total so far, by reason, and the newest letters for the admin's list."""

    total: int
    by_reason: dict[str, int]
    newest: list[Any]


@dataclass
class SubscribeDeadLetters(Signal):
    """``subscriber`` wants every dead letter of the system from now on (or no longer)."""

    subscriber: Address[Any]
    active: bool = True


@dataclass
class SetCapability(Signal):
    """Change a capability of the system at run time; None removes it."""

    key: str
    value: Any


@dataclass
class StatusWanted(Signal):
    """Ask (to the admin or a process): a plain dict of what is known there."""


@dataclass
class Inspect(Signal):
    """Ask a process about its actors or dead letters, or to do something to one of them, for an operator.

    Answered with plain data (`garrick.runtime.inspection`, `garrick.runtime.operator`).
    """

    what: str
    params: dict[str, Any]


@dataclass
class SourceAct(Signal):
    """Ask: do this about the system's sources (`garrick.node.admin.sources`). Answered with plain data, or a failure."""

    verb: str
    params: dict[str, Any]


@dataclass
class Shutdown(Signal):
    """To the admin: end the system. To a process: end all its actors, then itself. ``grace`` in seconds."""

    grace: float = 5.0


# --- to processes (control addresses) ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProcessInfo:
    """A process that can host actors; ``load`` is its number of actors as last heard."""

    number: int
    load: int = 0


@dataclass(frozen=True)
class SystemInfo:
    """What placement knows about one system."""

    system: str
    capabilities: dict[str, Any]
    processes: tuple[ProcessInfo, ...] = ()

    @property
    def name(self) -> str:
        """The name without the incarnation."""
        return self.system.partition("@")[0]


@dataclass
class View(Signal):
    """All systems this one may spawn on (its own included), complete."""

    systems: Mapping[str, SystemInfo]


@dataclass
class ViewChange(Signal):
    """What is different from the View that the process has: these systems are new or changed, and these are gone."""

    changed: dict[str, SystemInfo]
    gone: tuple[str, ...] = ()


@dataclass
class SystemsChanged(Signal):
    """To a process that has said `Await`, where it looks at the list of systems itself: it has changed."""


@dataclass
class SourcesAre(Signal):
    """The versions of sources that the system has, and their states: a `garrick.sources.roster.Roster`."""

    roster: Any


@dataclass
class Drain(Signal):
    """To a process: actors that can move to another system are to do so, and none comes from another one; or as usual again."""

    active: bool


@dataclass
class SourceWanted(Signal):
    """Ask a process, also of another system: the piece of this bundle that begins at ``offset`` (`garrick.sources.fetching`)."""

    part: str
    offset: int


@dataclass
class Ping(Signal):
    """The admin wants a sign of life; answered with `Pong` by whoever serves the links, whatever the actors do."""


@dataclass
class Found(Signal):
    """Answer to a `Probe` for the ask ``serial``, for a person."""

    serial: int
    text: str


@dataclass
class Leased(Signal):
    """Names that are unique in the convention are held until then, by the machine's monotonic clock."""

    until: float


@dataclass
class ProcessLost(Signal):
    """These processes of the own system have died; ``reason`` is what ChildExited and Terminated say.

    ``moved`` names all their actors that were to survive that, and where each of them is made again (0: it has ended all the same).
    """

    processes: tuple[int, ...]
    reason: str = "worker lost"
    detail: str = ""
    moved: dict[Address[Any], int] = field(default_factory=dict)


@dataclass
class SystemLost(Signal):
    """A system of the convention is gone: ``reason`` ``system lost`` (crash, partition) or ``stopped`` (graceful)."""

    system: str
    reason: str = "system lost"
    detail: str = ""
