"""Classes of ``__main__`` in other processes: the main file of a program as a module with a private name.

Owns the name (keyed by path and content), the importer that finds such modules, and the pickling of bodies that mention
``__main__``. Invariants:

* The program itself puts its ``__main__`` into ``sys.modules`` under the private name; every other process imports the file once
  under that name, when something of it is first needed, and never sees it run as ``__main__``.
* In a worker ``__main__`` *is* the module of the system's owner (`_OwnersMain` stands in for it until it is needed), so that plain
  pickle finds the owner's classes. Others tell their private name in the header of the envelope.
* While a main file is being imported no actor system may start: that is the missing ``if __name__ == "__main__"`` guard.
"""

from __future__ import annotations

import contextvars
import hashlib
import importlib.util
import io
import json
import os
import pickle
import pickletools
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, NamedTuple

from garrick.errors import MissingMainGuard, NoSourceFile, UnpicklableMessage
from garrick.wire import codec
from garrick.wire.parcel import LARGE

PREFIX: Final = "__garrick_main_"
_importing: Final[contextvars.ContextVar[str | None]] = contextvars.ContextVar("garrick_importing", default=None)
"""Which main file this context is importing: also what asyncio starts meanwhile, on whatever thread (`asyncio.to_thread`)."""
_compiled: Final[dict[str, CodeType | None]] = {}
"""By private name; a name says what the content is."""
_dumps: Final = pickle.dumps


class Main(NamedTuple):
    """The main file of a program."""

    name: str
    """The private name; with the package in front when the program was started with ``-m``, so that relative imports work."""
    path: str


def own_main() -> Main | None:
    """The main file of this program; None if it has none (a REPL, a notebook, ``python -c``).

    From now on it is found under its private name too.
    """
    module = sys.modules.get("__main__")
    path = getattr(module, "__file__", None)
    if module is None or not path or not os.path.isfile(path):
        return None
    path = os.path.abspath(path)
    digest = hashlib.sha256(path.encode() + b"\0" + Path(path).read_bytes()).hexdigest()[:16]
    package = getattr(module, "__package__", None)
    name = f"{package}.{PREFIX}{digest}" if package else f"{PREFIX}{digest}"
    sys.modules.setdefault(name, module)
    return Main(name, path)


def publish(main: Main, directory: Path) -> None:
    """Let all processes of a system find this main file by its name."""
    target = directory / _file_name(main.name)
    if not target.exists():
        temporary = directory / f".{os.getpid()}.{threading.get_ident()}"
        temporary.write_text(json.dumps({"path": main.path}))
        temporary.replace(target)


def _file_name(name: str) -> str:
    return name.rpartition(".")[2]


class MainFinder(MetaPathFinder):
    """Finds the main files that were published in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if PREFIX not in fullname:
            return None
        try:
            found = json.loads((self.directory / _file_name(fullname)).read_text())["path"]
        except FileNotFoundError:
            return None
        return importlib.util.spec_from_file_location(fullname, found, loader=_MainLoader(fullname, found))

    def install(self) -> None:
        """Ask this finder too, from now on."""
        if not any(isinstance(f, MainFinder) and f.directory == self.directory for f in sys.meta_path):
            sys.meta_path.append(self)

    def remove(self) -> None:
        """Ask it no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _MainLoader(SourceFileLoader):
    """Runs the file with the mark set that no system may start meanwhile; leaves no compiled file beside it."""

    def exec_module(self, module: ModuleType) -> None:
        outer = _importing.set(self.path)
        try:
            super().exec_module(module)
        finally:
            _importing.reset(outer)

    def get_code(self, fullname: str) -> CodeType | None:
        """See `importlib.abc.InspectLoader`."""
        return _compiled.get(fullname) or super().get_code(fullname)

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """A main file is not compiled for keeps by Python itself either."""


def compile_ahead(name: str, directory: Path) -> None:
    """Compile a published main file, so that the processes which this one forks need not, each for itself."""
    if name not in _compiled:
        spec = MainFinder(directory).find_spec(name)
        loader = spec.loader if spec is not None else None
        try:
            code = loader.get_code(name) if isinstance(loader, _MainLoader) else None
        except (SyntaxError, ValueError, OSError):
            code = None  # whoever needs it will say so
        _compiled[name] = code


def refuse_while_importing() -> None:
    """To be called by whoever starts a system.

    Raises:
        MissingMainGuard: the caller is a main file that is being imported by a worker.
    """
    path = _importing.get()
    if path is not None:
        raise MissingMainGuard(
            f"{path} starts an actor system at its top level, where every worker that needs a class of it does so again",
            hint='put what the program does behind:  if __name__ == "__main__":',
        )


class _OwnersMain(ModuleType):
    """Stands in for ``__main__`` in a worker until something of it is needed."""

    def __init__(self, name: str) -> None:
        super().__init__("__main__")
        self.__dict__["_real"] = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") and attribute.endswith("__"):
            raise AttributeError(attribute)  # the import machinery looks for __path__, __spec__ and others
        module = importlib.import_module(self.__dict__["_real"])
        sys.modules["__main__"] = module
        return getattr(module, attribute)


def stand_in(name: str | None) -> None:
    """In a worker: ``__main__`` is the owner's main module from now on (an empty module if it has none)."""
    sys.modules["__main__"] = _OwnersMain(name) if name else ModuleType("__main__")


class Bodies:
    """Pickles bodies, with care for what belongs to ``__main__``.

    Args:
        own: the main of this process; None if it has no file.
        owner: the private name of the main of the system's owner; None if it has none.
        program: whether this process runs a program of its own (a client), and not the owner's (a worker).
    """

    def __init__(self, own: Main | None, owner: str | None, *, program: bool) -> None:
        self._own = own.name if own else None
        self.careful = program and (own is None or own.name != owner)

    def dumps(
        self, message: object, *, foreign: bool, apart: list[pickle.PickleBuffer] | None = None
    ) -> tuple[bytes, str | None]:
        """The body, and the main that its reader must know. Large buffers are put into ``apart``, if it is given.

        Raises:
            UnpicklableMessage: see `garrick.wire.codec.dumps`.
            NoSourceFile: it mentions ``__main__``, which has no file, and cloudpickle is not installed.
        """
        try:
            callback = None if apart is None else codec.set_apart(LARGE, apart)
            body = _dumps(message, codec.PROTOCOL, buffer_callback=callback)
        except Exception:
            if apart:
                apart.clear()
            return self._dumps_with_care(message), None
        if not (self.careful or foreign) or not codec.mentions_main(body):
            return body, None
        return self._tell_main(message, body, apart)

    @staticmethod
    def _dumps_with_care(message: object) -> bytes:
        try:
            return codec.dumps(message)
        except UnpicklableMessage:
            # A class that came here by value can't be found by name; it has to travel on as it came.
            by_value = _by_value(message) if "cloudpickle" in sys.modules else None
            if by_value is None:
                raise
            return by_value

    def _tell_main(
        self, message: object, body: bytes, apart: list[pickle.PickleBuffer] | None
    ) -> tuple[bytes, str | None]:
        if self._own is not None:
            return body, self._own
        if not _names_main(body):
            return body, None
        by_value = _by_value(message)
        if by_value is None:
            raise NoSourceFile(
                "a class or function of __main__ has to reach another process, but the main program has no file",
                hint="put it into a module, or install cloudpickle (pip install 'garrick[notebook]')",
            )
        if apart:
            apart.clear()  # they are in there
        return by_value, None


def _by_value(message: object) -> bytes | None:
    try:
        import cloudpickle
    except ImportError:
        return None
    buffer = io.BytesIO()
    try:
        cloudpickle.Pickler(buffer, protocol=codec.PROTOCOL).dump(message)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return buffer.getvalue()


def _names_main(body: bytes) -> bool:
    """Whether something in the body is looked up in ``__main__``; a text of a user that contains the word does not count."""
    pushed: list[Any] = [None, None]
    memo: list[Any] = []
    for operation, argument, _ in pickletools.genops(body):
        if operation.name == "MEMOIZE":
            memo.append(pushed[-1])
        elif operation.name == "STACK_GLOBAL":
            if pushed[-2] == codec.MAIN:
                return True
            pushed.append(None)
        elif isinstance(argument, int) and operation.name in {"BINGET", "LONG_BINGET"}:
            pushed.append(memo[argument])
        else:
            pushed.append(argument if isinstance(argument, str) else None)
    return False
