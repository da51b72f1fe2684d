"""The table of ``@on`` handlers: which one takes which message."""

from __future__ import annotations

import collections.abc
import enum
import sys
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


# --- what an annotation may be -----------------------------------------------------------------------------------------


class MyStr(str):
    __slots__ = ()


class MyDict(dict[str, int]): ...


class Colour(enum.Enum):
    RED = 1


class Point(typing.NamedTuple):
    x: int


class Movie(typing.TypedDict):
    title: str


@typing.runtime_checkable
class Closes(typing.Protocol):
    def close(self) -> None: ...


class File:
    def close(self) -> None: ...


class Quacks(typing.Protocol):
    def quack(self) -> None: ...


@typing.runtime_checkable
class Named(typing.Protocol):
    name: str


Number = typing.NewType("Number", int)
Bound = TypeVar("Bound", bound=A)
OneOf = TypeVar("OneOf", int, bytes)


def handler_of(annotation: Any, name: str = "handler") -> Any:
    def handler(self: Any, message: Any) -> None: ...

    handler.__name__ = handler.__qualname__ = name
    handler.__annotations__["message"] = annotation
    return on(handler)


@pytest.mark.parametrize(
    ("annotation", "taken", "left"),
    [
        (str, [str, MyStr], [bytes]),
        (MyStr, [MyStr], [str]),
        (dict[str, int], [dict, MyDict], [list]),
        (MyDict, [MyDict], [dict]),
        (list[int], [list], [dict, tuple]),
        (typing.List[int], [list], [dict]),  # noqa: UP006
        (typing.Optional[int], [int, type(None), bool], [str]),  # noqa: UP045
        (typing.Union[int, "str"], [int, str], [bytes]),
        ("int | None", [int, type(None)], [str]),
        (typing.Annotated[int, "metres"], [int], [str]),
        (typing.Annotated[int, "metres"] | str, [int, str], [bytes]),
        (Number, [int], [str]),
        (Bound, [A, B, D], [Mixin]),
        (OneOf, [int, bytes], [str]),
        (T, [int, A], []),
        (Closes, [File], [int]),
        (Colour, [Colour], [int]),
        (Point, [Point], [tuple]),
        (Movie, [dict], [list]),
        (Box[int] | IntBox, [Box, IntBox], [A]),
        (type[A], [type], [A]),
        (tuple[int, ...], [tuple, Point], [list]),
        (collections.abc.Callable[[int], None], [type(len), type], [int]),
        (float, [float], [int]),
        (typing.Hashable, [int, str], [list]),
    ],
    ids=str,
)
def test_annotations(annotation: Any, taken: list[type], left: list[type]) -> None:
    owner: Any = type("Owner", (Actor,), {"handler": handler_of(annotation)})
    assert [cls for cls in taken if owner._handlers.find(cls) is None] == []
    assert [cls for cls in left if owner._handlers.find(cls) is not None] == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements came with Python 3.12")
def test_a_type_alias_stands_for_its_value() -> None:
    namespace: dict[str, Any] = {}
    exec("type Whole = int | None\ntype Many[X] = list[X]", namespace)
    owner: Any = type("Owner", (Actor,), {"a": handler_of(namespace["Whole"]), "b": handler_of(namespace["Many"][int])})
    assert owner._handlers.find(int) is owner.a
    assert owner._handlers.find(list) is owner.b


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (typing.Literal["on", "off"], "annotate with str"),
        (typing.Literal["on", 1], "annotate with str | int"),
        (Quacks, "runtime_checkable"),
        (Named, "methods alone"),
        (17, "a class, a union of classes"),
        ("A[", "module level"),
        ("Mixin.nothing", "module level"),
    ],
    ids=str,
)
def test_what_does_not_show_in_the_class_of_a_message_is_refused(annotation: Any, says: str) -> None:
    owner: Any = type("Owner", (Actor,), {"handler": handler_of(annotation, "some_handler")})
    with pytest.raises(InvalidArgument, match="some_handler") as caught:
        owner._handlers.find(int)
    assert says in (caught.value.hint or "")
    assert caught.value.code == "GAR-5001"


def test_a_handler_takes_nothing_but_the_message() -> None:
    def too_much(self: Any, message: int, sender: Any) -> None: ...

    owner: Any = type("Owner", (Actor,), {"too_much": on(too_much)})
    with pytest.raises(InvalidArgument, match="too_much"):
        owner._handlers.find(int)


@pytest.mark.parametrize(
    ("first", "second"),
    [(int, int), (list[int], list[str]), (int | str, int), (typing.Optional[int], None), (object, Any), (Number, int)],  # noqa: UP045
    ids=str,
)
def test_two_handlers_for_one_type_are_refused_when_the_class_is_made(first: Any, second: Any) -> None:
    body = {"one": handler_of(first, "one"), "two": handler_of(second, "two")}
    with pytest.raises(InvalidArgument, match="one and two both take messages of class") as caught:
        type("Twice", (Actor,), body)
    assert caught.value.code == "GAR-5001"


def test_two_handlers_for_a_type_that_is_known_later_are_refused_at_the_first_message() -> None:
    owner: Any = type("Twice", (Actor,), {"one": handler_of("LaterOn", "one"), "two": handler_of("LaterOn", "two")})
    globals()["LaterOn"] = A
    try:
        with pytest.raises(InvalidArgument, match="one and two both take messages of class A"):
            owner._handlers.find(A)
    finally:
        del globals()["LaterOn"]


def test_the_handlers_of_a_class_win_over_inherited_ones_whatever_their_names() -> None:
    class Base(Actor):
        @on
        def a(self, message: A) -> None: ...
        @on
        def b(self, message: B) -> None: ...
        @on
        def c(self, message: C) -> None: ...

    class Other(Actor):
        @on
        def other(self, message: B) -> None: ...
        @on
        def number(self, message: int) -> None: ...

    class Sub(Base):
        @on
        def a(self, message: B) -> None: ...  # type: ignore[override]
        @on
        def mine(self, message: C) -> None: ...

    class Both(Other, Base): ...

    assert Sub._handlers.find(B) is Sub.a
    assert Sub._handlers.find(C) is Sub.mine
    assert Sub._handlers.find(A) is None, "its handler was overridden to take something else"
    assert Both._handlers.find(B) is Both.other, "the method resolution order decides"
    assert Both._handlers.find(A) is Both.a
    assert Both._handlers.find(int) is Both.number


def test_one_handler_under_two_names_is_one_handler() -> None:
    class Alias(Actor):
        @on
        def a(self, message: A) -> None: ...

        b = a

    assert Alias._handlers.find(A) is Alias.a
