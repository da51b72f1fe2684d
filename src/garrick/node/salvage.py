"""Decoding a signal without running or importing anything of a user.

For the admin, in which no user code may run, and for signals something of which can't be decoded: objects of classes that are not
ours become `Missing`. Must not be used for messages of users.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final, Self

from garrick.errors import UndecodableMessage
from garrick.wire.envelope import Raw

_OURS: Final = frozenset({"garrick", "builtins", "collections", "datetime", "pathlib", "decimal", "uuid"})
_NOT_OURS: Final = frozenset(
    {"eval", "exec", "open", "compile", "__import__", "getattr", "setattr", "delattr", "input", "breakpoint"}
)


class Missing:
    """Stands for an object of a foreign class, whatever pickle does to make it."""

    def __new__(cls, *_args: Any, **_keywords: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *args: Any, **keywords: Any) -> None:
        pass

    def __call__(self, *_args: Any, **_keywords: Any) -> Missing:
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Take an item of a list that is none here."""

    def extend(self, items: Any) -> None:
        """Take items of a list that is none here."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


def salvage(body: Raw) -> Any:
    """What can be known of a signal.

    Raises:
        UndecodableMessage: nothing.
    """
    try:
        return _Unpickler(io.BytesIO(body)).load()
    except Exception as error:
        raise UndecodableMessage(f"a signal can't be decoded: {type(error).__name__}: {error}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        loaded = module.startswith("garrick.loaded.")  # code of users, that would be imported
        if module.partition(".")[0] in _OURS and not loaded and not (module == "builtins" and name in _NOT_OURS):
            return super().find_class(module, name)
        return Missing
