"""Actors and messages for streams to the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrick import Actor, Request, Subscribed, UnpicklableMessage, Unsubscribed, on


@dataclass(frozen=True)
class Publish(Request[int]):
    """Publish ``count`` numbers from ``first`` on; the answer is how many calls that took."""

    first: int
    count: int = 1


@dataclass(frozen=True)
class PublishThis(Request[str]):
    """Publish something that can't leave the process."""


@dataclass(frozen=True)
class Subscribers(Request[list[Any]]):
    """The requests of those that subscribed, and how many left."""


class Ticker(Actor):
    """Publishes on request, and greets who subscribes with a request."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.left = 0

    @on
    def publish_numbers(self, message: Publish) -> int:
        for number in range(message.first, message.first + message.count):
            self.publish(number)
        return message.count

    @on
    def publish_this(self, _: PublishThis) -> str:
        try:
            self.publish(lambda: None)
        except UnpicklableMessage as error:
            return type(error).__name__
        return "published"

    @on
    def boom(self, message: ValueError) -> None:
        raise message

    @on
    def about(self, _: Subscribers) -> list[Any]:
        return [self.requests, self.left]

    @on
    def subscribed(self, notice: Subscribed) -> None:
        self.requests.append(notice.request)
        if isinstance(notice.request, int):
            for number in range(notice.request):
                self.send(notice.subscriber, f"snapshot {number}")

    @on
    def unsubscribed(self, _: Unsubscribed) -> None:
        self.left += 1


class Sink(Actor):
    """Tells an address that a program asked it to do something by a message; has no handler for notices."""

    def receive(self, message: Any, sender: Any) -> None:
        self.publish(message)
