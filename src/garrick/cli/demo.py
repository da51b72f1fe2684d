"""``garrick demo``: runs what another distribution offers under the entry-point group ``garrick.demo``.

Owns finding it. Must not know what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

from garrick.cli import OK
from garrick.errors import NoDemo

GROUP = "garrick.demo"


def run_demo(arguments: Sequence[str]) -> int:
    """Run the demonstration with its own arguments; its exit code.

    Raises:
        NoDemo: none is installed.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    if not found:
        raise NoDemo("no demonstration is installed", hint="pip install garrick-provision")
    main: Callable[[list[str]], Any] = found[0].load()
    result = main(list(arguments))
    return result if isinstance(result, int) else OK
