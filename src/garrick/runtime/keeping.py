"""Actors that are to be made again when their process dies: what their process tells the admin of them.

Owns when they are known there: from their first message on, and until their end begins. Runs on the holder of the baton. Costs nothing
where no process can be lost (`Runtime.seal` is None), and one comparison per start and end of any other actor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from garrick.errors import GarrickError
from garrick.runtime.cell import Cell
from garrick.runtime.signals import Forget, Keep, Spawn
from garrick.supervision import outliving
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime


def keep(runtime: Runtime, cell: Cell) -> GarrickError | None:
    """The actor runs: let the admin know how to make it again, if it wants that; what stands in the way."""
    if runtime.seal is None or cell.spec.supervision is None:
        return None
    policy = outliving(cell.spec.supervision)
    if policy is None:
        return None
    try:
        spawn = runtime.seal(cell.address, Spawn(cell.spec, cell.parent), cell.parent, SIGNAL)
    except GarrickError as error:
        return error
    dedicated = cell.spec.isolation == "process"
    message = Keep(cell.address, cell.parent, dedicated, policy.max, policy.within, spawn)
    runtime.route(runtime.admin, message, runtime.address, SIGNAL)
    return None


def forget(runtime: Runtime, cell: Cell) -> None:
    """The end of the actor begins: what dies while it is stopped must not come back."""
    if runtime.seal is not None and cell.spec.supervision is not None and outliving(cell.spec.supervision):
        runtime.route(runtime.admin, Forget(cell.address), runtime.address, SIGNAL)
