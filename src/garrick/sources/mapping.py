"""The ``__import__`` of a source: absolute names of the source's own packages mean its own modules.

Owns that function. Python takes it from the builtins of the frame that imports, so it serves import statements, wherever they stand, also
in `exec` and `eval`, of this source alone; nothing global is patched.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from garrick.sources.proxies import Proxies

if TYPE_CHECKING:
    from garrick.sources.loading import Loaded


def make_import(loaded: Loaded) -> Callable[..., ModuleType]:
    """The ``__import__`` of a source."""
    prefixes = loaded.prefixes
    modules = sys.modules
    proxies = Proxies(loaded)
    proxied = proxies.tops

    def mapped(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if loaded.gone:
            loaded.check()
        if level:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        top = name.partition(".")[0]
        prefix = prefixes.get(top)
        if prefix is not None:
            try:
                found = builtins.__import__(f"{prefix}.{name}", globals, locals, fromlist or ("",), 0)
            except ModuleNotFoundError as error:
                if error.name is not None:  # code that looks at it knows its own names
                    error.name = error.name.removeprefix(prefix + ".")
                raise
            return found if fromlist else modules[f"{prefix}.{top}"]
        found = builtins.__import__(name, globals, locals, fromlist or (), 0)
        if top in proxied:
            return proxies.of(name if fromlist else top) or found
        return found

    mapped.__name__ = mapped.__qualname__ = "__import__"
    return mapped
