"""The admin of a system: every decision of it, as a machine without input and output.

``AdminMachine`` gets inputs and returns effects; whoever holds it (the admin process, the calling process of base ``local``, the
simulator) executes them. Interface::

    machine = AdminMachine(system, capabilities=..., detached=False, now=clock.now(), pulse=False)
    machine.start(workers, now)                        # StartProcess for workers 1..n
    machine.allot(role, now)                             # a number for a client that attaches (or the one process of ``local``)
    machine.process_joined(number, role, now, pid=None, owner=False)
    machine.process_died(number, detail, now, expected=False)
    machine.handle(message, sender, now, target=None)  # an envelope to process 0; give its target when serial != 0
    machine.undeliverable(target, sender, reason, now, text="")
    machine.alive(number)  why_gone(number)  info()  moved  # for the edge's routing
    machine.bounced(signal, target, reason, now)       # a signal of an admin that could not be delivered
    machine.status_wanted(token, now)                  # -> Answer(token, dict), perhaps only after a later input
    machine.system_joined(info, now)  system_changed(info, now)  system_left(system, now)  system_lost(system, detail, now)
    machine.names_replied(reply, now)                  # the convention's authority over names has answered an AskNames
    machine.shutdown(grace, now, reason="stopped")
    machine.tick(now)                                  # whenever now >= machine.deadline (None: nothing to wait for)

All but ``allot`` return a list of effects. ``now`` is monotonic seconds of one clock.
"""

from __future__ import annotations

from garrick.node.admin.effects import (
    Announce,
    Answer,
    AskNames,
    Deliver,
    Effect,
    EndSystem,
    KillProcess,
    Report,
    Send,
    StartProcess,
)
from garrick.node.admin.machine import AdminMachine

__all__ = [
    "AdminMachine",
    "Announce",
    "Answer",
    "AskNames",
    "Deliver",
    "Effect",
    "EndSystem",
    "KillProcess",
    "Report",
    "Send",
    "StartProcess",
]
