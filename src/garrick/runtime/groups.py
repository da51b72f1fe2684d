"""Groups of children that restart together (``Restart(all_for_one=True)``): the parent's side.

The failed child has told its parent's runtime (`GroupFailed`), which decides by the limit of the group and tells all children
(`GroupVerdict`); each child knows by its own policy whether it belongs to the group. No code of the parent runs, so a parent that is
busy, blocked or restarting holds nobody up. Runs on the holder of the baton.

A failure that its child reported before it heard of the last verdict is settled by that verdict, which is on its way to the child:
of two members that fail at once, one restarts the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from garrick.runtime.cell import ENDED, STOPPING, Cell
from garrick.runtime.failures import Group, failures_of
from garrick.runtime.signals import GroupFailed, GroupVerdict
from garrick.supervision import Backoff, Restart
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime


def member_failed(runtime: Runtime, parent: Cell, failed: GroupFailed) -> None:
    """A child of ``parent`` failed; decide about its group."""
    children = tuple(parent.children or ())
    if parent.state in (STOPPING, ENDED) or failed.child not in children:
        return  # it is told to end, or has been reported as lost
    failures = failures_of(parent)
    if failures.group is None:
        failures.group = Group()
    group = failures.group
    if group.verdict is not None and failed.child in group.told and failed.epoch < group.verdict.epoch:
        # It gets the verdict once more: who was made again after a loss has forgotten it, and for the others a second one is nothing.
        runtime.route(failed.child, group.verdict, parent.address, SIGNAL)
        return
    policy: Restart = failed.policy
    attempt = group.intensity.allow(policy, runtime.clock.now())
    group.told = frozenset(children)
    epoch = group.verdict.epoch + 1 if group.verdict is not None else 1
    pause = delay(runtime, policy.backoff, attempt) if attempt else None
    verdict = group.verdict = GroupVerdict(epoch, pause, failed.error)
    for child in children:
        runtime.route(child, verdict, parent.address, SIGNAL)


def delay(runtime: Runtime, backoff: Backoff | None, attempt: int) -> float:
    """Seconds before restart number ``attempt``."""
    return 0.0 if backoff is None else backoff.delay(attempt, runtime.random.stream("backoff").random())
