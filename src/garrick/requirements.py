"""Requirements of an actor class against the capabilities of a system.

Pure functions over plain data. A requirement is a mapping key -> wanted value; ``True`` means the key must be there and truthy.
A class may add ``@requires`` and a static ``can_run_on(capabilities) -> bool``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from garrick.errors import InvalidArgument

C = TypeVar("C", bound=type)
Capabilities = Mapping[str, Any]

_ATTRIBUTE = "__garrick_requires__"


def requires(*keys: str, **values: Any) -> Callable[[C], C]:
    """Class decorator: the actor runs only on systems that have these capabilities.

    Args:
        keys: capabilities that must be present and truthy.
        values: capabilities that must have exactly this value.
    """

    def mark(cls: C) -> C:
        wanted = dict(getattr(cls, _ATTRIBUTE, {}))
        wanted.update(dict.fromkeys(keys, True))
        wanted.update(values)
        setattr(cls, _ATTRIBUTE, wanted)
        return cls

    return mark


def pairs(what: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of requirements or capabilities.

    Args:
        what: the parameter, for the error.
        given: what a user gave.

    Raises:
        InvalidArgument: it is no mapping.
    """
    try:
        return dict(given)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{what}={given!r} is no mapping", hint='give {"gpu": True}, for example') from None


def requirements_of(cls: type | None, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All requirements of a class, with those of one spawn on top."""
    wanted = dict(getattr(cls, _ATTRIBUTE, {}))
    if extra:
        wanted.update(extra)
    return wanted


def is_demanding(cls: type, extra: Mapping[str, Any] | None = None) -> bool:
    """Whether there is anything that a system may lack for this class."""
    return bool(extra) or hasattr(cls, _ATTRIBUTE) or hasattr(cls, "can_run_on")


def missing(wanted: Mapping[str, Any], capabilities: Capabilities) -> tuple[str, ...]:
    """The requirements that ``capabilities`` don't meet, each as text for a person; empty when all are met."""
    lacking = []
    for key, value in wanted.items():
        have = capabilities.get(key)
        if value is True:
            if not have:
                lacking.append(key)
        elif have != value:
            lacking.append(f"{key}={value!r} (has {have!r})" if key in capabilities else f"{key}={value!r}")
    return tuple(lacking)
