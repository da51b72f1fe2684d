"""Fairness under backlog: actors with many envelopes in the lane get queues of their own, and then take turns.

Owns the way from the lane into those queues; `Runtime.run_queue` takes from them, a burst at a time. Runs on the holder of the baton.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from garrick.runtime.cell import RUNNING, Cell
from garrick.runtime.mailbox import admit
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

BACKLOG = 2048
"""Envelopes in the lane from which on actors with many of them take turns."""
BURST = 64
"""Envelopes that one actor may handle from its own queue before others get their turn."""


def spread(runtime: Runtime) -> None:
    """Under backlog: actors with many envelopes in the lane get them into their own queue, so that all take turns.

    Everything else keeps its place: other threads append meanwhile, so nothing may be put back behind them.
    """
    lane, control, signal = runtime.lane, runtime.control, runtime.signal
    batch = [lane.popleft() for _ in range(len(lane))]
    counts: Counter[Cell] = Counter(envelope[0] for envelope in batch)
    hot = {cell for cell, count in counts.items() if count > BURST and cell is not control and cell.state == RUNNING}
    kept = []
    for envelope in batch:
        cell = envelope[0]
        if cell is control:
            # What belongs to a hot actor goes with its messages, or it would fall behind them.
            _, action, argument = envelope
            if action == signal and argument[0] in hot:
                cell, envelope = argument[0], (control, runtime.signal_now, argument[:2])
            elif action == runtime.arrivals.late and runtime.cells.get(argument[0].serial) in hot:
                cell = runtime.cells[argument[0].serial]
                _, kind, message, sender = argument
                if (
                    cell.mailbox is not None
                    and kind != SIGNAL
                    and not admit(runtime, cell, message, sender, at_once=False)
                ):
                    continue
                envelope = runtime.envelope(cell, kind, message, sender)
        if cell in hot:
            if cell.queue is None:
                cell.queue = deque()
            runtime.enqueue(cell, envelope)
        else:
            kept.append(envelope)
    lane.extendleft(reversed(kept))
    # What was kept is not looked at again before the lane has doubled: the work stays proportional to the messages.
    runtime.spread_at = max(BACKLOG, 2 * len(lane))
