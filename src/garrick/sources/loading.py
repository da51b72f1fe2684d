"""Sources that are loaded in this process, by the prefix of their modules.

Owns the table of them, which is one for the process because `sys.modules` is. Invariants:

* A prefix carries 16 of the 64 digits of a hash. A second source with the same prefix is refused.
* A source whose code outlived its unloading is not loaded again while any of that code lives: there would be two copies of each class.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import threading
import weakref
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any, Final

from garrick.errors import SourceConflict, SourceMissing
from garrick.sources.codecache import CodeCache
from garrick.sources.storage import Folder, Storage
from garrick.sources.store import Store, default_directory

PACKAGE: Final = "garrick.loaded"
DIGITS: Final = 16
_lock: Final = threading.RLock()
_loaded: Final[dict[str, Loaded]] = {}
"""By the last part of the prefix: ``h`` and digits."""
_stores: Final[list[Store]] = []
survivors: Final[dict[str, list[weakref.ref[Any]]]] = {}
"""Of unloaded sources, by the last part of the prefix: code that still lives."""


class Loaded:
    """One source in this process.

    Attributes:
        hash: its identity.
        prefix: what the names of its modules begin with: ``garrick.loaded.h<16 digits>``.
        storage: its files.
        builtins: what its modules have as ``__builtins__``: a copy in which ``__import__`` knows the source.
        gone: whether it was unloaded.
        leaving: what is done when it is unloaded, last first.
    """

    def __init__(self, digest: str, storage: Storage, cache: CodeCache) -> None:
        from garrick.sources.mapping import make_import

        self.hash = digest
        self.name = f"h{digest[:DIGITS]}"
        self.prefix = f"{PACKAGE}.{self.name}"
        self.storage = storage
        self.builtins: dict[str, Any] = dict(vars(builtins))
        self.builtins["__import__"] = make_import(self)
        self.gone = False
        self.leaving: list[Callable[[], object]] = []
        self.kept: list[Any] = []
        """What registries of the process refer to weakly, and what must live as long as the source does."""
        self._cache = cache
        self._references = 0

    def __repr__(self) -> str:
        return f"<source {self.storage.manifest.name} {self.storage.manifest.version} {self.hash[:8]}>"

    # --- using it -------------------------------------------------------------------------------------------------------

    def import_module(self, name: str) -> ModuleType:
        """A module of the source.

        Args:
            name: as the source itself calls it: ``app.model``.

        Raises:
            ModuleNotFoundError: there is none.
            SourceMissing: the source was unloaded.
        """
        self.check()
        return importlib.import_module(f"{self.prefix}.{name}")

    def check(self) -> None:
        """Raise `SourceMissing` if it was unloaded."""
        if self.gone:
            raise SourceMissing(
                f"the source {self.hash[:8]} was unloaded, and some of its code goes on",
                hint="end what uses a source before it is unloaded",
            )

    def code(self, path: str) -> CodeType:
        """The code of a module, by its path in the source."""
        digest = self.storage.index.digests[path]
        return self._cache.code(digest, lambda: self.storage.read(path), self.file(path))

    def file(self, path: str) -> str:
        """The absolute name of a file of the source."""
        return f"{self.storage.root}/{path}" if path else self.storage.root

    # --- being used -----------------------------------------------------------------------------------------------------

    @property
    def references(self) -> int:
        """How many hold it."""
        return self._references

    def acquire(self) -> None:
        """Hold it: it can't be unloaded until `release`."""
        with _lock:
            self.check()
            self._references += 1

    def release(self) -> None:
        """Let it go."""
        with _lock:
            self._references -= 1


def load(storage: Storage, cache: CodeCache | None = None, *, own_process: bool = False) -> Loaded:
    """Make a source importable in this process; nothing of it runs yet.

    Args:
        storage: its files, verified before.
        cache: for compiled code.
        own_process: whether this process serves no other source, as compiled extensions demand.

    Raises:
        SourceConflict: it can't be in this process: another one has its prefix, some of its code outlived an earlier unloading, it needs a
            process of its own, or another Python.
    """
    manifest = storage.manifest
    digest = manifest.hash
    if manifest.isolation == "process" and not own_process:
        why = "has compiled extensions and" if manifest.native else ""
        raise SourceConflict(f"{manifest.name} {manifest.version} {why} needs processes of its own".replace("  ", " "))
    oldest = tuple(int(part) for part in manifest.python.split("."))
    if sys.version_info[:2] < oldest:
        raise SourceConflict(f"{manifest.name} {manifest.version} needs Python {manifest.python} or newer")
    with _lock:
        name = f"h{digest[:DIGITS]}"
        found = _loaded.get(name)
        if found is not None:
            if found.hash != digest:
                raise SourceConflict(f"the sources {found.hash} and {digest} begin alike")
            return found
        living = [each for each in survivors.get(name, ()) if each() is not None]
        if living:
            raise SourceConflict(
                f"{len(living)} pieces of an earlier copy of the source {digest[:8]} still live in this process",
                hint="garrick.sources.unload tells what keeps them; a new process can load it",
            )
        survivors.pop(name, None)
        importlib.import_module(PACKAGE)  # installs the hook
        loaded = _loaded[name] = Loaded(digest, storage, cache or CodeCache(None))
        return loaded


def attach(store: Store) -> None:
    """Let this process load sources of a store when their names come up, as in a pickle."""
    with _lock:
        if all(each.directory != store.directory for each in _stores):
            _stores.append(store)


def detach(store: Store) -> None:
    """Undo `attach`."""
    with _lock:
        _stores[:] = [each for each in _stores if each.directory != store.directory]


def wanted(name: str) -> Loaded:
    """The source of a prefix: it is loaded, or a store that was attached has it, or the one of the user.

    Args:
        name: ``h`` and 16 digits.

    Raises:
        SourceMissing: nobody has it.
    """
    with _lock:
        if name in _loaded:
            return _loaded[name]
        stores = [*_stores, Store()] if default_directory().is_dir() else list(_stores)
    for store in stores:
        try:
            digest = store.find(name[1:])
        except SourceMissing:
            continue
        return load(store.open(digest), store.cache)
    raise SourceMissing(f"the source {name[1:]} is not on this host", name=f"{PACKAGE}.{name}")


def all_loaded() -> list[Loaded]:
    """All sources of this process."""
    with _lock:
        return list(_loaded.values())


def forget(loaded: Loaded) -> None:
    """Take a source out of the table; the rest of unloading is in `garrick.sources.unload`."""
    with _lock:
        _loaded.pop(loaded.name, None)


def folder_of(root: str) -> Loaded | None:
    """The loaded source whose files are at or below this path."""
    for loaded in tuple(_loaded.values()):
        if root == loaded.storage.root or root.startswith(loaded.storage.root + "/"):
            return loaded
    return None


__all__ = ["Folder", "Loaded", "all_loaded", "attach", "detach", "forget", "load", "wanted"]
