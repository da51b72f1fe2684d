"""What the log says when a handler failed: one line for everybody, a crash report for who looks for the cause.

Owns the two texts. Must not decide anything, and is safe against user code that raises (``repr`` of messages and errors).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from garrick.observe.logs import about
from garrick.runtime.reports import describe
from garrick.supervision import Escalate, Policy, Restart, Resume, Stop

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell

log = logging.getLogger("garrick.actor")

LONGEST: Final = 300
"""Characters of a message in a crash report."""
_THEN: Final = {
    Resume: "it goes on",
    Restart: "it restarts, unless its limit is reached",
    Stop: "it ends",
    Escalate: "its parent decides",
}
CHILDREN: Final = 10
"""Children that a crash report names."""


def tell(cell: Cell, text: str, message: Any, sender: Any, error: BaseException, policy: Policy) -> None:
    """Log a failure.

    Args:
        cell: whose handler failed.
        text: class, message and error in one line.
        message: that it worked on.
        sender: of the message.
        error: what was raised.
        policy: that decides what becomes of the actor.
    """
    then = "it ends" if isinstance(error, SystemExit) else _THEN[type(policy)]
    if log.isEnabledFor(logging.WARNING):
        log.warning("%s (%s); %s (garrick explain GAR-2202)", text, cell.address, then, **about(log, cell, message))
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s", report(cell, text, message, sender, policy), exc_info=error, **about(log, cell, message))


def report(cell: Cell, text: str, message: Any, sender: Any, policy: Policy) -> str:
    """The crash report, without the traceback, which formatters add."""
    children = [f"{child} {name or ''}".rstrip() for child, name in (cell.children or {}).items()]
    more = f" and {len(children) - CHILDREN} more" if len(children) > CHILDREN else ""
    lines = (
        ("message", _short(message)),
        ("sender", sender if sender is not None else "the program"),
        ("policy", policy),
        ("restarts", cell.failures.intensity.count if cell.failures is not None else 0),
        ("children", ", ".join(children[:CHILDREN]) + more or "none"),
        ("waiting", len(cell.queue) if cell.queue is not None else 0),
    )
    return "\n".join([f"crash report of {cell.address}: {text}", *(f"  {name}: {value}" for name, value in lines)])


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except BaseException as error:  # user code, and we are on the lane
        return f"{type(value).__name__} (its repr raised {describe(error)})"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
