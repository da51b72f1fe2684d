"""From envelopes that arrive to a runtime: decoding, what belongs to the links themselves, and answers for what can't be decoded.

Owns nothing but the connection of `Links`, `Listener` and `garrick.runtime.runtime.Runtime`. Invariants: what a process that died had
still written is delivered before its loss is; no work of another process is delivered before the admin has told the state of the system.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import repeat
from pickle import loads as pickle_loads
from typing import TYPE_CHECKING, Any, Final

from garrick.actor import Actor
from garrick.address import Address, ReplyAddress
from garrick.errors import GarrickError, SourceMissing, UndecodableMessage
from garrick.messages import Poisoned
from garrick.node.awaiting import Awaiting
from garrick.node.returned import Returned
from garrick.node.salvage import salvage
from garrick.runtime.process import relocate
from garrick.runtime.signals import Ping, Pong, ProcessLost, Spawn, Told, View
from garrick.wire.codec import loads
from garrick.wire.envelope import (
    EXTENDED,
    FAILURE,
    HEADER_SIZE,
    MESSAGE,
    NO_SENDER,
    REPLY,
    SIGNAL,
    Raw,
    decode,
    fields,
    peek,
)
from garrick.wire.parcel import contents
from garrick.wire.run import RUN, cut, members

if TYPE_CHECKING:
    from garrick.node.inlink import Listener
    from garrick.node.links import Links
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick.node")

_FLAGS_AT: Final = 5
_KNOWN: Final = 10_000
"""Senders whose addresses are kept."""


class Inbound:
    """See the module. `receive_first` is what a `Listener` calls, and later `receive`."""

    def __init__(self, runtime: Runtime, links: Links) -> None:
        self.runtime = runtime
        self.links = links
        self.listener: Listener | None = None
        self.on_holder = False
        """Whether `receive` is called by the thread that runs the lane."""
        self._senders: dict[int, Address[Any]] = {}
        self._early: list[tuple[list[Raw], int]] = []
        self._viewed = False
        self.on_view: Callable[[View], None] = _nothing
        self.awaiting = Awaiting(runtime, self._slowly)
        links.undeliverable = self.undeliverable

    def receive_first(self, envelopes: list[Raw], number: int) -> None:
        """As `receive`, at the beginning: others may write as soon as the socket is there, but the admin has the first word."""
        if number != 0:
            self._early.append((envelopes, number))
            return
        self.receive(envelopes, number)
        if self._viewed:
            assert self.listener is not None
            self.listener.receive = self.receive
            early, self._early = self._early, []
            for waiting in early:
                self.receive(*waiting)

    def receive(self, envelopes: list[Raw], _number: int) -> None:
        """Envelopes from one process, in order."""
        runtime = self.runtime
        if self.on_holder:
            runtime.idle = False  # who reads is who runs the lane: nobody has to be woken
        if self.awaiting.active:
            self._carefully(envelopes)
            return
        cells, append = runtime.cells, runtime.append
        senders = self._senders
        left = iter(envelopes)
        for raw in left:
            _, kind, flags, _, serial, process, sender_serial = fields(raw)
            if flags == RUN:
                cell = cells.get(serial)
                if cell is not None and cell.mailbox is None:
                    sender = senders.get(sender_serial)
                    if sender is None or sender.process != process:
                        sender = self._sender(process, sender_serial)
                    self._run(raw, cell, sender)
                    if self.awaiting.active:
                        break
                    continue
            elif kind == MESSAGE and not flags:
                cell = cells.get(serial)
                if cell is not None and cell.mailbox is None:
                    # The hot path: a message to an actor that is here.
                    try:
                        message = pickle_loads(raw[HEADER_SIZE:])
                    except BaseException:
                        self._slowly(raw)  # says what is wrong with it
                        if self.awaiting.active:
                            break
                        continue
                    sender = senders.get(sender_serial)
                    if sender is None or sender.process != process:
                        sender = self._sender(process, sender_serial)
                    append((cell, message, sender))
                    continue
            if len(parts := members(raw)) == 1:
                self._slowly(parts[0])
                if self.awaiting.active:
                    break
            else:
                self._carefully(parts)
        if self.awaiting.active:
            self._carefully(left)
        if runtime.idle:
            runtime.scheduler.wake()

    def _carefully(self, envelopes: Iterable[Raw]) -> None:
        """The rest, where something waits for a source: what is for the same actor waits behind it."""
        for raw in envelopes:
            for envelope in members(raw):
                with self.awaiting.lock:
                    waits = self.awaiting.active and self.awaiting.behind(self._target(envelope), envelope)
                    if not waits:
                        self._slowly(envelope)
        if self.runtime.idle:
            self.runtime.scheduler.wake()

    def _target(self, raw: Raw) -> int:
        """The whole serial of the target of an envelope."""
        return decode(raw, self.runtime.system)[1].serial

    def _run(self, raw: Raw, cell: Cell, sender: Address[Any] | None) -> None:
        """The hot path of a flood: all messages of a run, without a line of Python for each."""
        bodies = cut(raw, HEADER_SIZE)
        extend = self.runtime.lane.extend
        begin = 0
        while begin < len(bodies):
            messages: list[Any] = []
            try:
                messages.extend(map(pickle_loads, bodies[begin:] if begin else bodies))
            except BaseException:  # noqa: S110 - the slow way below says what is wrong with it
                pass
            extend(zip(repeat(cell), messages, repeat(sender)))
            begin += len(messages)
            if begin < len(bodies):
                self._slowly(members(raw)[begin])
                begin += 1
                if self.awaiting.active:
                    self._carefully(members(raw)[begin:])
                    return

    def _sender(self, process: int, serial: int) -> Address[Any] | None:
        """The address of a sender, made once for many messages."""
        if process == NO_SENDER:
            return None
        if len(self._senders) > _KNOWN:
            self._senders.clear()
        sender = self._senders[serial] = Address(self.runtime.system, process, serial)
        return sender

    def _slowly(self, raw: Raw) -> None:
        runtime = self.runtime
        kind, target, sender, body = decode(raw, runtime.system)
        try:
            message = _message(raw, body)
        except UndecodableMessage as error:
            self._undecodable(kind, target, sender, raw, body, error)
            return
        if kind != MESSAGE and target.serial == 0:
            if type(message) is Returned:
                self.undeliverable(message.envelope, message.reason)
                return
            if type(message) is Ping:
                self.links.post(runtime.admin, Pong(), runtime.address, SIGNAL)
                return
            self._control(message, sender)
        runtime.deliver(target, kind, message, sender)
        if kind == SIGNAL and type(message) is View:
            self._viewed = True
            self.on_view(message)

    def _control(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, ProcessLost) and (sender is None or sender.system == self.runtime.system):
            relocate(self.runtime, message.moved)  # before its links are lost: what is sent from then on goes there
            for number in message.processes:
                if self.listener is not None:
                    self.listener.drain(number)
                self.links.lost(number, message.reason)

    # --- what goes wrong --------------------------------------------------------------------------------------------------

    def undeliverable(self, raw: Raw, reason: str) -> None:
        """An envelope of ours could not be sent: a dead letter here; an ask fails."""
        kind, target, sender, body = decode(raw, self.runtime.system)
        if isinstance(sender, ReplyAddress) and sender.process == self.runtime.number:
            slot = self.runtime.slots.get(sender.serial)
            sender = slot.address if slot is not None else sender
        try:
            message = _message(raw, body)
        except UndecodableMessage:
            message = None
        if kind == MESSAGE:
            self.runtime.undeliverable(target, message, sender, reason)
        elif kind == SIGNAL:
            self.runtime.post(_bounce, (self.runtime, target, message, reason))
        elif kind == REPLY:
            self.runtime.dead_letter(target, message, sender, reason)

    def _undecodable(
        self,
        kind: int,
        target: Address[Any],
        sender: Address[Any] | None,
        raw: Raw,
        body: Raw,
        error: UndecodableMessage,
    ) -> None:
        cause: GarrickError = error.__cause__ if isinstance(error.__cause__, GarrickError) else error
        if isinstance(cause, SourceMissing):
            reason = self.awaiting.missing(cause, target, sender, raw)
            if reason is None:
                return
            cause = reason
        runtime = self.runtime
        if kind in {REPLY, FAILURE}:
            runtime.deliver(target, FAILURE, cause, sender)
        elif kind == SIGNAL:
            self._undecodable_signal(target, sender, raw, body, cause)
        else:
            log.warning("a message to %s can't be decoded: %s", target, cause)
            runtime.dead_letter(target, None, sender, "undecodable")
            if isinstance(sender, ReplyAddress):
                runtime.route(sender, cause, target, FAILURE)
            elif sender is not None:
                runtime.route(sender, Told(Poisoned(None, cause, target)), target, SIGNAL)

    def _undecodable_signal(
        self, target: Address[Any], sender: Address[Any] | None, raw: Raw, body: Raw, cause: GarrickError
    ) -> None:
        try:
            signal = salvage(contents(raw, body)[0])
        except UndecodableMessage as error:
            log.error("a signal from %s to %s can't be decoded: %s (%s)", sender, target, cause, error)
            return
        if isinstance(signal, Spawn):
            # It goes the way of an actor whose constructor fails, so that everybody who must know is told.
            signal.spec.actor_class = _failing_class(cause)
            signal.spec.args, signal.spec.kwargs = (), {}
            signal.spec.requires, signal.spec.supervision = {}, None
        else:
            log.warning("a part of a signal (%s) to %s can't be decoded: %s", type(signal).__name__, target, cause)
        self.runtime.deliver(target, SIGNAL, signal, sender)


def _message(raw: Raw, body: Raw) -> Any:
    pickled, buffers = contents(raw, body)
    return loads(pickled, peek(raw).main if raw[_FLAGS_AT] & EXTENDED else None, buffers)


def _failing_class(cause: GarrickError) -> type[Actor]:
    def fail(_self: Actor) -> None:
        raise cause

    return type("Undecodable", (Actor,), {"__init__": fail, "__module__": __name__})


def _bounce(argument: tuple[Runtime, Address[Any], Any, str]) -> None:
    runtime, target, signal, reason = argument
    runtime.arrivals.bounce(target, signal, reason)


def _nothing(_view: View) -> None:
    """Nobody waits for a view."""
