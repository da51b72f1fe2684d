"""Logging: the definitions that a program gives with its system.

Owns their application. ``simpleSystemBase`` applies them in the program itself; on the other bases each actor's process applies them to
itself, once. Records carry ``actorAddress`` there.
"""

from __future__ import annotations

import logging
from typing import Any

_configured = False

SIMPLE: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)-7s => %(message)s  [%(filename)s:%(lineno)s]"},
        "actor": {"format": "%(asctime)s %(levelname)-7s %(actorAddress)s => %(message)s  [%(filename)s:%(lineno)s]"},
    },
    "filters": {
        "isActorLog": {"()": "thespian._logging.OfActors", "actors": True},
        "notActorLog": {"()": "thespian._logging.OfActors", "actors": False},
    },
    "handlers": {
        "plain": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["notActorLog"],
            "level": "INFO",
        },
        "actor": {
            "class": "logging.StreamHandler",
            "formatter": "actor",
            "filters": ["isActorLog"],
            "level": "INFO",
        },
    },
    "loggers": {"garrick": {"level": "WARNING"}},
    "root": {"handlers": ["plain", "actor"], "level": "INFO"},
}
"""What ``simpleSystemBase`` uses when the program gives nothing."""


class OfActors(logging.Filter):
    """Lets records pass that have an ``actorAddress``, or those that have none."""

    def __init__(self, actors: bool) -> None:
        super().__init__()
        self.actors = actors

    def filter(self, record: logging.LogRecord) -> bool:
        """See Filter."""
        return hasattr(record, "actorAddress") is self.actors


class _Addressed(logging.Filter):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def filter(self, record: logging.LogRecord) -> bool:
        record.actorAddress = str(getattr(record, "actorAddress", self.address))
        return True


def _apply(definitions: dict[str, Any]) -> None:
    import logging.config  # late: loads much, and most processes of actors don't need it

    logging.config.dictConfig(definitions)


def configure(definitions: Any, address: str | None) -> None:
    """Apply a program's definitions.

    Args:
        definitions: a dict for `logging.config.dictConfig`; None: the base's default; False: nothing is changed.
        address: of the actor whose process this is; None: the program itself.
    """
    global _configured  # noqa: PLW0603 - there is one logging module in a process
    if definitions is False:
        return
    if address is None:
        _apply(SIMPLE if definitions is None else definitions)
        return
    if _configured:
        return
    _configured = True
    if definitions is None:
        logging.basicConfig(level=logging.WARNING)
    else:
        _apply(definitions)
    of_here = _Addressed(address)
    loggers = [logging.root, *(x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.filters.insert(0, of_here)  # before the filters of the program, which ask for the address
