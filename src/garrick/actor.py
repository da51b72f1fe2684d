"""`Actor`: the base class of what users write.

Owns the surface; everything it does is a call into its cell (`garrick.runtime.cell`), which the runtime attaches before
``__init__`` runs. An actor's attributes belong to it alone: nobody else reads or writes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from garrick.address import Address, ReplyAddress
from garrick.errors import GarrickError, NoActorContext, NotAnAddress
from garrick.handlers import HandlerTable

if TYPE_CHECKING:
    import random

    from garrick.mailbox import Bounded
    from garrick.messages import Request
    from garrick.reply import Replies, Reply
    from garrick.supervision import Supervision

R = TypeVar("R")


class Actor:
    """An object that owns its state, talks only by messages, and handles one message at a time.

    Override `receive`, or write handlers marked with ``@on``. Operations may be used from ``__init__`` on.

    With ``class X(Actor, reentrant=True)`` the next message begins while an async handler awaits; subclasses inherit it.
    """

    slow_handler: ClassVar[float | None] = 1.0
    """Seconds after which a handler of the class that still runs is reported in the log with its stack; None: never."""
    _cell: Any
    _reentrant: ClassVar[bool] = False
    _handlers: ClassVar[HandlerTable] = HandlerTable(object)
    _plain_spec: ClassVar[Any] = None
    """How the runtime makes actors of exactly this class that are given no arguments and options; made when it is needed."""
    address: Address[Any]
    """The actor's own address."""

    def __init_subclass__(cls, *, reentrant: bool | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if reentrant is not None:
            cls._reentrant = reentrant
        cls._handlers = HandlerTable(cls)

    # --- what users override ------------------------------------------------------------------------------------------

    def receive(self, message: Any, sender: Address[Any] | None) -> Any:
        """Handle one message; may be ``async``. The default chooses among the ``@on`` handlers.

        Args:
            message: what was sent; treat it as immutable.
            sender: the address of the sending actor, a one-shot address for an ask, None for a send from the program.
        """
        handler = self._handlers.find(type(message))
        if handler is None:
            self._cell.unhandled(message, sender)
            return None
        result = handler(self, message)
        if type(sender) is ReplyAddress and type(result) is not CoroutineType:
            self._cell.answer(sender, result)
            return None
        return result

    def started(self) -> Any:
        """Called once the actor is in place, before its first message; also after a restart. May be async."""

    def stopping(self, reason: str) -> Any:
        """Called when the actor ends, after its children have ended. May be async."""

    def restarting(self, error: BaseException) -> Any:
        """Called on the failed instance before a new one takes its place. May be async."""

    # --- operations -----------------------------------------------------------------------------------------------------

    def send(self, target: Address[Any], message: Any) -> None:
        """Send a message; returns at once.

        Raises:
            NotAnAddress: ``target`` is no address.
            UnpicklableMessage: the target is in another process and the message can't go there.
            MailboxFull: the target is in this process, and its mailbox is ``Bounded(..., overflow="fail")``.
        """
        try:
            cell = target._cell  # the hot path: one lookup, one append, from any thread
            if cell is None:
                self._cell.runtime.away(target, message, self.address)
                return
            runtime = cell.runtime
            runtime.append((cell, message, self.address))
            if runtime.idle:
                runtime.wake()
        except AttributeError:
            self._explain(target)
            raise

    async def offer(self, target: Address[Any], message: Any, timeout: float = 30.0) -> None:
        """As `send`, for async handlers: wait while the way to the target's process is full. In a synchronous handler `send` waits.

        A plain `send` of an async handler never waits, since that would hold up all others of the process: it is queued in any case.

        Args:
            target: whom to send to.
            message: what.
            timeout: seconds to wait for room.

        Raises:
            BackPressure: the way stayed full; nothing was sent.
            MailboxFull, NotAnAddress, UnpicklableMessage: as `send`.
        """
        await self._live().offer(target, message, timeout)

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
        source: str | None = None,
        source_key: str | None = None,
        pending: bool = False,
        **kwargs: Any,
    ) -> Address[Any]:
        """Create a child and return its address at once; a failure to start arrives as `ChildExited`.

        Args:
            actor_class: the class, or ``"package.module.Class"``.
            args: arguments of its constructor; kept for restarts. Keyword arguments likewise.
            name: unique in the system.
            global_name: unique in the convention.
            requires: capabilities that the hosting system must have, on top of the class's own.
            supervision: what happens when a handler of the child raises.
            isolation: ``"shared"``, ``"thread"`` (one thread for life) or ``"process"`` (a process of its own).
            mailbox: `Bounded`, or None for one without a bound.
            source: whose code it is: a name, whose current version is taken, ``name@version`` or a hash; see `ActorSystem.spawn`.
            source_key: see `ActorSystem.spawn`.
            pending: whether it waits when no system has what it requires, until one has. Its address
                changes when it gets its place (`ChildMoved`), unless that is here; what is sent to the first one still arrives.
        """
        if source is not None:
            actor_class = self._live().class_of(actor_class, source, source_key or name or global_name)
        return self._live().spawn(  # type: ignore[no-any-return]
            actor_class, args, kwargs, name, requires, supervision, isolation, mailbox, pending, global_name
        )

    def watch_systems(self) -> None:
        """Hear of the other systems of the convention from now on: `SystemJoined`, `SystemChanged`, `SystemGone` (notices).

        Those that are there already are told as joined. Loads are no news. Ends with the actor; a restart keeps it.
        """
        self._live().watch_systems()

    @overload
    def ask(self, target: Address[Any], message: Request[R], timeout: float = ...) -> Reply[R]: ...
    @overload
    def ask(self, target: Address[Any], message: Any, timeout: float = ...) -> Reply[Any]: ...
    def ask(self, target: Address[Any], message: Any, timeout: float = 30.0) -> Reply[Any]:
        """Send a message and get a `Reply`: ``await`` it, or call ``.result()`` in a synchronous handler.

        Args:
            target: whom to ask.
            message: the question.
            timeout: seconds from now until the reply raises `AskTimeout`.
        """
        return self._live().ask(target, message, timeout)  # type: ignore[no-any-return]

    @overload
    def ask_all(
        self, targets: Iterable[Address[Any]], message: Request[R], timeout: float = ...
    ) -> Replies[R | GarrickError]: ...
    @overload
    def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float = ...) -> Replies[Any]: ...
    def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float = 30.0) -> Replies[Any]:
        """Send one message to many and get their `Replies`: an answer or an error for each, in order or as they come.

        Args:
            targets: whom to ask.
            message: the question.
            timeout: seconds from now for all of them; whoever has not answered then has `AskTimeout` as its outcome.
        """
        return self._live().ask_all(targets, message, timeout)  # type: ignore[no-any-return]

    def publish(self, event: Any) -> None:
        """Give ``event`` to every program that has subscribed to this actor; nobody is waited for.

        Raises:
            UnpicklableMessage: a subscriber is in another process and the event can't go there.
        """
        subscribers = self._live().subscribers
        if subscribers is not None:
            subscribers.publish(event)

    def reply(self, message: Any) -> None:
        """Answer the message that is being handled: its sender gets ``message``."""
        self._live().reply(message)

    def defer(self) -> Address[Any]:
        """Leave the current ask open; send the answer to the returned address later, from anywhere."""
        return self._live().defer()  # type: ignore[no-any-return]

    def stash(self) -> None:
        """Put the message that is being handled aside, with its sender; an ask stays open.

        It takes effect when the handler has ended without failing. What the handler returns is no answer then. `unstash_all` brings
        it back, and so does a restart.

        Raises:
            InvalidArgument: no message is being handled, or this one is stashed already.
            MailboxFull: the mailbox is `Bounded`, and that many messages are stashed.
        """
        self._live().put_aside()

    def unstash_all(self) -> None:
        """Put all stashed messages in front of the mailbox, in the order in which they came, when this handler has ended."""
        self._live().bring_back()

    def become(self, behaviour: Callable[[Any, Address[Any] | None], Any] | None) -> None:
        """Let another method handle the messages from the next one on, until the next `become` or a restart.

        Notices still go to ``@on`` handlers. A behaviour answers as the class does: by what it returns if the class has ``@on``
        handlers, by sending if it overrides `receive`.

        Args:
            behaviour: takes ``(message, sender)``, may be ``async``; None: `receive` again.

        Raises:
            InvalidArgument: ``behaviour`` can't be called with two arguments.
        """
        self._live().become(behaviour)

    def unbecome(self) -> None:
        """Let `receive` (and the ``@on`` handlers) handle the messages again."""
        self._live().become(None)

    def stop(self, target: Address[Any] | None = None, *, drain: bool = True) -> None:
        """End an actor: the given one after what was sent to it before, or this one after the current message.

        Args:
            target: whom; None: this actor.
            drain: False: ``target`` ends after the message that it handles now, and so do its children; what waits in
                their mailboxes are dead letters (``stopped``).
        """
        self._live().stop(target, drain)

    def watch(self, target: Address[Any]) -> None:
        """Get `Terminated` once when ``target`` ends, or at once when it has ended already.

        Raises:
            InvalidArgument: ``target`` is the actor itself.
        """
        self._live().watch(target)

    def unwatch(self, target: Address[Any]) -> None:
        """No longer watch ``target``."""
        self._live().unwatch(target)

    def after(self, delay: float, message: Any, *, keep: bool = False) -> Any:
        """Send ``message`` to this actor after ``delay`` seconds; the `Timer` can be cancelled.

        A restart cancels it unless ``keep``.
        """
        return self._live().after(delay, message, None, keep)

    def every(self, period: float, message: Any, *, keep: bool = False) -> Any:
        """Send ``message`` to this actor every ``period`` seconds; a tick is skipped while the last one waits."""
        return self._live().after(period, message, period, keep)

    def lookup(self, name: str, timeout: float = 30.0, *, everywhere: bool = False) -> Reply[Address[Any] | None]:
        """Ask for the address of a named actor of this system; the answer is None when there is none.

        Args:
            name: as given at spawn.
            timeout: seconds.
            everywhere: whether it is a ``global_name``, of an actor anywhere in the convention.
        """
        return self._live().lookup(name, timeout, everywhere)  # type: ignore[no-any-return]

    # --- facts ----------------------------------------------------------------------------------------------------------

    @property
    def parent(self) -> Address[Any]:
        """Who spawned this actor; the admin's address for a top-level actor."""
        return self._live().parent  # type: ignore[no-any-return]

    @property
    def children(self) -> tuple[Address[Any], ...]:
        """The living children, oldest first."""
        return tuple(self._live().children or ())

    @property
    def name(self) -> str | None:
        """The name given at spawn."""
        return self._live().spec.name  # type: ignore[no-any-return]

    @property
    def epoch(self) -> int | None:
        """Under which epoch this actor holds its ``global_name``; None if it has none.

        Who holds the name later has a greater one. Send it along with effects that outlive the actor, a write to a database for
        example, and refuse there what carries a smaller one than was seen before.
        """
        return self._live().epoch  # type: ignore[no-any-return]

    @property
    def sender(self) -> Address[Any] | None:
        """The sender of the message that is being handled."""
        return self._live().sender  # type: ignore[no-any-return]

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer to the ask that is being handled: it timed out or was cancelled, or its asker has ended.

        False while handling anything else. A long handler may look now and then and return; what it returns then goes nowhere.
        """
        return self._live().cancelled  # type: ignore[no-any-return]

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """The capabilities of the hosting system, as last known."""
        return self._live().runtime.capabilities  # type: ignore[no-any-return]

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry system, actor, class, address and the type of the message that is being handled."""
        return self._live().log()  # type: ignore[no-any-return]

    @property
    def random(self) -> random.Random:
        """The actor's own generator; reproducible in ``sim``."""
        return self._live().random()  # type: ignore[no-any-return]

    def now(self) -> float:
        """Monotonic seconds; virtual in ``sim``."""
        return self._live().runtime.clock.now()  # type: ignore[no-any-return]

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _live(self) -> Any:
        try:
            return self._cell
        except AttributeError:
            raise self._detached() from None

    def _detached(self) -> NoActorContext:
        return NoActorContext(
            f"{type(self).__name__} was made by a plain call, so it is no actor",
            hint="actors are made by spawn(...), never by calling the class",
        )

    def _explain(self, target: Any) -> None:
        if not isinstance(target, Address):
            raise NotAnAddress(f"{target!r} is no Address") from None
        if "_cell" not in self.__dict__:
            raise self._detached() from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('address', 'detached')}>"
