"""Actors that offer."""

from __future__ import annotations

from typing import Any

from garrick import Actor, Address, BackPressure


class Offerer(Actor):
    """Offers numbered messages, then answers how many went."""

    def __init__(self, target: Address[Any], source: str) -> None:
        self.target = target
        self.source = source

    async def receive(self, message: tuple[int, int, float], sender: Address[Any] | None) -> None:
        count, size, timeout = message
        sent = 0
        try:
            for sent in range(count):
                await self.offer(self.target, (self.source, sent, b"x" * size), timeout=timeout)
            sent = count
        except BackPressure:
            pass
        if sender is not None:
            self.send(sender, sent)


class AsyncEcho(Actor):
    """An async handler beside."""

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if sender is not None:
            self.send(sender, message)
