"""`ActorSystem`: how a program starts, uses and ends a system; the same on every base.

Owns the choice of the base and the program's point of view (it is outside of all actors). Everything else is in the node it starts.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from garrick.errors import AskTimeout, GarrickError, InvalidArgument, NoSuchActor, SystemStopped
from garrick.inbox import Inbox
from garrick.messages import Request
from garrick.observe import logsetup
from garrick.requirements import pairs
from garrick.runtime.ask import Slot
from garrick.runtime.signals import Lookup, SetCapability, SourceAct, Spec, StatusWanted, Stop, SubscribeDeadLetters
from garrick.streams import Subscription
from garrick.supervision import Restart
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from pathlib import Path

    from garrick.actor import Actor
    from garrick.address import Address
    from garrick.mailbox import Bounded
    from garrick.node.base import Node
    from garrick.sources.admission import Source
    from garrick.supervision import Supervision

R = TypeVar("R")

BASES = {
    # By name and not by import: a program loads only the base that it uses, and nothing depends on the simulator.
    "local": "garrick.node.local",
    "multiprocess": "garrick.node.client",
    "sim": "garrick.sim.node",
}

DEFAULT_TIMEOUT = 30.0
LISTENERS_LOOKS = 5
"""How often, a second each, all processes are asked whether they know of a new listener for dead letters."""

_made_up = itertools.count(1)


def _options(start: Callable[..., object]) -> str:
    names = [name for name in inspect.signature(start).parameters if name not in ("name", "capabilities")]
    return ", ".join(f"{name}=" for name in names) or "name= and capabilities="


def _named(source: Source | str) -> str:
    return source if isinstance(source, str) else source.hash


def _made_up_name() -> str:
    number = next(_made_up)
    return f"system-{os.getpid()}" if number == 1 else f"system-{os.getpid()}-{number}"


class ActorSystem:
    """A running actor system as a program uses it.

    The program that starts a system owns it: it ends with `stop`, with the ``with`` block, or when the program dies.

    Args:
        base: ``"multiprocess"`` (processes on this machine), ``"local"`` (inside this process) or ``"sim"`` (sequential,
            deterministic, virtual time).
        name: of the system, unique for this user on this machine; made up when None.
        capabilities: what actors can require; keys to any picklable values.
        logging: how the processes of the system configure their logs, as for ``logging.config.dictConfig``; existing loggers stay
            enabled unless it says otherwise. None: they write records of the program's root level or above to the standard error
            output. With ``local`` and ``sim`` it configures the calling program, which is left alone without it.
        options: further options of the base. ``multiprocess``: ``workers=`` (processes), ``detached=`` (goes on without this
            program), ``preload=`` (names of modules that are imported once, before processes are forked),
            ``credentials=``, ``join=``, ``listen=`` (to take part in a convention); ``sim``: ``seed=``,
            ``fidelity="pickle"`` (messages are copied, as between processes); ``local``: ``copy="always"`` (the same),
            ``management=True`` (the command ``garrick`` can look at it, by its name).

    Raises:
        InvalidArgument: there is no such base or option.
        BadLogging: ``logging`` can't be used.
        SystemStartFailed: the processes did not come up.
    """

    def __init__(
        self,
        base: str = "multiprocess",
        *,
        name: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        logging: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        module = BASES.get(base)
        if module is None:
            raise InvalidArgument(f"there is no base {base!r}", hint=f"bases are {', '.join(map(repr, BASES))}")
        if name is None:
            # Only processes on one machine have to tell systems apart by name; a simulated one must be the same every time.
            name = _made_up_name() if base == "multiprocess" else base
        if not name or not all(c.isalnum() or c in "-_" for c in name):
            raise InvalidArgument(f"{name!r} is no name for a system", hint="letters, digits, '-' and '_' only")
        capabilities = pairs("capabilities", capabilities or {})
        start = importlib.import_module(module).start
        if logging is not None:
            if base == "multiprocess":
                options["logging"] = logging
            else:
                logsetup.use_here(logging, name)
        try:
            node = start(name, capabilities, **options)
        except TypeError as error:
            if options and "unexpected keyword argument" in str(error):
                raise InvalidArgument(
                    f"base {base!r} has no such option: {error}", hint=f"options are {_options(start)}"
                ) from None
            raise
        self._adopt(node)

    @classmethod
    def attach(cls, name: str) -> ActorSystem:
        """Use a system of this user that runs already; `stop` then only lets go of it.

        Raises:
            NoSuchSystem: there is none of that name.
        """
        system = cls.__new__(cls)
        system._adopt(importlib.import_module("garrick.node.client").attach(name))
        return system

    def _adopt(self, node: Node) -> None:
        self._node = node
        self._runtime = node.runtime
        self._stopped: list[str] | None = None

    # --- actors ---------------------------------------------------------------------------------------------------------

    def spawn(
        self,
        actor_class: type[Actor] | str,
        *args: Any,
        name: str | None = None,
        global_name: str | None = None,
        requires: Mapping[str, Any] | None = None,
        supervision: Supervision | None = None,
        isolation: str = "shared",
        mailbox: Bounded | None = None,
        source: Source | str | None = None,
        source_key: str | None = None,
        pending: bool = False,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        **kwargs: Any,
    ) -> Address[Any]:
        """Create a top-level actor.

        Args:
            actor_class: the class, or ``"package.module.Class"``.
            args: arguments of its constructor; keyword arguments likewise.
            name: unique in the system.
            global_name: unique in the convention.
            requires: capabilities that the hosting system must have.
            supervision: what happens when a handler raises.
            isolation: ``"shared"``, ``"thread"`` or ``"process"``.
            mailbox: `Bounded`, or None for one without a bound.
            source: whose code it is: what `load_source` gave, a hash, ``name@version``, or a name, whose current version is taken. The
                class is then named as that version of the code calls it.
            source_key: where a source is named whose next version is for some only (`ramp_source`): which ones, always alike; by default
                the actor's name, else its own.
            pending: whether to wait, up to ``timeout``, for a system that has what it requires, if none has it now.
            wait: whether to wait until it runs, and to raise when it can't start.
            timeout: seconds to wait.

        Raises:
            SpawnFailed: its constructor or ``started`` raised (the cause is attached).
            NameTaken: an actor of that name exists.
            NoCapableSystem: no system has what it requires.
            BadActorClass: it is no actor class.
            SourceMissing, SourceRetired: there is no such source, or it takes no new actors.
            AskTimeout: it did not start in time.
        """
        self._check()
        if source is not None:
            actor_class = self._class_of(actor_class, source, source_key or name or global_name)
        spec = Spec.of(actor_class, args, kwargs, name, requires, supervision, isolation, mailbox, pending, global_name)
        slot = Slot(self._runtime, self._runtime.admin, timeout, None) if wait else None
        address = self._runtime.spawn(spec, self._runtime.admin, notify=slot.address if slot is not None else None)
        if slot is not None:
            slot.target = address
            if address._cell is None:
                slot.expose()
            try:
                started = slot.wait()
            except AskTimeout:
                if pending:  # nobody knows of it who could use it
                    self._runtime.route(address, Stop(), None, SIGNAL)
                raise
            self._runtime.launched.pop(address, None)
            if pending:
                return started.address  # type: ignore[no-any-return]
        return address

    def send(self, target: Address[Any], message: Any) -> None:
        """Send a message; there is no sender to reply to (use an `inbox` for that)."""
        self._check()
        self._runtime.route(target, message, None)

    @overload
    def ask(self, target: Address[Any], message: Request[R], timeout: float = ...) -> R: ...
    @overload
    def ask(self, target: Address[Any], message: Any, timeout: float = ...) -> Any: ...
    def ask(self, target: Address[Any], message: Any, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """Send a message and wait for the answer.

        Args:
            target: whom to ask.
            message: the question.
            timeout: seconds.

        Raises:
            AskTimeout, ActorGone, HandlerFailed: see `garrick.Reply.result`.
        """
        self._check()
        return self._runtime.ask(target, message, timeout).result()

    @overload
    def ask_all(
        self, targets: Iterable[Address[Any]], message: Request[R], timeout: float = ...
    ) -> list[R | GarrickError]: ...
    @overload
    def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float = ...) -> list[Any]: ...
    def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float = DEFAULT_TIMEOUT) -> list[Any]:
        """Send one message to many and wait until all have answered or the time is over.

        Args:
            targets: whom to ask.
            message: the question.
            timeout: seconds for all of them.

        Returns:
            For each target, in order, its answer, or the error that `ask` would have raised.
        """
        self._check()
        return self._runtime.ask_all(targets, message, timeout).wait()

    @overload
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Request[R], timeout: float = ...
    ) -> Iterator[tuple[Address[Any], R | GarrickError]]: ...
    @overload
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float = ...
    ) -> Iterator[tuple[Address[Any], Any]]: ...
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float = DEFAULT_TIMEOUT
    ) -> Iterator[tuple[Address[Any], Any]]:
        """As `ask_all`, one after the other as they come: ``for target, outcome in system.ask_each(...)``.

        The questions are sent at once. Those that are still open when the loop is left are given up, as if cancelled.
        """
        self._check()
        return self._runtime.ask_all(targets, message, timeout).each()

    def stop_actor(self, target: Address[Any], timeout: float = DEFAULT_TIMEOUT, *, drain: bool = True) -> None:
        """End an actor after what was sent to it before, and wait until it and its children have ended.

        Args:
            target: whom.
            timeout: seconds to wait.
            drain: False: it ends after the message that it handles now, and so do its children; what waits in their
                mailboxes are dead letters (``stopped``).

        Raises:
            AskTimeout: it has not ended in time; it ends as soon as it can.
        """
        self._check()
        slot = Slot(self._runtime, target, timeout, None)
        self._runtime.route(target, Stop(notify=slot.address, drain=drain), None, SIGNAL)
        if target._cell is None:
            slot.expose()
        slot.wait()

    def lookup(self, name: str, timeout: float = DEFAULT_TIMEOUT, *, everywhere: bool = False) -> Address[Any] | None:
        """The address of a named actor, or None.

        Args:
            name: as given at spawn.
            timeout: seconds.
            everywhere: whether it is a ``global_name``, of an actor anywhere in the convention.

        Raises:
            AskTimeout: nobody could say.
        """
        self._check()
        question = Lookup(name, everywhere)
        found: Address[Any] | None = self._runtime.ask(self._runtime.admin, question, timeout, kind=SIGNAL).result()
        return found

    def load_source(
        self,
        bundle: bytes | str | Path,
        *,
        authorities: Iterable[str] = (),
        development: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Source:
        """Take in a bundle of code, when those whom this user trusts have signed it and the authority approves it.

        Its actors are then spawned with ``spawn("module.Class", source=...)``; other versions go on beside it.

        Args:
            bundle: its bytes, or where its file is.
            authorities: names of actors that must all approve it: each is asked with `SourceOffered` and answers `True`. By default
                the actor that is named ``source-authority``.
            development: without an authority, take what one of this user's own keys has signed.
            timeout: seconds for the answers.

        Raises:
            BundleRefused: it is not what it should be, or nobody trusted signed it.
            SourceDenied: an authority refused, or was silent; or there is none.
            SourceConflict: it can't be loaded in this process.
        """
        from garrick.sources.admission import admit  # late: needs cryptography
        from garrick.sources.authority import AUTHORITY, SourceOffered

        self._check()
        named = tuple(authorities)

        def ask(offered: SourceOffered) -> dict[str, object]:
            found = {name: self.lookup(name, timeout) for name in named or (AUTHORITY,)}
            asked = {name: address for name, address in found.items() if address is not None}
            answers: dict[str, object] = dict(zip(asked, self.ask_all(asked.values(), offered, timeout), strict=True))
            missing = {name: NoSuchActor(f"there is no actor {name!r}") for name in named if name not in asked}
            return {**answers, **missing}

        source = admit(bundle, ask, development=development)
        self._about_sources("source.add", timeout, hash=source.hash, name=source.name, version=source.version)
        return source

    def sources(self, timeout: float = DEFAULT_TIMEOUT) -> list[dict[str, Any]]:
        """The versions of sources of this system: hash, name, version, state, and what is in use of each, as plain data.

        Args:
            timeout: seconds to wait.
        """
        found: list[dict[str, Any]] = self._about_sources("source.list", timeout)["sources"]
        return found

    def activate_source(self, source: Source | str, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Make a version the current one of its name: what ``spawn(..., source="bank")`` takes from now on, in all processes.

        The one that was current before stays loaded, and its actors go on; see `drain_source` and `rollback_source`.

        Args:
            source: what `load_source` gave, a hash or the beginning of one, or ``name@version``.
            timeout: seconds to wait.

        Raises:
            SourceMissing: there is no such source.
        """
        return self._about_sources("source.activate", timeout, source=_named(source))

    def ramp_source(self, source: Source | str, percent: float, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Let the name of a version mean it for a share of the keys, and the current version for the others.

        Args:
            source: as for `activate_source`.
            percent: of the keys, 0 to 100; 0 ends it. A key that has got the version keeps it while the share grows.
            timeout: seconds to wait.

        Raises:
            SourceMissing: there is no such source.
            InvalidArgument: it is the current version, or there is none.
        """
        return self._about_sources("source.ramp", timeout, source=_named(source), percent=percent)

    def drain_source(
        self,
        source: Source | str,
        *,
        deadline: float | None = None,
        force: bool = False,
        wait: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Let a version come to its end: no new actors are made of it, and those that are there do as their class says.

        Each gets the notice `SourceDraining`. By ``on_drain`` of its class an actor goes on until it ends (``"finish"``, ``"pin"``) or goes
        over to the current version with its address (``"restart"``, ``"migrate"``), see `garrick.Migratable`. Called again it changes the
        deadline.

        Args:
            source: as for `activate_source`.
            deadline: seconds until it should be drained; None: it takes the time that it takes.
            force: whether what is left then is ended; otherwise that is only told.
            wait: whether to wait until it is drained, or the deadline has passed.
            timeout: seconds to wait.

        Returns:
            What is true of it then: ``state`` is ``drained`` or ``draining``.

        Raises:
            SourceInUse: it is the current version.
            SourceMissing: there is no such source.
            AskTimeout: it was not drained in time; it goes on draining.
        """
        params = {"source": _named(source), "seconds": deadline, "force": force, "wait": wait, "patience": timeout}
        return self._about_sources("source.drain", timeout, **params)

    def rollback_source(self, name: str, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Make the version current again that was it before, whether it drains or has drained; called twice it undoes itself.

        Args:
            name: of the source.
            timeout: seconds to wait.

        Raises:
            SourceMissing: there is no such source, or no earlier version of it.
        """
        return self._about_sources("source.rollback", timeout, source=name)

    def unload_source(
        self, source: Source | str, *, force: bool = False, timeout: float = DEFAULT_TIMEOUT
    ) -> dict[str, Any]:
        """Take a version out of all processes of the system; nothing of it may be in use.

        Actors, messages, timers and actors that are being made are counted in all processes, twice, before anything is done; meanwhile no
        new actors of the version are made. Afterwards weak references show that its code is really gone.

        Args:
            source: what `load_source` gave, a hash or the beginning of one, or ``name@version``.
            force: also the current version, and end its actors.
            timeout: seconds to wait; with ``force`` its actors have half of them for what they do now.

        Returns:
            What became of it: ``state``, ``processes`` (how many), ``complaints`` (what its own functions raised when they were told).

        Raises:
            SourceInUse: something is in use; the text tells what.
            SourceLeaked: it is unloaded, and some of its code still lives; the text tells what keeps it.
            SourceMissing: there is no such source.
        """
        return self._about_sources("source.unload", timeout, source=_named(source), force=force, grace=timeout / 2)

    def _about_sources(self, verb: str, timeout: float, **params: Any) -> dict[str, Any]:
        self._check()
        asked = SourceAct(verb, params)
        found: dict[str, Any] = self._runtime.ask(self._runtime.admin, asked, timeout, kind=SIGNAL).result()
        return found

    def _class_of(self, actor_class: type[Actor] | str, source: Source | str, key: str | None) -> type[Actor]:
        from garrick.runtime.sourced import find_class  # late: most programs have no sources

        found: type[Actor] = find_class(self._runtime, actor_class, source, key)
        return found

    def inbox(self) -> Inbox:
        """A new address of the program's own, to send from and receive at."""
        self._check()
        return Inbox(self._runtime)

    def subscribe(self, target: Address[Any], request: Any = None, *, buffer: int = 1000) -> Subscription:
        """Get what an actor publishes from now on (`Actor.publish`); what follows from messages sent later is in it.

        Args:
            target: whose events; it gets a `Subscribed` notice.
            request: goes along with the notice: what is wanted, as the actor understands it.
            buffer: events that may be under way or wait to be taken; more are left out, and `Lagged` says how many.
        """
        self._check()
        return Subscription(self._runtime, target, request, buffer)

    def dead_letters(self) -> Inbox:
        """An inbox that receives a `DeadLetter` for every message that nobody handles from now on.

        A process that does not answer is waited for, up to 5 seconds; it may tell of letters later than the others begin to.
        """
        inbox = self.inbox()
        self._runtime.dead_letter_listeners[inbox.address] = None
        self._runtime.route(self._runtime.admin, SubscribeDeadLetters(inbox.address), inbox.address, SIGNAL)
        # What every process answers behind the subscription: from now on nothing is missed.
        for _ in range(LISTENERS_LOOKS):
            if all(process["answered"] for process in self.status()["processes"] if process["state"] == "up"):
                break
        return inbox

    # --- the system ---------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the system."""
        return self._node.name

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What actors can require here, as last known."""
        return self._runtime.capabilities

    def set_capability(self, key: str, value: Any) -> None:
        """Change a capability while the system runs; None removes it. Actors that no longer fit end."""
        self._check()
        self._runtime.route(self._runtime.admin, SetCapability(key, value), None, SIGNAL)

    def probe(self, key: str, function: Callable[[], Any], *, every: float = 5.0, timeout: float = 5.0) -> Address[Any]:
        """Keep a capability true by looking: ``function`` gives its value now and then, and actors come and go with it.

        A value of None or False, an exception, and no answer in time all mean that the system does not have it.

        Args:
            key: of the capability.
            function: of a module; it runs in a process of the system, on a thread of its own, and may wait.
            every: seconds between two looks.
            timeout: seconds that one look may take.

        Returns:
            The address of the actor that looks; it looks at once when asked (`ProbeNow`), and no more when it is stopped.

        Raises:
            InvalidArgument: ``every`` or ``timeout`` is not positive.
        """
        if not (every > 0 and timeout > 0):
            raise InvalidArgument(f"every={every!r}, timeout={timeout!r}", hint="both are more than 0 seconds")
        policy = Restart(max=1000, on_loss=True)
        return self.spawn("garrick.probes.Prober", key, function, float(every), float(timeout), supervision=policy)

    def status(self, timeout: float = 5.0) -> dict[str, Any]:
        """Actors, mailboxes, processes, dead letters: what is known now, as plain data."""
        self._check()
        found: dict[str, Any] = self._runtime.ask(self._runtime.admin, StatusWanted(), timeout, kind=SIGNAL).result()
        return found

    def stop(self, grace: float = 5.0) -> list[str]:
        """End the system, children before their parents.

        Args:
            grace: seconds that actors get to finish what they do.

        Returns:
            What did not end by itself and had to be abandoned, each as text; empty when all is well.
        """
        if self._stopped is None:
            self._stopped = []
            self._stopped = self._node.stop(grace)
        return self._stopped

    def _check(self) -> None:
        if self._stopped is not None:
            raise SystemStopped(f"the actor system {self.name!r} has been stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ActorSystem {self._runtime.system}{' stopped' if self._stopped is not None else ''}>"
