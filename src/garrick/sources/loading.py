"""Sources that are loaded in this process, by the prefix of their modules.

Owns the table of them, which is one for the process because `sys.modules` is. Invariants:

* A prefix carries 16 of the 64 digits of a hash. A second source with the same prefix is refused.
* A source whose code outlived its unloading is not loaded again while any of that code lives: there would be two copies of each class.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any, Final

from garrick.errors import BadActorClass, SourceConflict, SourceMissing
from garrick.sources.codecache import CodeCache
from garrick.sources.manifest import Manifest
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

_holders: Final[dict[str, weakref.WeakSet[Any]]] = {}
"""By hash: the runtimes of systems that have the source."""
retired: Final[set[str]] = set()
"""Sources that were taken out of the process, by the last part of the prefix: they do not come back by themselves."""


class Loaded:
    """One source in this process.

    Attributes:
        hash: its identity.
        prefix: what the names of its modules begin with: ``garrick.loaded.h<16 digits>``.
        storage: its files.
        builtins: what its modules have as ``__builtins__``: a copy in which ``__import__`` knows the source.
        gone: whether it was unloaded.
        leaving: what is done when it is unloaded, last first.
        uses: other sources by their top-level names, which mean those in it.
        prefixes: of all top-level names that it has or uses.
    """

    def __init__(self, digest: str, storage: Storage, cache: CodeCache, uses: Mapping[str, Loaded]) -> None:
        from garrick.sources.mapping import make_import

        self.hash = digest
        self.name = f"h{digest[:DIGITS]}"
        self.prefix = f"{PACKAGE}.{self.name}"
        self.storage = storage
        self.uses = dict(uses)
        self.prefixes = dict.fromkeys(storage.index.tops, self.prefix)
        self.prefixes.update((top, used.prefix) for top, used in uses.items())
        self.builtins: dict[str, Any] = dict(vars(builtins))
        self.builtins["__import__"] = make_import(self)
        self.gone = False
        self.leaving: list[Callable[[], object]] = []
        self.kept: list[Any] = []
        """What registries of the process refer to weakly, and what must live as long as the source does."""
        self.held: list[Loaded] = []
        """The sources that it uses, once each."""
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
        if any(each() is not None for each in survivors.get(name, ())):
            gc.collect()  # what kept it may have let go, and only circles be left
        living = [each for each in survivors.get(name, ()) if each() is not None]
        if living:
            raise SourceConflict(
                f"{len(living)} pieces of an earlier copy of the source {digest[:8]} still live in this process",
                hint="garrick.sources.unload tells what keeps them; a new process can load it",
            )
        survivors.pop(name, None)
        retired.discard(name)
        importlib.import_module(PACKAGE)  # installs the hook
        uses = {top: _used(manifest, top, other) for top, other in manifest.uses}
        loaded = _loaded[name] = Loaded(digest, storage, cache or CodeCache(None), uses)
        for used in {id(each): each for each in uses.values()}.values():
            used.acquire()
            loaded.held.append(used)
        return loaded


def _used(manifest: Manifest, top: str, digest: str) -> Loaded:
    """Another source, of which a source uses a top-level name."""
    used = wanted(f"h{digest[:DIGITS]}")
    if used.hash != digest or top not in used.storage.index.tops:
        raise SourceConflict(f"{manifest.name} {manifest.version} uses {top!r} of {digest[:8]}, where it is not")
    return used


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
        if name in retired:
            raise SourceMissing(f"the source {name[1:]} was unloaded here", name=f"{PACKAGE}.{name}", retired=True)
    for store in stores():
        try:
            digest = store.find(name[1:])
        except SourceMissing:
            continue
        return load(store.open(digest), store.cache)
    raise SourceMissing(f"the source {name[1:]} is not on this host", name=f"{PACKAGE}.{name}")


def hold(digest: str, holder: object) -> None:
    """A system of this process has the source from now on, as long as ``holder`` lives."""
    with _lock:
        retired.discard(f"h{digest[:DIGITS]}")
        _holders.setdefault(digest, weakref.WeakSet()).add(holder)


def let_go(digest: str, holder: object) -> bool:
    """Undo `hold`; whether another system of this process has it still."""
    with _lock:
        holders = _holders.get(digest)
        if holders is None:
            return False
        holders.discard(holder)
        if not holders:
            del _holders[digest]
        return bool(holders)


def loaded(digest: str) -> Loaded | None:
    """The source of this hash, if the process has it."""
    with _lock:
        found = _loaded.get(f"h{digest[:DIGITS]}")
    return found if found is not None and found.hash == digest else None


def class_of(source: Loaded, name: Any) -> Any:
    """A class of a source.

    Args:
        source: whose.
        name: as the bundle calls it: ``bank.tellers.Teller``.

    Raises:
        BadActorClass: there is none, or this is no name.
    """
    manifest = source.storage.manifest
    what = f"{manifest.name} {manifest.version}"
    if not isinstance(name, str):
        raise BadActorClass(f"{name!r} is a class, and of a source it takes the name", hint='"package.module.Class"')
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(source.import_module(module), attribute) if module else None
    except (AttributeError, ModuleNotFoundError) as error:
        raise BadActorClass(f"{what} has no {name}: {error}") from error
    if not isinstance(found, type):
        raise BadActorClass(f"{name} of {what} is no class")
    return found


def stores() -> list[Store]:
    """Where this process looks for sources: what was attached, and the store of the user, if there is one."""
    with _lock:
        return [*_stores, Store()] if default_directory().is_dir() else list(_stores)


def all_loaded() -> list[Loaded]:
    """All sources of this process."""
    with _lock:
        return list(_loaded.values())


def forget(loaded: Loaded) -> None:
    """Take a source out of the table; the rest of unloading is in `garrick.sources.unload`."""
    with _lock:
        if _loaded.pop(loaded.name, None) is not None:
            while loaded.held:
                loaded.held.pop().release()


def folder_of(root: str) -> Loaded | None:
    """The loaded source whose files are at or below this path."""
    for loaded in tuple(_loaded.values()):
        if root == loaded.storage.root or root.startswith(loaded.storage.root + "/"):
            return loaded
    return None


__all__ = ["Folder", "Loaded", "all_loaded", "attach", "detach", "forget", "load", "wanted"]
