"""Bodies of messages: pickling, and a useful answer when it fails.

Owns how the content of a message becomes bytes. Must not know envelopes, addresses or processes. Each message is pickled by itself
(protocol 5), so that two messages never share an object after a copy.

**Classes of the main program.** Pickle writes their module as ``__main__``, which is another module in every program. The rule
that costs nothing on the way: a worker imports the owner's main file once under a private name, *and* puts that module into
``sys.modules["__main__"]`` (what `multiprocessing` does when it spawns); the owner in turn puts its ``__main__`` into
``sys.modules`` under the private name, since that is what classes say that were pickled in a worker. Then plain pickle resolves
both names on both sides. Only a program that is not the owner (a second one that attached), and an owner who writes to another
system, must tell which main it means: if `mentions_main` says that it matters, it gives the private name to the envelope, and
the reader gives that to `loads`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from copyreg import dispatch_table
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from garrick.errors import UndecodableMessage, UnpicklableMessage

PROTOCOL: Final = 5
MAIN: Final = "__main__"

_MAX_DEPTH: Final = 40
"""Longest path that is followed to a culprit."""
_MAX_WIDTH: Final = 10_000
"""Members of one container that are looked at for a culprit."""
_TEXT: Final = 60
_RECURSIVE: Final = "it is nested more deeply than pickle can follow"

NO_MEMORY: Final = "that process has no memory left for it: give it more, or send less at once"

_dumps: Final = pickle.dumps
_loads: Final = pickle.loads


def dumps(message: object) -> bytes:
    """The body of a message.

    Raises:
        UnpicklableMessage: names the part of the message that can't be pickled.
    """
    try:
        return _dumps(message, PROTOCOL)
    except Exception as error:
        raise _explain(message, error) from error


class TooLarge(Exception):
    """A buffer of the message is better not copied into the pickle."""


def refuse_large(least: int) -> Callable[[pickle.PickleBuffer], bool]:
    """A ``buffer_callback`` for `pickle.dumps` that raises `TooLarge` at a buffer of at least so many bytes."""

    def look(buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as view:
            if view.nbytes >= least:
                raise TooLarge
        return True

    return look


def set_apart(least: int, buffers: list[pickle.PickleBuffer]) -> Callable[[pickle.PickleBuffer], bool]:
    """A ``buffer_callback`` for `pickle.dumps` that collects buffers of at least so many bytes."""

    def look(buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as view:
            if view.nbytes < least:
                return True
        buffers.append(buffer)
        return False

    return look


def loads(body: bytes | memoryview, main: str | None = None, buffers: Sequence[bytes | bytearray] = ()) -> Any:
    """The message of a body. Only for bodies of authenticated members: unpickling runs code of their choice.

    Args:
        body: what `dumps` made.
        main: the module that ``__main__`` stands for in it; None: the one of this process.
        buffers: what was set apart when it was pickled, in order.

    Raises:
        UndecodableMessage: a class is missing or differs here, or the body is damaged. The cause is chained.
    """
    try:
        return _loads(body, buffers=buffers) if main is None else _MainUnpickler(body, main, buffers).load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a SystemExit of somebody's __setstate__ must not end the worker
        hint = NO_MEMORY if isinstance(error, MemoryError) else None
        text = f"a message can't be unpickled here: {type(error).__name__}: {error}"
        raise UndecodableMessage(text, hint=hint) from error


def mentions_main(body: bytes) -> bool:
    """Whether the meaning of the body may depend on what ``__main__`` is (never a false "no")."""
    return b"__main__" in body


class _MainUnpickler(pickle.Unpickler):
    def __init__(self, body: bytes | memoryview, main: str, buffers: Sequence[bytes | bytearray]) -> None:
        super().__init__(io.BytesIO(body), buffers=buffers)
        self._main = main

    def find_class(self, module: str, name: str, /) -> Any:
        return super().find_class(self._main if module == MAIN else module, name)


def _explain(message: object, error: Exception) -> UnpicklableMessage:
    path, culprit, cause = _culprit(message, error)
    reason = _RECURSIVE if isinstance(cause, RecursionError) else f"{type(cause).__name__}: {cause}"
    text = f"{path}: {_describe(culprit)} can't leave this process: {reason}"
    return UnpicklableMessage(text, path=path, hint=_hint(culprit))


def _culprit(message: object, error: Exception) -> tuple[str, object, Exception]:
    """Walk down to the innermost part that fails; on the way only failing parts are entered, so that this ends."""
    path = "message"
    entered = {id(message)}
    if isinstance(error, RecursionError):
        return path, message, error
    for _ in range(_MAX_DEPTH):
        for suffix, part in islice(_parts(message), _MAX_WIDTH):
            if id(part) in entered:
                continue
            failure = _failure(part)
            if failure is not None:
                path, message, error = path + suffix, part, failure
                entered.add(id(part))
                break
        else:
            break
    return path, message, error


def _failure(part: object) -> Exception | None:
    try:
        _dumps(part, PROTOCOL)
    except Exception as error:
        return error
    return None


def _parts(whole: object) -> Iterator[tuple[str, object]]:
    """(path suffix, part) of everything that pickle would visit inside `whole`."""
    kind = type(whole)
    if isinstance(whole, (type, FunctionType, BuiltinFunctionType, ModuleType)):
        return
    if kind is dict:
        yield from _entries(whole)
    elif isinstance(whole, tuple) and hasattr(whole, "_fields"):
        names: Any = whole._fields  # pyright: ignore[reportAttributeAccessIssue] - a named tuple
        for name, part in zip(names, whole, strict=False):
            yield f".{name}", part
    elif kind in (list, tuple):
        for index, part in enumerate(whole):  # type: ignore[arg-type]
            yield f"[{index}]", part
    elif isinstance(whole, (set, frozenset)):
        for part in whole:
            yield f"{{{_text(part)}}}", part
    elif isinstance(whole, MethodType):
        yield ".__self__", whole.__self__
    else:
        yield from _reduced(whole)


def _entries(mapping: Any) -> Iterator[tuple[str, object]]:
    for key, part in mapping.items():
        yield f"[{_text(key)}]", part
    for key in mapping:
        yield f".keys()[{_text(key)}]", key


def _reduced(whole: Any) -> Iterator[tuple[str, object]]:
    """What an object gives pickle instead of itself: its state by attribute, then contents, then constructor arguments."""
    reduce = dispatch_table.get(type(whole))
    try:
        reduced = reduce(whole) if reduce is not None else whole.__reduce_ex__(PROTOCOL)
    except Exception:
        return  # then the object itself is the culprit, and its own error has been kept
    if not isinstance(reduced, tuple):
        return
    parts: list[Any] = [*reduced, None, None, None, None]
    _, arguments, state, items, entries = parts[:5]
    for members in state if isinstance(state, tuple) else (state,):
        if isinstance(members, Mapping):
            for name, part in members.items():
                yield f".{name}", part
        elif members is not None:
            yield ".__getstate__()", members
    for index, part in enumerate(items or ()):
        yield f"[{index}]", part
    if entries is not None:
        yield from _entries(dict(entries))
    if isinstance(arguments, tuple):
        for index, part in enumerate(arguments):
            if not isinstance(part, type):
                yield f".__reduce__()[1][{index}]", part


def _text(key: object) -> str:
    """A key for a path. Only keys of plain types show their content; others may be long, secret or raise in ``repr``."""
    if not isinstance(key, (str, bytes, int, float, bool)):
        return _describe(key)
    text = repr(key)
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."


def _describe(part: object) -> str:
    """Kind and name of an object, never its content: what is in messages does not belong into errors."""
    if isinstance(part, type):
        return f"<class {part.__module__}.{part.__qualname__}>"
    if isinstance(part, ModuleType):
        return f"<module {part.__name__}>"
    if isinstance(part, (FunctionType, BuiltinFunctionType, MethodType)):
        return f"<function {part.__qualname__}>"
    kind = type(part)
    return f"<{kind.__module__}.{kind.__qualname__} object>".replace("<builtins.", "<")


def _hint(part: object) -> str:
    if isinstance(part, FunctionType) and (part.__name__ == "<lambda>" or "<locals>" in part.__qualname__):
        return "functions travel by name: use one defined at the top level of a module"
    if isinstance(part, memoryview):
        return "wrap it: pickle.PickleBuffer(view) travels, and arrives as bytes or bytearray"
    kind = part if isinstance(part, type) else type(part)
    if "<locals>" in kind.__qualname__:
        return "classes travel by name: define this one at the top level of a module"
    return "send plain data, and let the receiver open files, sockets, locks and connections itself"
