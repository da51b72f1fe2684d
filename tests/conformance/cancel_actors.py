"""Actors and messages for the cancellation of asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, AskCancelled, AskError, on
from tests.conformance.actors import Get


@dataclass(frozen=True)
class Poll:
    """Look again and again whether the asker still wants the answer."""


@dataclass(frozen=True)
class Sleep:
    """Be busy for so many seconds, in a handler that did not opt in."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """As Sleep, in a handler that opted in."""

    seconds: float = 30.0
    stubborn: bool = False


@dataclass(frozen=True)
class Quick:
    """Take no time, in a handler that opted in."""

    number: int


@dataclass(frozen=True)
class Forward:
    """Ask another actor, in a handler that opted in and waits: ``asynchronous`` or not."""

    target: Address[Any]
    message: Any
    asynchronous: bool = True


class Patient(Actor):
    """Tells ``observer`` what becomes of its handlers."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer
        self.handled: list[Any] = []

    @on
    def get(self, _: Get) -> list[Any]:
        return self.handled

    @on
    def poll(self, _: Poll) -> None:
        for _i in range(2000):
            if self.cancelled:
                self.send(self.observer, "noticed")
                return
            time.sleep(0.005)
        self.send(self.observer, "never noticed")

    @on
    async def sleep(self, message: Sleep) -> str:
        await asyncio.sleep(message.seconds)
        self.handled.append(message)
        return f"slept, cancelled: {self.cancelled}"

    @on(cancellable=True)
    async def work(self, message: Work) -> str:
        self.handled.append(message)
        self.send(self.observer, "begun")
        try:
            await asyncio.sleep(message.seconds)
        except asyncio.CancelledError:
            self.send(self.observer, "interrupted")
            if not message.stubborn:
                raise
        return "finished"

    @on(cancellable=True)
    async def quick(self, message: Quick) -> int:
        await asyncio.sleep(0)
        return message.number

    @on(cancellable=True)
    def forward(self, message: Forward) -> Any:
        return self._forward_async(message) if message.asynchronous else self._forward(message)

    async def _forward_async(self, message: Forward) -> Any:
        try:
            return await self.ask(message.target, message.message)
        except asyncio.CancelledError:
            self.send(self.observer, "forwarder interrupted")
            raise

    def _forward(self, message: Forward) -> Any:
        try:
            return self.ask(message.target, message.message).result()
        except AskCancelled:
            self.send(self.observer, "forwarder interrupted")
            raise


@dataclass(frozen=True)
class AskThen:
    """Ask ``target`` and then ``cancel``, ``stop``, ``time out``, or ``exit`` (end the process)."""

    target: Address[Any]
    message: Any
    then: str


class Fickle(Actor):
    """Asks and thinks again."""

    def __init__(self) -> None:
        self.reply: Any = None

    @on
    async def ask_then(self, message: AskThen) -> str:
        reply = self.ask(message.target, message.message)
        if message.then == "time out":
            try:
                async with asyncio.timeout(0.05):
                    await reply
            except TimeoutError:
                return f"timed out, done: {reply.done}"
        self.reply = reply
        await asyncio.sleep(0.05)
        if message.then == "cancel":
            reply.cancel()
            try:
                await reply
            except AskError as error:
                return type(error).__name__
        elif message.then == "stop":
            self.stop()
        else:
            await reply
        return "done"


class ManyAtOnce(Patient, reentrant=True):
    """Handles several questions at a time."""
