"""Whether this process may open as many descriptors as taking part in a system needs; asked before anything is started.

Must not know what they are for. Later shortages are told in the log, and tried again (`garrick.node.outlink`, `inlink`).
"""

from __future__ import annotations

import os
import resource

from garrick.errors import SystemStartFailed

OWN = 16
"""Descriptors that a program needs to take part in any system."""
PER_PROCESS = 2
"""For each process that it talks with: one in each direction."""


def check_descriptors(processes: int) -> None:
    """Refuse at once what would hang or fail somewhere in the middle.

    Args:
        processes: that this one will talk with.

    Raises:
        SystemStartFailed: the limit is too low.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OWN + PER_PROCESS * processes
    if limit == resource.RLIM_INFINITY or limit >= 1024 + needed:
        return  # not worth counting
    try:
        used = len(os.listdir("/proc/self/fd"))
    except OSError:
        used = 3
    if limit - used < needed:
        raise SystemStartFailed(
            f"this program may open {limit} files and has {used} open; to take part in a system of {processes} processes"
            f" it needs {needed} more",
            hint="raise the limit (`ulimit -n 4096`, `LimitNOFILE=` in a systemd unit; garrick explain GAR-3101)",
        )
