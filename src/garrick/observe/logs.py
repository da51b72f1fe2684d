"""Records of the log that say which actor they come from: a record factory, a filter, an adapter, and two formatters.

Owns the shape of records. Must not configure anything by itself (`garrick.observe.logsetup` does, in the processes of a system; the
logging of a program belongs to the program).
"""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any, Final

from garrick.observe.here import FIELDS, HERE, fields, step_fields

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "garrick_process"}
_process = {"system": "", "process": ""}
_installed = False
MAIN_MODULE: Final = "__garrick_main_"
"""What the name of the program's main module begins with in its workers."""
ADDRESS: Final = FIELDS[3]


def attach(record: logging.LogRecord) -> None:
    """Give a record the fields of the actor that the current thread works on, unless it has them."""
    own = record.__dict__
    if FIELDS[0] in own:
        return
    told, HERE.told = HERE.told, None
    found = told[1] if told is not None and told[0] == record.name else step_fields()
    for name in FIELDS:
        own[name] = found.get(name, "")
    own["garrick_process"] = _process["process"]
    if not found:
        own[FIELDS[0]] = _process["system"]


def install(system: str = "", process: str = "") -> None:
    """From now on every record of this process has the fields, whichever logger it comes from.

    Args:
        system: what records of no actor have as their system.
        process: this process as it should be named, e.g. ``worker 3``.
    """
    global _installed  # noqa: PLW0603 - there is one record factory per process
    _process.update(system=system, process=process)
    if _installed:
        return
    _installed = True
    make = logging.getLogRecordFactory()

    def make_with_fields(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = make(*arguments, **keywords)
        attach(record)
        if record.name.startswith(MAIN_MODULE):
            record.name = "__main__"  # as it is called in the program
        return record

    logging.setLogRecordFactory(make_with_fields)


def about(logger: logging.Logger, cell: Any, message: Any = None) -> dict[str, Any]:
    """Keyword arguments for a call of ``logger`` whose record is about this actor, whoever makes it.

    Only to be asked for when the record is sure to be made, right before it is.
    """
    found = fields(cell, message)
    if _installed:
        HERE.told = (logger.name, found)
        return {}
    return {"extra": found}


class ActorLog(logging.LoggerAdapter[logging.Logger]):
    """What `garrick.Actor.log` is: a logger whose records carry the fields of the actor, on every thread.

    Args:
        logger: that makes the records.
        cell: of the actor.
        message: that it works on; None: what the current thread or task shows.
    """

    def __init__(self, logger: logging.Logger, cell: Any, message: Any = None) -> None:
        found = step_fields() if message is None else {}
        super().__init__(logger, found if found.get(ADDRESS) == str(cell.address) else fields(cell, message))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """See logging.LoggerAdapter; what the caller gives as ``extra`` is kept."""
        if _installed:
            HERE.told = (self.logger.name, self.extra)
        else:
            kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


class ActorFilter(logging.Filter):
    """Lets every record pass, with the fields of the actor that it comes from.

    For handlers of programs that run actors inside themselves (``local``, ``sim``) and configure logging on their own. It must see the
    record on the thread that made it: put it before a QueueHandler, not behind.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        attach(record)
        return super().filter(record)


class TextFormatter(logging.Formatter):
    """One line for people: time, level, process, logger, text, and the actor unless the text names it."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None, **options: Any) -> None:
        super().__init__(fmt or "%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt, **options)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """See logging.Formatter."""
        attach(record)
        own = record.__dict__
        text = super().formatMessage(record)
        if own["garrick_address"] and own["garrick_address"] not in text:
            text += f" [{own['garrick_class']} {own['garrick_actor']}]"
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object per line, for collectors of logs.

    Keys: ``time`` (UTC, RFC 3339), ``level``, ``logger``, ``message``, ``pid``, ``thread``, ``process``; of an actor ``system``, ``actor``,
    ``class``, ``address``, ``message_type``; of an error ``exception``; and what was given as ``extra``. Empty ones are left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        import json  # late: few programs format records as JSON, and all import this module

        attach(record)
        own = record.__dict__
        system, actor, cls, address, message = (own[name] for name in FIELDS)
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "system": system,
            "actor": actor,
            "class": cls,
            "address": address,
            "message_type": message,
            "process": own.get("garrick_process"),
            "pid": record.process,
            "thread": record.threadName,
            "exception": self.formatException(record.exc_info) if record.exc_info else record.exc_text,
            "stack": self.formatStack(record.stack_info) if record.stack_info else None,
        }
        line = {key: value for key, value in line.items() if value}
        for key, value in own.items():
            if key not in _STANDARD and key not in FIELDS:
                line.setdefault(key, value)
        return json.dumps(line, default=repr)


__all__ = ["MAIN_MODULE", "ActorFilter", "ActorLog", "JsonFormatter", "TextFormatter", "about", "attach", "install"]
