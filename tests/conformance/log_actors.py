"""Actors that log, and tell which fields their records had."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, HandlerFailed, on
from garrick.observe.here import FIELDS
from garrick.observe.logs import ActorFilter

deep = logging.getLogger("tests.deep")
"""A logger of code that knows nothing of actors."""


class Caught(logging.Handler):
    """Keeps the fields of what is logged while it is in use."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(ActorFilter())
        self.seen: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append({"text": record.getMessage(), **{name: getattr(record, name) for name in FIELDS}})

    def __enter__(self) -> list[dict[str, Any]]:
        deep.addHandler(self)
        deep.propagate = False
        return self.seen

    def __exit__(self, *_: object) -> None:
        deep.removeHandler(self)
        deep.propagate = True


@dataclass(frozen=True)
class Plain:
    """Log by a plain logger; answered with the fields of the record."""

    sleep: float = 0.0


@dataclass(frozen=True)
class Own:
    """Log by `Actor.log`, with an ``extra`` of its own."""


@dataclass(frozen=True)
class Nested:
    """Log before, inside and after an ask of another actor."""

    other: Address[Any]


@dataclass(frozen=True)
class InBirth:
    """What `Writer.started` logged."""


class Writer(Actor):
    def started(self) -> None:
        with Caught() as seen:
            deep.warning("in started")
        self.birth = seen

    @on
    def plain(self, message: Plain) -> list[dict[str, Any]]:
        with Caught() as seen:
            if message.sleep:
                time.sleep(message.sleep)
            deep.warning("plain")
        return seen

    @on
    def own(self, message: Own) -> list[dict[str, Any]]:
        with Caught() as seen:
            log = self.log
            log.logger = deep
            log.warning("own", extra={"colour": "red"})
        return seen

    @on
    def nested(self, message: Nested) -> list[dict[str, Any]]:
        with Caught() as seen:
            deep.warning("before")
        inner = self.ask(message.other, Plain()).result()
        with Caught() as after:
            deep.warning("after")
        return [*seen, *inner, *after]

    @on
    def in_birth(self, message: InBirth) -> list[dict[str, Any]]:
        return self.birth


class AsyncWriter(Actor):
    """The same with coroutines."""

    @on
    async def plain(self, message: Plain) -> list[dict[str, Any]]:
        with Caught() as seen:
            deep.warning("at first")
            await asyncio.sleep(0.01)
            deep.warning("after a wait")
            await asyncio.create_task(self.helper())
            await asyncio.to_thread(deep.warning, "in a thread")
        return seen

    async def helper(self) -> None:
        await asyncio.sleep(0)
        deep.warning("in a task")


# --- errors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Complain:
    """Raise ``what``."""

    what: str


class Complainer(Actor):
    @on
    def complain(self, message: Complain) -> None:
        if message.what == "argument":
            self.spawn(Complainer, isolation="no such thing")
        error = LookupError("no such order")
        error.add_note("in shelf 12")
        raise error


class Messenger(Actor):
    """Asks another, and adds a note to what comes back."""

    def __init__(self, other: Address[Any]) -> None:
        self.other = other

    @on
    def complain(self, message: Complain) -> None:
        try:
            self.ask(self.other, message).result()
        except HandlerFailed as error:
            error.add_note("carried by a messenger")
            raise
