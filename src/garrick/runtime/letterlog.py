"""What the log says about dead letters: the first of each kind and minute with cause and advice, the rest counted.

Owns the kinds (class of the target, type of the message, reason) and when one is told again. Must not know where letters come from.
A flood of dead letters costs a look into a table each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from garrick.observe.letters import REASONS
from garrick.observe.logs import about

if TYPE_CHECKING:
    from garrick.messages import DeadLetter
    from garrick.ports import Clock

log = logging.getLogger("garrick.deadletter")

EVERY: Final = 60.0
"""Seconds between two lines about the same kind."""
KINDS: Final = 1000
"""Kinds that are remembered; with more, the oldest are forgotten and may be told early."""


class LetterLog:
    """See the module.

    Args:
        clock: tells the minute.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, type, str], list[float]] = {}

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no type of messages for which this is true."""
        for kind in [kind for kind in self._kinds if gone(kind[1])]:
            self._kinds.pop(kind, None)

    def note(self, letter: DeadLetter, *, quiet: bool) -> None:
        """Tell of a letter, or count it.

        Args:
            letter: the new one.
            quiet: dead letters are expected now, since the system ends.
        """
        if quiet:
            log.debug("dead letter (%s): %s to %s", letter.reason, type(letter.message).__name__, letter.target)
            return
        cell = letter.target._cell
        cls = _class_name(cell)
        kind = (cls, type(letter.message), letter.reason)
        now = self._clock.now()
        known = self._kinds.get(kind)
        if known is not None and now - known[0] < EVERY:
            known[1] += 1
            return
        if known is None and len(self._kinds) >= KINDS:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[kind] = [now, 0]
        if not log.isEnabledFor(logging.WARNING):
            return
        cause, advice = REASONS.get(letter.reason, ("see the reason", "garrick explain GAR-1301"))
        log.warning(
            "dead letter (%s): %s to %s%s from %s: %s; hint: %s (garrick explain GAR-1301)%s",
            letter.reason,
            type(letter.message).__name__,
            f"{cls} " if cls else "",
            letter.target,
            letter.sender or "the program",
            cause,
            advice,
            f"; {known[1]:.0f} more like it in the last {now - known[0]:.0f} s"
            if known is not None and known[1]
            else "",
            **(about(log, cell, letter.message) if cls else {}),
        )


def _class_name(cell: Any) -> str:
    if cell is None or cell.spec.actor_class is None:
        return ""
    cls = cell.spec.actor_class
    return cls if isinstance(cls, str) else str(cls.__qualname__)
