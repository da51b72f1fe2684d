"""Actors and messages for which handler takes which message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from garrick import (
    Actor,
    Address,
    Request,
    on,
)
from tests.conformance.actors import Echo


class Animal:
    pass


class Dog(Animal):
    pass


class Puppy(Dog):
    pass


class Cat(Animal):
    pass


@dataclass(frozen=True)
class Box(Request[str]):
    """A generic by its base."""

    content: Any = None


class Dispatcher(Actor):
    """Says which handler took a message."""

    @on
    def animal(self, message: Animal) -> str:
        return "animal"

    @on
    def dog(self, message: Dog) -> str:
        return "dog"

    @on
    def number(self, message: int | range) -> str:
        return "number"

    @on
    def words(self, message: list[str]) -> str:
        return "list"

    @on
    def table(self, message: Mapping) -> str:  # type: ignore[type-arg]
        return "mapping"

    @on
    def box(self, message: Box) -> str:
        return "box"

    @on
    def nothing(self, message: None) -> str:
        return "none"


class DispatcherWithRest(Dispatcher):
    """Inherits handlers, overrides one, adds a catch-all."""

    @on
    def dog(self, message: Dog) -> str:
        return "my dog"

    @on
    def rest(self, message: Any) -> str:
        return "rest"


class UsesLaterDefined(Actor):
    @on
    def later(self, message: LaterDefined) -> str:
        return "later"


class LaterDefined:
    pass


class BadAnnotation(Actor):
    """A type that does not exist."""

    @on
    def number(self, message: NoSuchType) -> None:  # type: ignore[name-defined]  # noqa: F821
        pass


class BadAnnotationParent(BadAnnotation):
    """Takes an ask by itself and gives away its child."""

    def __init__(self) -> None:
        self.child = self.spawn(Echo)

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, self.child)
