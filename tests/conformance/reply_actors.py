"""Actors and messages for what can be done with a `Reply`."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, AskError, Reply, on
from tests.conformance.actors import Get


@dataclass(frozen=True)
class Keep:
    """Ask ``target`` and keep the reply for later."""

    target: Address[Any]
    message: Any
    timeout: float = 20.0


@dataclass(frozen=True)
class Use:
    """Do ``how`` with the reply that was kept."""

    how: str


class Keeper(Actor):
    """Asks in one handler and uses the reply in another one."""

    def __init__(self) -> None:
        self.kept: Reply[Any] | None = None

    @on
    def keep(self, message: Keep) -> None:
        self.kept = self.ask(message.target, message.message, message.timeout)

    @on
    def use(self, message: Use) -> Any:
        reply = self.kept
        assert reply is not None
        if message.how == "result":
            return [_outcome(reply), _outcome(reply), reply.done]
        if message.how == "foreign thread":
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(_outcome(reply)))
            thread.start()
            thread.join(20)
            return found
        return self._use(reply, message.how)

    async def _use(self, reply: Reply[Any], how: str) -> Any:
        if how == "twice":
            return [await reply, await reply, reply.done]
        if how == "gather":
            return await asyncio.gather(reply, reply)
        if how == "wait_for":
            return await asyncio.wait_for(reply, 20)
        if how == "group":
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_wait(reply)) for _ in range(2)]
            return [task.result() for task in tasks]
        if how == "shield":
            try:
                await asyncio.wait_for(asyncio.shield(reply), 0.02)
            except TimeoutError:
                return [reply.done, await reply]
        return "?"

    @on
    def get(self, _: Get) -> bool:
        return self.kept is not None and self.kept.done


def _outcome(reply: Reply[Any]) -> Any:
    try:
        return reply.result()
    except AskError as error:
        return type(error).__name__


async def _wait(reply: Reply[Any]) -> Any:
    return await reply
