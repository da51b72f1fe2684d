"""Takes everything of a source out of the process's own registries.

Owns the list of those registries. It is a function of its own so that no local variable keeps anything alive afterwards. Must not judge
whether it worked (that is `garrick.sources.unload`).
"""

from __future__ import annotations

import contextlib
import copy
import copyreg
import gc
import linecache
import logging
import sys
import types
import typing
import weakref
from functools import partial
from typing import Any

from garrick.sources.loading import Loaded


def belongs(thing: Any, loaded: Loaded) -> bool:
    """Whether something is code of the source, or an instance of a class of it."""
    while isinstance(thing, partial | types.MethodType):
        if isinstance(thing, types.MethodType) and belongs(thing.__self__, loaded):
            return True
        thing = thing.func if isinstance(thing, partial) else thing.__func__
    if isinstance(thing, types.FunctionType):
        return thing.__globals__.get("__builtins__") is loaded.builtins
    if isinstance(thing, types.ModuleType):
        return vars(thing).get("__builtins__") is loaded.builtins or _below(getattr(thing, "__name__", None), loaded)
    cls = thing if isinstance(thing, type) else type(thing)
    if _below(getattr(cls, "__module__", None), loaded):
        return True
    return getattr(thing, "loaded", None) is loaded if cls.__module__ == "garrick.sources.finder" else False


def _below(name: Any, loaded: Loaded) -> bool:
    return isinstance(name, str) and (name == loaded.prefix or name.startswith(loaded.prefix + "."))


def purge(loaded: Loaded) -> list[str]:
    """Remove a source from the process.

    Returns:
        What its own functions raised when they were told that it ends, as text.
    """
    complaints = _leave(loaded)
    _modules(loaded)
    _hooks(loaded)
    _typing(loaded)
    _logging(loaded)
    _finalizers(loaded)
    for table in (copyreg.dispatch_table, vars(copy)["_deepcopy_dispatch"], vars(copy)["_copy_dispatch"]):
        for key in [key for key, value in table.items() if belongs(key, loaded) or belongs(value, loaded)]:
            del table[key]
    return complaints


def _leave(loaded: Loaded) -> list[str]:
    complaints = []
    while loaded.leaving:
        try:
            loaded.leaving.pop()()
        except Exception as error:
            complaints.append(f"{type(error).__name__}: {error}")
    loaded.kept.clear()
    return complaints


def _modules(loaded: Loaded) -> None:
    for name, module in list(sys.modules.items()):
        if module is not None and (_below(name, loaded) or _mine(module, loaded)):
            del sys.modules[name]
        elif isinstance(module, types.ModuleType):
            _clean_spec(module, loaded)
    package = sys.modules["garrick.loaded"]
    vars(package).pop(loaded.name, None)
    root = loaded.storage.root
    for path in [path for path in sys.path_importer_cache if path == root or path.startswith(root + "/")]:
        sys.path_importer_cache.pop(path, None)
    for file in [file for file in linecache.cache if file.startswith(root + "/")]:
        linecache.cache.pop(file, None)


def _mine(module: Any, loaded: Loaded) -> bool:
    try:
        return belongs(module, loaded)
    except Exception:  # something odd that stands in for a module
        return False


def _clean_spec(module: types.ModuleType, loaded: Loaded) -> None:
    """Importers of a source (as of `six`) leave themselves in the specs of modules that they only hand on."""
    spec = vars(module).get("__spec__")
    if not any(belongs(each, loaded) for each in (getattr(spec, "loader", None), vars(module).get("__loader__"))):
        return
    found = None
    with contextlib.suppress(ImportError, AttributeError, ValueError):
        for finder in sys.meta_path:
            if not belongs(finder, loaded):
                found = found or finder.find_spec(module.__name__, None)
    module.__spec__ = found
    module.__loader__ = found.loader if found is not None else None


def _hooks(loaded: Loaded) -> None:
    hooks: list[list[Any]] = [sys.meta_path, sys.path_hooks, gc.callbacks]
    for table in hooks:
        table[:] = [each for each in table if not belongs(each, loaded)]


def _typing(loaded: Loaded) -> None:
    for clear in vars(typing)["_cleanups"]:
        clear()
    registry: dict[str, Any] = vars(typing).get("_overload_registry", {})
    for name in [name for name in registry if _below(name, loaded)]:
        del registry[name]


def _logging(loaded: Loaded) -> None:
    table = logging.root.manager.loggerDict
    for name in [name for name in table if _below(name, loaded)]:
        del table[name]
    for each in [logging.root, *table.values()]:
        if isinstance(each, logging.PlaceHolder):
            for logger in [logger for logger in each.loggerMap if _below(getattr(logger, "name", None), loaded)]:
                del each.loggerMap[logger]
        else:
            for handler in [handler for handler in each.handlers if belongs(handler, loaded)]:
                each.removeHandler(handler)
            each.filters[:] = [kept for kept in each.filters if not belongs(kept, loaded)]
            getattr(each, "_cache", {}).clear()
    if belongs(logging.getLoggerClass(), loaded):
        logging.setLoggerClass(logging.Logger)


def _finalizers(loaded: Loaded) -> None:
    """Callbacks of the source whose objects belong to it as well: both would keep each other for ever."""
    registry: dict[Any, Any] = vars(weakref.finalize)["_registry"]
    for finalizer, info in list(registry.items()):
        if belongs(info.func, loaded) and belongs(info.weakref(), loaded):
            finalizer()
