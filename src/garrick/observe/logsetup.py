"""The log of the processes of a system: configured once, from what the program gave, and flushed at their end.

Owns how a ``dictConfig`` dictionary travels, and what a process does without one: every record of the program's root level or above goes
to the standard error output, which is the program's own. Must not touch the logging of a program, except where actors live in it and
it gave a configuration.
"""

from __future__ import annotations

import io
import logging
import pickle
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from garrick.errors import BadLogging
from garrick.observe import logs

CLOSE_SECONDS: Final = 1.0
"""How long the handlers of an ending process may take to write what they hold."""


def pack(config: Mapping[str, Any] | None) -> bytes | None:
    """The configuration as it travels to the processes of a system; they read it after they were forked, each for itself.

    Raises:
        BadLogging: it can't leave this process, or would do harm where several processes follow it.
    """
    if config is None:
        return None
    plain = _checked(config)
    for name, handler in _handlers(plain):
        if str(handler.get("mode", "a")).startswith("w") and "filename" in handler:
            raise BadLogging(
                f"handler {name!r} opens {handler['filename']!r} with mode {handler['mode']!r}, and so would every process",
                hint="leave mode out: processes append whole lines to one file",
            )
    buffer = io.BytesIO()
    try:
        _Pickler(buffer).dump(plain)
    except BadLogging:
        raise
    except Exception as error:  # whatever objects of users raise
        raise BadLogging(
            f"logging= can't leave this process: {type(error).__name__}: {error}",
            hint='name classes by text ("package.module.Class") and streams as "ext://sys.stderr"',
        ) from error
    return buffer.getvalue()


def begin(packed: bytes | None, level: int, system: str, process: str) -> BadLogging | None:
    """Configure this process of a system; it has no logging yet. A configuration that fails here is replaced by the default.

    Args:
        packed: see `pack`; None: the default.
        level: of the default, the level of the program's root logger.
        system: for records that belong to no actor.
        process: how this process is named in records.

    Returns:
        What was wrong with the configuration.
    """
    logs.install(system, process)
    refused = None
    if packed is not None:
        try:
            _apply(pickle.loads(packed))
            return None
        except Exception as error:  # the classes in it are the user's
            refused = _refused(error)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logs.TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _give_way(root, handler)
    root.setLevel(level)
    logging.getLogger("garrick.audit").setLevel(
        logging.INFO
    )  # who did what to a running system is for everybody to see
    return refused


def _give_way(root: logging.Logger, default: logging.Handler) -> None:
    """Let a ``basicConfig`` of the program's modules, which workers import, win over the default: it sees a handler and does nothing."""
    configure = logging.basicConfig

    def basic_config(**keywords: Any) -> None:
        root.removeHandler(default)
        configure(**keywords)

    logging.basicConfig = basic_config


def program_level() -> int:
    """The level of the program's root logger, which processes without a configuration take over."""
    return logging.getLogger().level or logging.WARNING


def use_here(config: Mapping[str, Any], system: str) -> None:
    """Configure the calling program, for a system whose actors live in it.

    Raises:
        BadLogging: ``dictConfig`` refuses it.
    """
    plain = _checked(config)
    try:
        _apply(plain)
    except Exception as error:
        raise _refused(error) from error
    logs.install(system)


def end() -> None:
    """Flush and close all handlers; an ending process does not wait for a handler that hangs."""
    closing = threading.Thread(target=logging.shutdown, name="garrick-log-end", daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


def thread_failed(arguments: Any) -> None:
    """A `threading.excepthook` for processes of a system: a user's thread ended with an exception."""
    if arguments.exc_type is SystemExit:
        return
    name = arguments.thread.name if arguments.thread is not None else "?"
    logging.getLogger("garrick").error(
        "exception in thread %s", name, exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    )


def _checked(config: Any) -> dict[str, Any]:
    if not isinstance(config, Mapping):
        raise BadLogging(f"logging= takes a dictionary for logging.config.dictConfig, not {type(config).__name__}")
    return {"disable_existing_loggers": False, **_streams_by_name(dict(config))}


def _apply(config: dict[str, Any]) -> None:
    import logging.config  # late: it is large, and few programs configure

    logging.config.dictConfig(config)


def _refused(error: BaseException) -> BadLogging:
    text = str(error) or type(error).__name__
    cause = error.__cause__
    while cause is not None:
        text += f": {type(cause).__name__}: {cause}"
        cause = cause.__cause__
    return BadLogging(f"logging= can't be used: {text}")


def _handlers(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    handlers = config.get("handlers")
    found = handlers.items() if isinstance(handlers, Mapping) else ()
    return [(str(name), handler) for name, handler in found if isinstance(handler, Mapping)]


def _streams_by_name(value: Any) -> Any:
    """The standard streams of this process are not those of others: name them, as dictConfig can."""
    if isinstance(value, Mapping):
        return {key: _streams_by_name(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_streams_by_name(item) for item in value]
    for name in ("stdout", "stderr"):
        if value is not None and (value is getattr(sys, name) or value is getattr(sys, f"__{name}__")):
            return f"ext://sys.{name}"
    return value


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Refuse what only the program's main module has: the admin does not import it."""
        owner = obj if isinstance(obj, type) or callable(obj) else type(obj)
        if getattr(owner, "__module__", "") == "__main__":
            raise BadLogging(
                f"logging= holds {getattr(owner, '__qualname__', owner)!r}, which is defined in the program's main file",
                hint="move it into a module, which all processes can import",
            )
        return NotImplemented
