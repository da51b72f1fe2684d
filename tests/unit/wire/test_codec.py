"""Bodies: what can't be pickled is named with its path, what can't be unpickled is one error, and __main__ can be told apart."""

from __future__ import annotations

import collections
import contextlib
import sys
import threading
import types
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrick.errors import UndecodableMessage, UnpicklableMessage
from garrick.wire import codec


@dataclass
class Order:
    payload: Any = None
    notes: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slim:
    inner: Any


class Plain:
    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)

    def method(self) -> None: ...


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any, right: Any) -> None:
        self.left = left
        self.right = right


class Pair(NamedTuple):
    first: Any
    second: Any


class MyList(list[Any]):
    pass


class Reduced:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return Reduced, (self.value,)


class Custom:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __getstate__(self) -> Any:
        return [self.value]


class Refuses:
    def __reduce__(self) -> Any:
        raise RuntimeError("not me")

    def __repr__(self) -> str:
        raise AssertionError("nobody may print the content of messages")


def bad() -> Any:
    return lambda: None


LAMBDA = "<function bad.<locals>.<lambda>>"


@pytest.mark.parametrize(
    ("message", "path", "what"),
    [
        (bad(), "message", LAMBDA),
        (Order(payload={"x": [1, 2, 3, Plain(callback=bad())]}), "message.payload['x'][3].callback", LAMBDA),
        (Order(notes=[1, bad()]), "message.notes[1]", LAMBDA),
        (Slim(bad()), "message.__getstate__()[0]", LAMBDA),
        (Slotted(1, bad()), "message.right", LAMBDA),
        (Pair(1, (2, bad())), "message.second[1]", LAMBDA),
        (MyList([1, bad()]), "message[1]", LAMBDA),
        (collections.deque([1, bad()]), "message[1]", LAMBDA),
        (collections.OrderedDict(a=bad()), "message['a']", LAMBDA),
        ({"k" * 100: bad()}, f"message['{'k' * 56}...]", LAMBDA),
        ({(1, 2): bad()}, "message[<tuple object>]", LAMBDA),
        ({bad(): 1}, f"message.keys()[{LAMBDA}]", LAMBDA),
        ({bad()}, f"message{{{LAMBDA}}}", LAMBDA),
        (Reduced(bad()), "message.__reduce__()[1][0]", LAMBDA),
        (Custom(bad()), "message.__getstate__()[0]", LAMBDA),
        ([Plain(guard=threading.Lock())], "message[0].guard", "<_thread.lock object>"),
        ((1, sys), "message[1]", "<module sys>"),
        ([Refuses()], "message[0]", "Refuses object>"),
        ([Plain(call=Plain(lock=threading.Lock()).method)], "message[0].call.__self__.lock", "<_thread.lock object>"),
        ([ValueError("x", bad())], "message[0].__reduce__()[1][1]", LAMBDA),
    ],
)
def test_the_error_names_the_path_to_the_culprit(message: object, path: str, what: str) -> None:
    with pytest.raises(UnpicklableMessage) as caught:
        codec.dumps(message)
    assert caught.value.path == path
    assert f"{path}: " in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.__cause__ is not None
    assert caught.value.hint


def test_a_cycle_does_not_hold_the_search_up() -> None:
    whole = Plain(culprit=None)
    whole.me = [whole]  # type: ignore[attr-defined]
    whole.culprit = bad()  # type: ignore[attr-defined]
    with pytest.raises(UnpicklableMessage) as caught:
        codec.dumps(whole)
    assert caught.value.path in {"message.culprit", "message.me[0].culprit"}


def test_a_local_class_is_named() -> None:
    class Local:
        pass

    with pytest.raises(UnpicklableMessage, match=r"message\[0\]: .*Local") as caught:
        codec.dumps([Local()])
    assert "top level" in str(caught.value.hint)


def test_too_deep_a_message_says_so() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UnpicklableMessage, match="nested"):
        codec.dumps(deep)
    while deep:
        deep = deep.pop()


def test_content_does_not_appear_in_the_error() -> None:
    with pytest.raises(UnpicklableMessage) as caught:
        codec.dumps(Order(payload={"password": "hunter2", "lock": threading.Lock()}))
    assert "hunter2" not in str(caught.value)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(json)
@settings(deadline=None)
def test_data_survives(message: Any) -> None:
    body = codec.dumps(message)
    assert codec.loads(body) == message
    assert codec.loads(memoryview(body)) == message
    assert codec.loads(body, "elsewhere") == message


@given(st.binary())
@settings(deadline=None)
def test_damaged_bodies_are_one_kind_of_error(body: bytes) -> None:
    with contextlib.suppress(UndecodableMessage):
        codec.loads(body)
    with contextlib.suppress(UndecodableMessage):
        codec.loads(body, "elsewhere")


class Exits:
    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, (3,)


def test_unpickling_can_not_end_the_process() -> None:
    with pytest.raises(UndecodableMessage, match="SystemExit"):
        codec.loads(codec.dumps(Exits()))


def test_a_class_that_is_missing_here_is_undecodable() -> None:
    body = codec.dumps(Order(1)).replace(b"Order", b"Ordes")
    with pytest.raises(UndecodableMessage, match="Ordes"):
        codec.loads(body)


def test_main_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    other = types.ModuleType("_private_main")
    exec("class Thing:\n    pass\n", other.__dict__)
    monkeypatch.setitem(sys.modules, "_private_main", other)
    other.Thing.__module__ = "__main__"
    assert not codec.mentions_main(codec.dumps(Order()))
    monkeypatch.setitem(sys.modules, "__main__", other)
    body = codec.dumps(other.Thing())
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    assert codec.mentions_main(body)
    assert type(codec.loads(body, "_private_main")) is other.Thing
    with pytest.raises(UndecodableMessage):
        codec.loads(body)
    monkeypatch.undo()
