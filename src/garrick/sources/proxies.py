"""What a source gets for modules that look up other modules by name, or register things with the process.

Owns the stand-ins for `importlib` (with `util`, `resources`, `metadata`), `pkgutil`, `atexit` and `codecs`. Each knows one source, gives
everything else on to the real module, and is seen by that source alone.
"""

from __future__ import annotations

import atexit
import codecs
import importlib
import re
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from garrick.sources.loading import Loaded

_RESOURCES: Final = (
    "as_file",
    "contents",
    "files",
    "is_resource",
    "open_binary",
    "open_text",
    "path",
    "read_binary",
    "read_text",
)


class ModuleProxy(ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, host: ModuleType, names: dict[str, Any], proxies: Proxies) -> None:
        super().__init__(host.__name__, host.__doc__)
        for name in ("__loader__", "__package__", "__spec__"):
            del self.__dict__[name]
        self.__dict__.update(names, _host=host, _proxies=proxies)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["_host"], name)
        if isinstance(found, ModuleType):
            return self.__dict__["_proxies"].of(found.__name__) or found
        return found

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_host"])


class Proxies:
    """The stand-ins of one source; made when first imported.

    Args:
        loaded: the source.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._made: dict[str, ModuleProxy] = {}
        self._makers: dict[str, Callable[[], dict[str, Any]]] = {
            "importlib": self._importlib,
            "importlib.metadata": self._metadata,
            "importlib.resources": self._resources,
            "importlib.util": self._util,
            "pkgutil": self._pkgutil,
            "atexit": self._atexit,
            "codecs": self._codecs,
        }
        self.tops = frozenset(name.partition(".")[0] for name in self._makers)

    def of(self, name: str) -> ModuleProxy | None:
        """The stand-in for a module that is imported; None if it needs none."""
        if name not in self._makers:
            return None
        if name not in self._made:
            self._made[name] = ModuleProxy(sys.modules[name], self._makers[name](), self)
        return self._made[name]

    def _real(self, name: str) -> str:
        """The name of a module as the process knows it."""
        prefix = self._loaded.prefixes.get(name.partition(".")[0])
        return name if prefix is None else f"{prefix}.{name}"

    # --- importlib ------------------------------------------------------------------------------------------------------

    def _importlib(self) -> dict[str, Any]:
        proxies = self

        def import_module(name: str, package: str | None = None) -> ModuleType:
            """See `importlib.import_module`."""
            proxies._loaded.check()
            if name.startswith("."):
                return importlib.import_module(name, package and proxies._real(package))
            found = importlib.import_module(proxies._real(name))
            return proxies.of(name) or found

        return {"import_module": import_module}

    def _util(self) -> dict[str, Any]:
        from importlib import util

        def find_spec(name: str, package: str | None = None) -> Any:
            """See `importlib.util.find_spec`."""
            return util.find_spec(name if name.startswith(".") else self._real(name), package and self._real(package))

        return {"find_spec": find_spec}

    def _resources(self) -> dict[str, Any]:
        from importlib import resources

        def mapped(name: str) -> Callable[..., Any]:
            def function(*arguments: Any, **options: Any) -> Any:
                if arguments and isinstance(arguments[0], str):
                    arguments = (self._real(arguments[0]), *arguments[1:])
                for option in ("anchor", "package"):
                    if isinstance(options.get(option), str):
                        options[option] = self._real(options[option])
                if name == "files" and not arguments and not options and sys.version_info >= (3, 12):
                    arguments = (sys._getframe(1).f_globals["__name__"],)
                return getattr(resources, name)(*arguments, **options)

            return function

        return {name: mapped(name) for name in _RESOURCES if hasattr(resources, name)}

    def _metadata(self) -> dict[str, Any]:
        from importlib import metadata

        def distribution(distribution_name: str) -> metadata.Distribution:
            """See `importlib.metadata.distribution`."""
            own = _distribution(self._loaded, distribution_name)
            return metadata.distribution(distribution_name) if own is None else own

        return {
            "distribution": distribution,
            "version": lambda distribution_name: distribution(distribution_name).version,
            "metadata": lambda distribution_name: distribution(distribution_name).metadata,
            "requires": lambda distribution_name: distribution(distribution_name).requires,
            "files": lambda distribution_name: distribution(distribution_name).files,
        }

    # --- the others -----------------------------------------------------------------------------------------------------

    def _pkgutil(self) -> dict[str, Any]:
        import pkgutil

        def resolve_name(name: str) -> Any:
            """See `pkgutil.resolve_name`."""
            return pkgutil.resolve_name(self._real(name))

        def get_data(package: str, resource: str) -> bytes | None:
            """See `pkgutil.get_data`."""
            return pkgutil.get_data(self._real(package), resource)

        return {"get_data": get_data, "resolve_name": resolve_name}

    def _atexit(self) -> dict[str, Any]:
        exits: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

        def run() -> None:
            errors: list[Exception] = []
            while exits:
                function, arguments, options = exits.pop()
                try:
                    function(*arguments, **options)
                except Exception as error:
                    errors.append(error)
            if errors:
                raise errors[0] if len(errors) == 1 else ExceptionGroup("functions for the end of a source", errors)

        def register(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Callable[..., Any]:
            """Run the function when the source is unloaded, or at the end of the process."""
            exits.append((function, arguments, options))
            return function

        def unregister(function: Callable[..., Any]) -> None:
            """See `atexit.unregister`."""
            exits[:] = [each for each in exits if each[0] != function]

        def leave() -> None:
            atexit.unregister(run)
            run()

        atexit.register(run)
        self._loaded.leaving.append(leave)
        return {"register": register, "unregister": unregister, "_run_exitfuncs": run, "_clear": exits.clear}

    def _codecs(self) -> dict[str, Any]:
        kept = self._loaded.kept

        def register_error(name: str, handler: Callable[[UnicodeError], Any]) -> None:
            """See `codecs.register_error`. There is no way to take a handler back, so the process only refers to it weakly."""
            kept.append(handler)
            codecs.register_error(name, _weakly(handler))

        def register(search: Callable[[str], Any]) -> None:
            """See `codecs.register`."""
            codecs.register(search)
            self._loaded.leaving.append(lambda: codecs.unregister(search))

        return {"register_error": register_error, "register": register}


def _weakly(handler: Callable[[UnicodeError], Any]) -> Callable[[UnicodeError], Any]:
    living: Any = (
        weakref.WeakMethod(handler)
        if hasattr(handler, "__self__") and hasattr(handler, "__func__")
        else weakref.ref(handler)
    )

    def handle(error: UnicodeError) -> Any:
        now = living()
        if now is None:
            raise error
        return now(error)

    return handle


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(loaded: Loaded, name: str) -> Any:
    """The distribution of that name in a source, as `importlib.metadata` describes it; None if it has none."""
    from importlib.metadata import Distribution

    wanted = _normalised(name)
    index = loaded.storage.index

    class BundledDistribution(Distribution):
        """A distribution whose packages are in a source."""

        def __init__(self, folder: str) -> None:
            self._folder = folder

        def read_text(self, filename: Any) -> str | None:
            path = f"{self._folder}/{filename}"
            return loaded.storage.read(path).decode() if path in index.digests else None

        def locate_file(self, path: Any) -> Any:
            return Path(loaded.file(str(path)))

    for folder in index.folders[""]:
        base, dot, kind = folder.rpartition(".")
        if dot and kind == "dist-info" and _normalised(base.partition("-")[0]) == wanted:
            return BundledDistribution(folder)
    return None
