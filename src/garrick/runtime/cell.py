"""`Cell`: the runtime's half of one actor.

Owns an actor's identity, state and relations in its process, and offers what `garrick.actor.Actor` calls. Steps of the actor's life
are in `garrick.runtime.lifecycle`, `supervise` and `ending`; who runs them is `garrick.runtime.runtime`.

Invariants: ``queue`` is None exactly while envelopes for the actor may be run straight from the lane; ``busy`` means that one of its
steps runs on another thread, on the event loop, or waits (back-off, name claim), so that nothing else of it may run.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from garrick.address import Address, ReplyAddress
from garrick.errors import InvalidArgument, NotAnAddress
from garrick.observe.logs import MAIN_MODULE, ActorLog
from garrick.reply import Replies, Reply
from garrick.runtime import stash
from garrick.runtime.mailbox import Mailbox
from garrick.runtime.signals import Lookup, Spec, Stop, Unwatch, Watch
from garrick.runtime.timers import Timer
from garrick.wire.envelope import MESSAGE, REPLY, SIGNAL

if TYPE_CHECKING:
    import random

    from garrick.runtime.ask import Slot
    from garrick.runtime.failures import Failures
    from garrick.runtime.fanout import Gathering
    from garrick.runtime.pool import Executor
    from garrick.runtime.runtime import Runtime
    from garrick.runtime.streams import Subscribers

STARTING, RUNNING, RESTARTING, SUSPENDED, STOPPING, ENDED = range(6)
STATES = ("starting", "running", "restarting", "suspended", "stopping", "ended")
"""Suspended: it failed, and its parent decides."""
AFTER_MESSAGE, AT_ONCE = 1, 2
"""`Cell.stop_asked`: after the current message; the same, and its children don't finish what waits for them either."""

NO_WAITS: Final = ()
_waits_lock = threading.Lock()


class Cell:
    """One actor in this process. Fields that most actors never need stay None."""

    __slots__ = (
        "actor",
        "address",
        "answered",
        "asks",
        "behaviour",
        "busy",
        "children",
        "context",
        "ending",
        "executor",
        "handle",
        "mailbox",
        "notify",
        "parent",
        "pending",
        "pinned",
        "queue",
        "replies",
        "failures",
        "runtime",
        "scheduled",
        "sender",
        "since",
        "spec",
        "stash",
        "state",
        "subscribers",
        "stop_asked",
        "stop_notify",
        "timers",
        "waits",
        "watchers",
        "watching",
    )

    def __init__(self, runtime: Runtime, address: Address[Any], spec: Spec, parent: Address[Any]) -> None:
        self.runtime = runtime
        self.address = address
        self.spec = spec
        self.parent = parent
        self.actor: Any = None
        self.handle: Any = None
        """The bound method that takes ``(message, sender)``."""
        self.replies = False
        """Whether what a handler returns is the reply (``@on`` handlers)."""
        self.queue: Any = None
        self.busy = False
        self.since: float | None = None
        """When it became busy, on the runtime's clock."""
        self.scheduled = False
        self.pinned = False
        """Whether the queue stays even when it is empty (the actor has an executor)."""
        self.state = STARTING
        self.sender: Address[Any] | None = None
        self.answered: Any = None
        self.subscribers: Subscribers | None = None
        self.asks: set[Slot] | None = None
        """Its open asks."""
        self.pending = 0
        """What was asked for in the present step and is due when it ends; see `garrick.runtime.stash`."""
        self.stop_asked = 0
        self.stop_notify: list[Address[Any]] | None = None
        self.notify: Address[Any] | None = None
        self.children: dict[Address[Any], str | None] | None = None
        self.watchers: dict[Address[Any], None] | None = None
        self.watching: dict[Address[Any], None] | None = None
        self.timers: set[Timer] | None = None
        self.failures: Failures | None = None
        self.context: Any = None
        self.ending: tuple[str, BaseException | None] | None = None
        self.executor: Executor | None = None
        self.mailbox: Mailbox | None = None if spec.mailbox is None else runtime.new_mailbox(spec.mailbox)
        """Its bound, if it has one; then no address knows the cell."""
        self.stash: stash.Stash | None = None
        self.behaviour: stash.Behaviour | None = None
        self.waits: Collection[Slot | Gathering] = NO_WAITS
        """The answers that its handlers wait for; see `begin_wait`."""

    # --- used by the runtime ------------------------------------------------------------------------------------------

    def begin_wait(self, wait: Slot | Gathering) -> None:
        """A handler waits for an answer from now on; any thread, since several handlers of one actor may wait."""
        if self.waits is NO_WAITS:
            with _waits_lock:
                if self.waits is NO_WAITS:
                    self.waits = []
        cast("list[Slot | Gathering]", self.waits).append(wait)

    def end_wait(self, wait: Slot | Gathering) -> None:
        """It no longer does."""
        if wait in self.waits:
            cast("list[Slot | Gathering]", self.waits).remove(wait)

    def hold(self) -> None:
        """From now on nothing of the actor runs from the lane; what arrives waits in the queue."""
        self.busy = True
        self.since = self.runtime.clock.now()
        if self.queue is None:
            self.queue = deque()

    @property
    def handling(self) -> bool:
        """Whether one of its handlers runs now, as far as can be seen."""
        if self.state != RUNNING:
            return False
        step = self.runtime.tenure.envelope
        return self.busy or (step is not None and step[0] is self)

    def whereabouts(self) -> str:
        """One sentence: what the actor is doing and how much waits. For one question see `garrick.runtime.whereabouts`."""
        waiting = len(self.queue) if self.queue is not None and self.state != ENDED else 0
        under_way = len(self.executor.flights) if self.executor is not None else 0
        waits = tuple(self.waits)
        if under_way:
            doing = f"{under_way} of its handlers are under way"
        elif waits:
            doing = f"it waits for {waits[-1].target}"
        elif self.busy:
            doing = "its handler is still running" if self.state == RUNNING else f"it is {STATES[self.state]}"
        else:
            doing = f"it is {STATES[self.state]}"
        return f"{doing}, {waiting} messages wait"

    # --- used by Actor ------------------------------------------------------------------------------------------------

    def spawn(
        self,
        actor_class: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
        requires: Any,
        supervision: Any,
        isolation: str,
        mailbox: Any,
        pending: bool = False,
        global_name: str | None = None,
    ) -> Address[Any]:
        """See `garrick.actor.Actor.spawn`."""
        spec = Spec.of(actor_class, args, kwargs, name, requires, supervision, isolation, mailbox, pending, global_name)
        if self.children is None:
            self.children = {}
        return self.runtime.spawn(spec, self.address, children=self.children)

    def class_of(self, actor_class: Any, source: Any, key: str | None) -> Any:
        """A class of a source, see `garrick.actor.Actor.spawn`."""
        from garrick.runtime.sourced import find_class  # late: most programs have no sources

        return find_class(self.runtime, actor_class, source, key)

    def ask(self, target: Address[Any], message: Any, timeout: float) -> Reply[Any]:
        """See `garrick.actor.Actor.ask`."""
        return self.runtime.ask(target, message, timeout, self)

    def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float) -> Replies[Any]:
        """See `garrick.actor.Actor.ask_all`."""
        return Replies(self.runtime.ask_all(targets, message, timeout, self))

    def reply(self, message: Any) -> None:
        """See `garrick.actor.Actor.reply`."""
        sender = self.sender
        if sender is None:
            raise InvalidArgument(
                "there is nobody to reply to: the message came from the program by a plain send",
                hint="let the program ask, or send from an inbox; or look at self.sender first",
            )
        self.answered = sender
        self.runtime.route(sender, message, self.address, REPLY if type(sender) is ReplyAddress else MESSAGE)

    def defer(self) -> Address[Any]:
        """See `garrick.actor.Actor.defer`."""
        sender = self.sender
        if sender is None:
            raise InvalidArgument(
                "there is nobody to reply to: the message came from the program by a plain send",
                hint="let the program ask, or send from an inbox; or look at self.sender first",
            )
        self.answered = sender
        return sender

    def answer(self, sender: ReplyAddress, value: Any) -> None:
        """Give what an ``@on`` handler returned to the asker, unless the handler did so itself or deferred."""
        if self.answered is sender:
            return
        self.answered = sender
        slot = sender.slot
        if slot is not None:
            if not slot.complete(value) and (value is not None or not slot.given_up):
                self.runtime.dead_letter(sender, value, self.address, "late reply")
        elif value is not None or sender not in self.runtime.given_up:  # to a question given up None is no answer
            self.runtime.route(sender, value, self.address, REPLY)

    @property
    def cancelled(self) -> bool:
        """See `garrick.actor.Actor.cancelled`."""
        sender = self.sender
        return type(sender) is ReplyAddress and self.given_up(sender)

    def given_up(self, question: ReplyAddress) -> bool:
        """Whether the asker no longer wants the answer, as far as is known here."""
        slot = question.slot
        return slot.is_given_up() if slot is not None else question in self.runtime.given_up

    def senders(self) -> tuple[Address[Any] | None, ...]:
        """Whose messages are being handled, or have been last."""
        return (self.sender,)

    def blocked_on(self) -> list[Slot | Gathering]:
        """Its pending asks without whose answers it can't go on."""
        return list(self.waits)

    def interrupt_waits(self) -> None:
        """The question that is being handled was given up: so are those that its handler waits for."""
        for slot in tuple(self.waits):
            slot.cancel()

    def unhandled(self, message: Any, sender: Address[Any] | None) -> None:
        """No ``@on`` handler takes this message."""
        self.answered = sender
        self.runtime.undeliverable(self.address, message, sender, "unhandled")

    async def offer(self, target: Address[Any], message: Any, timeout: float) -> None:
        """See `garrick.actor.Actor.offer`."""
        from garrick.runtime.offering import offer  # late: loads asyncio

        await offer(self.runtime, target, message, self.address, timeout)

    def put_aside(self) -> None:
        """See `garrick.actor.Actor.stash`."""
        stash.put_aside(self)

    def bring_back(self) -> None:
        """See `garrick.actor.Actor.unstash_all`."""
        stash.bring_back(self)

    def become(self, behaviour: stash.Behaviour | None) -> None:
        """See `garrick.actor.Actor.become`."""
        stash.become(self, behaviour)

    def stop(self, target: Address[Any] | None, drain: bool) -> None:
        """See `garrick.actor.Actor.stop`."""
        if target is None or target == self.address:
            self.stop_asked = AFTER_MESSAGE if drain else AT_ONCE
            self.pending |= stash.LOOK
        else:
            self.runtime.route(_address(target), Stop(drain=drain), self.address, SIGNAL)

    def watch(self, target: Address[Any]) -> None:
        """See `garrick.actor.Actor.watch`."""
        if target == self.address:
            raise InvalidArgument(
                "an actor can't watch itself", hint="its own end is told to `stopping(reason)`, while it still lives"
            )
        if self.watching is None:
            self.watching = {}
        if _address(target) not in self.watching:
            self.watching[target] = None
            self.runtime.route(target, Watch(self.address), self.address, SIGNAL)

    def watch_systems(self) -> None:
        """See `garrick.actor.Actor.watch_systems`."""
        self.runtime.post(self.runtime.neighbourhood.listen, self)

    def unwatch(self, target: Address[Any]) -> None:
        """See `garrick.actor.Actor.unwatch`."""
        if self.watching is not None and _address(target) in self.watching:
            del self.watching[target]
            self.runtime.route(target, Unwatch(self.address), self.address, SIGNAL)

    def after(self, delay: float, message: Any, period: float | None, keep: bool) -> Timer:
        """See `garrick.actor.Actor.after` and ``every``."""
        if delay < 0 or (period is not None and period <= 0):
            raise InvalidArgument(
                f"a timer can't run backwards: {delay!r} s", hint="a delay is 0 or more seconds, a period more than 0"
            )
        timer = Timer(self, self.runtime.clock.now() + delay, message, period, keep)
        if self.timers is None:
            self.timers = set()
        self.timers.add(timer)
        self.runtime.post(self.runtime.arm, timer)
        return timer

    def lookup(self, name: str, timeout: float, everywhere: bool) -> Reply[Any]:
        """See `garrick.actor.Actor.lookup`."""
        return self.runtime.ask(self.runtime.admin, Lookup(name, everywhere), timeout, self, SIGNAL)

    @property
    def epoch(self) -> int | None:
        """See `garrick.actor.Actor.epoch`."""
        return self.runtime.epochs.get(self.address.serial)

    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """See `garrick.actor.Actor.log`."""
        cls = self.spec.actor_class
        module = cls.rpartition(".")[0] if isinstance(cls, str) else cls.__module__
        return ActorLog(logging.getLogger("__main__" if module.startswith(MAIN_MODULE) else module), self)

    def random(self) -> random.Random:
        """See `garrick.actor.Actor.random`."""
        return self.runtime.random.stream(str(self.address))


def _address(target: Any) -> Address[Any]:
    if not isinstance(target, Address):
        raise NotAnAddress(f"{target!r} is no Address")
    return target
