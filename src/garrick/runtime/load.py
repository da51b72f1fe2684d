"""The load of a process, as the admin and other systems place actors by it: how many actors it has.

Every function runs on the holder of the baton.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from garrick.runtime.signals import Load
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
