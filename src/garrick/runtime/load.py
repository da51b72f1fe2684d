"""What a process reports to its admin by itself, at most once a second and only what has changed.

That is how many actors it has, the load that actors are placed by, and how many dead letters, so that their number outlives the process.

Every function runs on the holder of the baton.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from garrick.runtime.signals import DeadLetterNote, Load
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

LOAD_SECONDS = 1.0
"""How long changes of the number of actors are gathered before the admin is told."""


def report_load(runtime: Runtime) -> None:
    """The number of actors changes: tell the admin soon, for placement."""
    if not runtime.hosts_actors or runtime.ending:
        return
    runtime.load_due = True

    def tell() -> None:
        runtime.load_due = False
        if not runtime.ending:
            runtime.route(runtime.admin, Load(len(runtime.cells)), runtime.address, SIGNAL)

    runtime.timers.arm(runtime.clock.now() + LOAD_SECONDS, tell)


def report_letters(runtime: Runtime) -> None:
    """A message has died: tell the admin how many there were soon, unless a report is due anyway."""

    def tell() -> None:
        runtime.letters_due = False
        if not runtime.ending:
            counts = dict(runtime.dead_letter_count)
            runtime.route(runtime.admin, DeadLetterNote(sum(counts.values()), counts, []), runtime.address, SIGNAL)

    runtime.timers.arm(runtime.clock.now() + LOAD_SECONDS, tell)
