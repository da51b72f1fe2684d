"""Epochs of directories: which of two is the later one.

Owns their text. A directory that holds a lease has an epoch ``term/system``, and those are ordered; one that is the only one that there can
be has just the system's id, and any other epoch is simply another one. Sans-IO.
"""

from __future__ import annotations

__all__ = ["is_older", "leased", "system_of", "term_of"]


def leased(term: int, system: str) -> str:
    """The epoch of the directory that this system is under this term."""
    return f"{term}/{system}"


def is_older(epoch: str, than: str) -> bool:
    """Whether the one was given before the other, for certain."""
    one, other = _order(epoch), _order(than)
    return one is not None and other is not None and one < other


def term_of(epoch: str) -> int:
    """0: it has none."""
    order = _order(epoch)
    return 0 if order is None else order[0]


def system_of(epoch: str) -> str:
    """The directory of that epoch."""
    return epoch.rpartition("/")[2]


def _order(epoch: str) -> tuple[int, str] | None:
    term, slash, system = epoch.partition("/")
    return (int(term), system) if slash and term.isdigit() else None
