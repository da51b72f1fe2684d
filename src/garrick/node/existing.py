"""Making the directory of a new system, and saying what is in the way when one of that name runs already.

Owns the text. It asks the other system, in a moment, what it offers: who starts a second one usually wants other capabilities, and
would else go on with the first one's without noticing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from garrick.errors import GarrickError, SystemExists
from garrick.node.rundir import RunDir
from garrick.observe.client import request

ASK_SECONDS: Final = 1.0
"""How long the running system may take to say what it offers."""


def create(name: str, capabilities: Mapping[str, Any]) -> RunDir:
    """As `RunDir.create`; the error names both sets of capabilities.

    Raises:
        SystemExists: a system of that name runs.
        InvalidArgument: the name can't be part of a path.
    """
    try:
        return RunDir.create(name)
    except SystemExists as error:
        try:
            running = request(RunDir.find(name).path, "status", timeout=ASK_SECONDS)["capabilities"]
        except (GarrickError, OSError, ValueError, KeyError):
            raise error from None
        text = f"a system named {name!r} is running, with {_listed(running)}; asked for now: {_listed(capabilities)}"
        raise SystemExists(text, hint=error.hint) from None


def _listed(capabilities: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={capabilities[key]!r}" for key in sorted(capabilities)) or "no capabilities"
