"""How `import` finds modules of sources: one path hook, and finders and loaders behind it.

Owns what the import system calls. Modules of sources have real names, so the standard path finder does the searching; imports of anything
else never get here (there is no entry in `sys.meta_path`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import decode_source
from types import CodeType, ModuleType
from typing import Any, Final

from garrick.sources import loading
from garrick.sources.loading import Loaded

ROOT: Final = "/@garrick.loaded"
"""The path of the package `garrick.loaded`; nothing is there."""
_NAME: Final = re.compile(r"h[0-9a-f]{16}\Z")


def install() -> None:
    """Let `import` find sources."""
    if hook not in sys.path_hooks:
        sys.path_hooks.insert(0, hook)  # before the one for folders, which would take an unpacked source for its own
        sys.path_importer_cache.pop(ROOT, None)


def hook(path: str) -> Any:
    """The finder of a path, if it is one of ours. Called once for each new path."""
    if path == ROOT:
        return RootFinder()
    loaded = loading.folder_of(path)
    if loaded is None:
        raise ImportError(path)
    return BundleFinder(loaded, path[len(loaded.storage.root) + 1 :])


class RootFinder:
    """Finds sources in `garrick.loaded`."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.PathEntryFinder`."""
        name = fullname.rpartition(".")[2]
        if not _NAME.match(name):
            return None
        return _spec(fullname, loading.wanted(name), None, "", package=True)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """See `pkgutil.iter_modules`."""
        return iter([(prefix + loaded.name, True) for loaded in loading.all_loaded()])


class BundleFinder:
    """Finds modules in one folder of a source."""

    def __init__(self, loaded: Loaded, folder: str) -> None:
        self._loaded = loaded
        self._folder = folder

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.PathEntryFinder`."""
        name = fullname.rpartition(".")[2]
        base = f"{self._folder}/{name}" if self._folder else name
        found = self._loaded.storage.index.find(self._folder, name)
        if found is None or found[0] is None:
            native = self._native(fullname, base)
            if native is not None:
                return native
        if found is None:
            return None
        path, package = found
        return _spec(fullname, self._loaded, path, base, package=package)

    def _native(self, fullname: str, base: str) -> ModuleSpec | None:
        for suffix in EXTENSION_SUFFIXES:
            if base + suffix in self._loaded.storage.index.digests:
                file = self._loaded.file(base + suffix)
                spec = ModuleSpec(fullname, ExtensionFileLoader(fullname, file), origin=file)
                spec.has_location = True
                return spec
        return None

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """See `pkgutil.iter_modules`."""
        found = self._loaded.storage.index.modules(self._folder)
        return iter([(prefix + name, package) for name, package in sorted(found.items())])


def _spec(fullname: str, loaded: Loaded, path: str | None, folder: str, *, package: bool) -> ModuleSpec:
    loader = BundleLoader(loaded, fullname, path, folder, package=package)
    spec = ModuleSpec(fullname, loader, origin=None if path is None else loaded.file(path), is_package=package)  # type: ignore[arg-type]
    spec.has_location = path is not None
    spec.cached = None
    if package:
        spec.submodule_search_locations = [loaded.file(folder)]
    return spec


class BundleLoader:
    """Runs one module of a source, and gives out its files.

    Args:
        loaded: the source.
        name: of the module.
        path: of its file in the source; None for a folder without one.
        folder: in which its submodules are.
        package: whether it has submodules.
    """

    def __init__(self, loaded: Loaded, name: str, path: str | None, folder: str, *, package: bool) -> None:
        self.loaded = loaded
        self.name = name
        self._path = path
        self._folder = folder
        self._package = package

    # --- running --------------------------------------------------------------------------------------------------------

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `importlib.abc.Loader`."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        self.loaded.check()
        module.__dict__["__builtins__"] = self.loaded.builtins
        code = self.get_code(self.name)
        if code is not None:
            exec(code, module.__dict__)  # noqa: S102 - that is what importing is

    # --- looking --------------------------------------------------------------------------------------------------------

    def get_code(self, fullname: str) -> CodeType | None:
        """See `importlib.abc.InspectLoader`."""
        return None if self._path is None else self.loaded.code(self._path)

    def get_source(self, fullname: str) -> str | None:
        """See `importlib.abc.InspectLoader`."""
        try:
            return None if self._path is None else decode_source(self.loaded.storage.read(self._path))
        except (OSError, UnicodeDecodeError, SyntaxError) as error:
            raise ImportError(f"the source of {fullname} can't be read", name=fullname) from error

    def is_package(self, fullname: str) -> bool:
        """See `importlib.abc.InspectLoader`."""
        return self._package

    def get_filename(self, fullname: str | None = None) -> str:
        """See `importlib.abc.ExecutionLoader`."""
        if self._path is None:
            raise ImportError(f"{self.name} has no file", name=self.name)
        return self.loaded.file(self._path)

    def get_data(self, path: str) -> bytes:
        """The content of a file of the source, by its absolute name. See `importlib.abc.ResourceLoader`."""
        root = self.loaded.storage.root + "/"
        if not path.startswith(root):
            raise OSError(f"{path} is not in the source")
        return self.loaded.storage.read(path[len(root) :])

    def get_resource_reader(self, fullname: str) -> Reader | None:
        """See `importlib.resources`."""
        return Reader(self.loaded, self._folder) if self._package else None


class Reader:
    """What `importlib.resources` reads the files of a package with."""

    def __init__(self, loaded: Loaded, folder: str) -> None:
        self._loaded = loaded
        self._folder = folder

    def files(self) -> Any:
        """See `importlib.resources.abc.TraversableResources`."""
        return self._loaded.storage.resource(self._folder)

    def open_resource(self, resource: str) -> Any:
        """See `importlib.resources.abc.ResourceReader`."""
        return self.files().joinpath(resource).open("rb")

    def resource_path(self, resource: str) -> Any:
        """See `importlib.resources.abc.ResourceReader`: files in memory have none."""
        raise FileNotFoundError(resource)

    def is_resource(self, path: str) -> bool:
        """See `importlib.resources.abc.ResourceReader`."""
        return bool(self.files().joinpath(path).is_file())

    def contents(self) -> Sequence[str]:
        """See `importlib.resources.abc.ResourceReader`."""
        return [each.name for each in self.files().iterdir()]
