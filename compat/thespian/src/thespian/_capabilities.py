"""Capabilities: which ones a system has of its own accord, and what actor classes require.

Pure functions over plain data.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

ThespianGeneration = (3, 10)
"""The generation of the API that is offered here."""

CHECK = "actorSystemCapabilityCheck"

log = logging.getLogger("thespian")


def requireCapability(cap: str, value: Any = None) -> Callable[[C], C]:
    """Class decorator: the actor runs only where a capability is there, or has a value.

    It can be repeated, and adds to the class's own ``actorSystemCapabilityCheck``.

    Args:
        cap: the key.
        value: what it must be equal to; None: anything that is true.
    """

    def mark(cls: C) -> C:
        inner = getattr(cls, CHECK, None)

        def check(capabilities: Mapping[str, Any], requirements: Any) -> bool:
            have = capabilities.get(cap)
            if not have if value is None else have != value:
                return False
            return inner is None or bool(inner(capabilities, requirements))

        setattr(cls, CHECK, staticmethod(check))
        return cls

    return mark


def fits(cls: type, capabilities: Mapping[str, Any], requirements: Any) -> bool:
    """Whether an actor of this class may run on a system; a check that raises says no."""
    try:
        return bool(getattr(cls, CHECK)(capabilities, requirements or {}))
    except Exception:
        log.warning("%s of %s failed; that counts as no", CHECK, cls.__qualname__, exc_info=True)
        return False


def add_own(capabilities: dict[str, Any], name: str, version: int, **more: Any) -> None:
    """Write what every system has into the program's own dict."""
    capabilities.update(
        {
            "Python Version": tuple(sys.version_info),
            "Thespian Generation": ThespianGeneration,
            "Thespian Version": str(int(time.time() * 1000)),
            "Thespian ActorSystem Name": name,
            "Thespian ActorSystem Version": version,
            "Thespian Watch Supported": False,
            **more,
        }
    )


def other_leader(capabilities: Mapping[str, Any], port: int) -> str | None:
    """The address of a convention that another system leads, if the capabilities name one; None: this one leads it."""
    told = capabilities.get("Convention Address.IPv4")
    first = told[0] if isinstance(told, list) and told else told
    if isinstance(first, tuple):
        host, leaders_port = first
    else:
        host, _, text = str(first or "").partition(":")
        leaders_port = text or port
    here = str(host or "") in {"", "localhost", "127.0.0.1"}
    return None if here and int(leaders_port or port) == port else f"{host}:{leaders_port}"
