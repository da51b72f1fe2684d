"""The table of ``@on`` handlers: which one takes which message."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sized
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick import Actor, ChildExited, Notice, Terminated, on
from garrick.errors import InvalidArgument
from garrick.handlers import HandlerTable

T = TypeVar("T")


class A: ...


class B(A): ...


class C(B): ...


class Mixin: ...


class D(Mixin, C): ...


class Box(Generic[T]): ...


class IntBox(Box[int]): ...


def named(table: HandlerTable, message_type: type) -> str | None:
    handler = table.find(message_type)
    return None if handler is None else handler.__name__


class Many(Actor):
    @on
    def a(self, message: A) -> None: ...
    @on
    def c(self, message: C) -> None: ...
    @on
    def union(self, message: int | str) -> None: ...
    @on
    def old_union(self, message: bytes | bytearray) -> None: ...
    @on
    def optional(self, message: float | None) -> None: ...
    @on
    def box(self, message: Box[int]) -> None: ...
    @on
    def items(self, message: list[str]) -> None: ...


@pytest.mark.parametrize(
    ("message_type", "expected"),
    [
        (A, "a"),
        (B, "a"),
        (C, "c"),
        (D, "c"),
        (int, "union"),
        (bool, "union"),
        (str, "union"),
        (bytes, "old_union"),
        (bytearray, "old_union"),
        (float, "optional"),
        (type(None), "optional"),
        (Box, "box"),
        (IntBox, "box"),
        (list, "items"),
        (tuple, None),
        (Mixin, None),
        (object, None),
    ],
)
def test_find(message_type: type, expected: str | None) -> None:
    table = Many._handlers
    assert named(table, message_type) == expected
    assert named(table, message_type) == expected, "the same out of the cache"


def test_handlers_are_inherited_and_overridden() -> None:
    class Below(Many):
        @on
        def a(self, message: A) -> None: ...

        def c(self, message: C) -> None: ...  # overridden without @on: no handler any more

    assert Below._handlers.find(A) is Below.a
    assert Below._handlers.find(C) is Below.a
    assert Many._handlers.find(C) is Many.c


def test_a_class_without_handlers_has_an_empty_table() -> None:
    class Plain(Actor):
        def helper(self, message: A) -> None: ...

    assert not Plain._handlers
    assert Plain._handlers.find(A) is None
    assert Many._handlers


@pytest.mark.parametrize("annotation", [object, Any, "object", "Any"])
def test_a_catch_all_is_the_last_choice(annotation: Any) -> None:
    class Rest(Actor):
        @on
        def sized(self, message: Sized) -> None: ...

        def rest(self, message: Any) -> None: ...

        rest.__annotations__["message"] = annotation
        rest = on(rest)

    assert named(Rest._handlers, list) == "sized"
    assert named(Rest._handlers, int) == "rest"


def test_of_several_abstract_classes_the_narrowest_is_chosen() -> None:
    class Abstract(Actor):
        @on
        def iterable(self, message: Iterable[Any]) -> None: ...
        @on
        def mapping(self, message: Mapping[str, Any]) -> None: ...

    assert named(Abstract._handlers, dict) == "mapping"
    assert named(Abstract._handlers, list) == "iterable"
    assert named(Abstract._handlers, int) is None


def test_a_protocol_that_cannot_be_asked_matches_nothing() -> None:
    class Quacks(typing.Protocol):
        def quack(self) -> None: ...

    class Pond(Actor):
        def duck(self, message: Any) -> None: ...

        duck.__annotations__["message"] = Quacks
        duck = on(duck)

    assert Pond._handlers.find(int) is None


def test_notices_are_found_by_name_only() -> None:
    class Listens(Actor):
        @on
        def exited(self, notice: ChildExited) -> None: ...
        @on
        def rest(self, message: object) -> None: ...

    assert Listens._handlers.find_notice(ChildExited) is Listens.exited
    assert Listens._handlers.find_notice(Terminated) is None


def test_one_handler_may_take_all_notices() -> None:
    class Listens(Actor):
        @on
        def notice(self, notice: Notice) -> None: ...

    assert Listens._handlers.find_notice(Terminated) is Listens.notice


def no_parameter(self: Any) -> None: ...


def no_annotation(self: Any, message) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001


def unknown(self: Any, message: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def no_class(self: Any, message: Any) -> None: ...


no_class.__annotations__["message"] = 17


@pytest.mark.parametrize("function", [no_parameter, no_annotation, unknown, no_class])
def test_senseless_handlers_are_named_in_the_error(function: Any) -> None:
    owner: Any = type("Bad", (Actor,), {"handler": on(function)})
    with pytest.raises(InvalidArgument, match=function.__name__):
        owner._handlers.find(int)


def test_local_classes_are_found_through_the_closure() -> None:
    class Local: ...

    class Takes(Actor):
        @on
        def local(self, message: Local) -> Any:
            return Local  # in the closure, or the annotation could not be resolved

    assert Takes._handlers.find(Local) is Takes.local


def test_whether_all_handlers_are_coroutines() -> None:
    class Async(Actor):
        @on
        async def a(self, message: A) -> None: ...

    class Mixed(Async):
        @on
        def b(self, message: int) -> None: ...

    assert Async._handlers.all_async()
    assert not Mixed._handlers.all_async()
    assert not HandlerTable(object).all_async()


@given(st.permutations([A, B, C, Mixin]), st.sampled_from([A, B, C, D, Mixin]))
def test_the_nearest_class_of_the_mro_wins_in_whatever_order_they_are_declared(order: list[type], sent: type) -> None:
    namespace: dict[str, Any] = {}
    for cls in order:

        def handler(self: Any, message: Any) -> None: ...

        handler.__name__ = cls.__name__
        handler.__annotations__["message"] = cls
        namespace[cls.__name__] = on(handler)
    some: Any = type("Some", (Actor,), namespace)
    table = some._handlers
    expected = next(cls for cls in sent.__mro__ if cls in order)
    assert named(table, sent) == expected.__name__
