"""What is measured: the contestants, the workloads with their sizes, and the budgets they are held against.

Owns: names, sizes and the sentence that says what one operation is. Pure data; it starts nothing.
Invariant: in one workload every contestant does the same work per operation. The number of operations may differ,
since a run has to be long enough to time and short enough to repeat; where a library has a shape in which it is faster
(the batch of a flood), it gets that shape.
"""

from __future__ import annotations

from benchmarks.catalogue import across, asks, beside, bulk, local, many, savina, starting, waits
from benchmarks.catalogue.budgets import BUDGETS
from benchmarks.catalogue.contestants import CONTESTANTS
from benchmarks.catalogue.model import Budget, Contestant, Size, Unit, Workload

__all__ = ["BUDGETS", "CONTESTANTS", "WORKLOADS", "Budget", "Contestant", "Size", "Unit", "Workload", "ours"]

MODULES = (local, asks, waits, many, across, bulk, beside, savina, starting)
WORKLOADS = {workload.key: workload for module in MODULES for workload in module.WORKLOADS}


def ours(workload: Workload) -> str:
    """The contestant of a workload that is Garrick."""
    return next(key for key in workload.sizes if CONTESTANTS[key].ours)
