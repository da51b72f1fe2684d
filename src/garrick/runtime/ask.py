"""`Slot`: one pending ask, from the send of the question to its answer, failure, time-out or cancellation.

Owns the rule that an ask ends exactly once; whatever comes later is a dead letter (``late reply``). Completion may come from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress
from garrick.errors import ActorGone, AskCancelled, AskTimeout
from garrick.observe.letters import hint
from garrick.runtime import cancelling, deadlock, whereabouts
from garrick.runtime.once import finisher

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

_lock = threading.Lock()
"""Guards the one moment in which a slot becomes done; held for a few instructions."""


class Slot:
    """The state of one ask. ``target`` is who was asked, ``asker`` the asking cell (None for a program)."""

    __slots__ = (
        "_callbacks",
        "_failure",
        "_value",
        "address",
        "asker",
        "awaited",
        "deadline",
        "done",
        "given_up",
        "runtime",
        "target",
        "timeout",
        "where",
    )

    def __init__(self, runtime: Runtime, target: Address[Any], timeout: float, asker: Cell | None) -> None:
        self.runtime = runtime
        self.target = target
        self.timeout = timeout
        self.deadline = runtime.clock.now() + timeout
        self.asker = asker
        self.done = False
        self.awaited = False
        """Whether a coroutine waits for it, which blocks no reentrant actor."""
        self.given_up = False
        """Whether it ended by the asker's side: time-out, cancellation, the asker's end."""
        self.where: str | None = None
        """What the target's process said of the question; empty while it has not answered (`garrick.runtime.whereabouts`)."""
        self.address = ReplyAddress(runtime.system, runtime.number, 0, self)
        self._value: Any = None
        self._failure: BaseException | None = None
        self._callbacks: list[Callable[[], None]] | None = None

    # --- being answered ---------------------------------------------------------------------------------------------

    def complete(self, value: Any, failure: BaseException | None = None, *, given_up: bool = False) -> bool:
        """Give the answer or the failure; False when the ask had ended before."""
        with _lock:
            if self.done:
                return False
            self.given_up = given_up
            self._value, self._failure = value, failure
            self.done = True
            callbacks, self._callbacks = self._callbacks, None
        serial = self.address.serial
        if serial:
            self.runtime.slots.pop(serial, None)
        asker = self.asker
        if asker is not None and asker.asks is not None:
            asker.asks.discard(self)
        if callbacks is not None:
            for callback in callbacks:
                callback()
        return True

    def expose(self) -> None:
        """The reply address leaves the process: make it findable by number."""
        with _lock:
            if self.address.serial == 0:
                self.address.serial = self.runtime.next_serial()
                if not self.done:
                    self.runtime.slots[self.address.serial] = self

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call back once when done; at once if it is."""
        with _lock:
            if not self.done:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(callback)
                return
        callback()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait(self) -> Any:
        """Block the calling thread until done; see `garrick.reply.Reply.result`."""
        if not self.done:
            self._begin_wait()
            try:
                in_time = self._wait()
            finally:
                self._end_wait()
            if not in_time:
                self.expire()
        return self.outcome()

    def _wait(self) -> bool:
        wait = self.runtime.scheduler.wait
        if whereabouts.is_elsewhere(self):
            if wait(self, self.deadline - whereabouts.margin(self.timeout)):
                return True
            whereabouts.probe(self)
        return wait(self, self.deadline)

    async def wait_async(self) -> Any:
        """Await the answer on the running event loop."""
        if self.done:
            return self.outcome()
        import asyncio  # late: programs without async handlers never load it

        loop = asyncio.get_running_loop()
        future = loop.create_future()

        self.awaited = True
        self._begin_wait()
        timer = whereabouts.Countdown(loop, self, self.expire)
        self.on_done(finisher(loop, future))
        try:
            await future
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            timer.cancel()
            self._end_wait()
        return self.outcome()

    def _begin_wait(self) -> None:
        # First become known as waiting, then look whether that makes sense: who abandons the runtime does it the other way round.
        runtime, asker = self.runtime, self.asker
        if asker is None:
            runtime.waiting.add(self)
        else:
            deadlock.enter(self, asker)
        if runtime.abandoned:
            self.gone("system stopped", outcome_unknown=True)

    def _end_wait(self) -> None:
        if self.asker is None:
            self.runtime.waiting.discard(self)
        else:
            self.asker.end_wait(self)

    def outcome(self) -> Any:
        """The answer of a finished ask, or its failure raised."""
        if self._failure is not None:
            raise self._failure
        return self._value

    def expire(self, *, brief: bool = False) -> None:
        """The time is over. ``brief``: say what can be said without looking around for long."""
        if not self.done:
            where = whereabouts.sentence(self, brief=brief)
            self._give_up(AskTimeout(f"no answer from {self.target} within {self.timeout:g} s; {where}"))

    def probe(self) -> None:
        """The time is nearly over."""
        whereabouts.probe(self)

    def cancel(self) -> None:
        """The asker no longer wants the answer."""
        if not self.done:
            self._give_up(AskCancelled(f"the ask to {self.target} was cancelled"))

    def open(self) -> tuple[Slot, ...]:
        """Itself while it has not ended: a wait may be for several asks (`garrick.runtime.fanout`)."""
        return () if self.done else (self,)

    def settled(self) -> Any:
        """The answer of a finished ask, or its failure, as a value."""
        return self._value if self._failure is None else self._failure

    def is_given_up(self) -> bool:
        """Whether it has ended by the asker's side. Somebody may only be about to notice that its time is over, so look."""
        if not self.done and self.runtime.clock.now() > self.deadline:
            self.expire()
        return self.given_up

    def _give_up(self, failure: BaseException) -> None:
        if self.complete(None, failure, given_up=True):
            cancelling.tell(self)

    def gone(self, reason: str, *, outcome_unknown: bool = False) -> bool:
        """The target can't answer any more."""
        text = f"{self.target} can't answer: {reason}"
        if outcome_unknown:
            text += "; whether it handled the message is not known"
        error = ActorGone(text, reason=reason, outcome_unknown=outcome_unknown, hint=hint(reason))
        return self.complete(None, error)
