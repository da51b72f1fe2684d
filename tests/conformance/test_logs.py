"""Records of the log say which actor they come from, also those of code that knows nothing of actors."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from garrick import ActorSystem, Address
from garrick.observe import logs
from tests.conformance.log_actors import AsyncWriter, Caught, InBirth, Nested, Own, Plain, Writer, deep


def said(actor: Address[Any], cls: type, message: type | None, name: str | None = None) -> dict[str, Any]:
    return {
        "garrick_system": actor.system,
        "garrick_actor": name or str(actor),
        "garrick_class": cls.__qualname__,
        "garrick_address": str(actor),
        "garrick_message": "" if message is None else message.__qualname__,
    }


@pytest.mark.parametrize("isolation", ["shared", "thread"])
def test_plain_loggers_in_a_handler(system: ActorSystem, isolation: str) -> None:
    writer = system.spawn(Writer, name=f"writer-{isolation}", isolation=isolation)
    (record,) = system.ask(writer, Plain())
    assert record == {"text": "plain", **said(writer, Writer, Plain, f"writer-{isolation}")}


def test_a_handler_that_blocks_keeps_its_name(system: ActorSystem) -> None:
    """Its thread has lost the baton meanwhile; the second time it runs on another thread from the beginning."""
    writer, other = system.spawn(Writer), system.spawn(Writer)
    for _ in range(3):
        (record,) = system.ask(writer, Plain(sleep=0.05))
        assert record == {"text": "plain", **said(writer, Writer, Plain)}
    assert system.ask(other, Plain())[0]["garrick_address"] == str(other)


def test_hooks_have_no_message(system: ActorSystem) -> None:
    writer = system.spawn(Writer)
    assert system.ask(writer, InBirth()) == [{"text": "in started", **said(writer, Writer, None)}]


def test_an_ask_within_a_handler(system: ActorSystem) -> None:
    outer, inner = system.spawn(Writer), system.spawn(Writer)
    before, within, after = system.ask(outer, Nested(inner))
    assert before == {"text": "before", **said(outer, Writer, Nested)}
    assert within == {"text": "plain", **said(inner, Writer, Plain)}
    assert after == {"text": "after", **said(outer, Writer, Nested)}


def test_async_handlers_their_tasks_and_threads(system: ActorSystem) -> None:
    writers = [system.spawn(AsyncWriter) for _ in range(2)]
    for writer in writers * 2:
        first, later, task, thread = system.ask(writer, Plain())
        assert first == {"text": "at first", **said(writer, AsyncWriter, Plain)}
        assert later == {"text": "after a wait", **said(writer, AsyncWriter, Plain)}
        # What a handler starts belongs to the actor, but may outlive the message.
        assert task == {"text": "in a task", **said(writer, AsyncWriter, None)}
        assert thread == {"text": "in a thread", **said(writer, AsyncWriter, None)}


def test_the_log_of_an_actor_says_the_same(system: ActorSystem) -> None:
    writer = system.spawn(Writer)
    assert system.ask(writer, Own()) == [{"text": "own", **said(writer, Writer, Own)}]


def test_the_program_is_no_actor(system: ActorSystem) -> None:
    system.ask(system.spawn(Writer), Plain())
    with Caught() as seen:
        deep.warning("from the program")
    assert seen[0]["garrick_actor"] == seen[0]["garrick_message"] == ""


@pytest.mark.over("local", "sim", "sequential")
def test_the_logging_of_the_program_is_left_alone(system: ActorSystem) -> None:
    system.ask(system.spawn(Writer), Plain())
    assert logging.getLogRecordFactory() is logging.LogRecord
    assert not logs._installed
