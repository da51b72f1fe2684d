"""Descriptors: whether this process may open as many as taking part in a system needs, and how many processes a system may have.

A program is asked before anything is started; the admin and the workers take what the hard limit allows. Must not
know what they are for. Later shortages are told in the log, and tried again (`garrick.node.outlink`, `inlink`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from garrick.errors import SystemStartFailed

OWN = 16
"""Descriptors that a program needs to take part in any system."""
PER_PROCESS = 2
"""For each process that it talks with: one in each direction."""

RESERVED = 64
"""Descriptors of the admin that are not for processes."""
PER_MEMBER = 3
"""Descriptors that the admin keeps for each process: both directions, and one in reserve for those that come and go."""


def raise_soft_limit() -> None:
    """Allow this process what its user may allow it: descriptors add up with the processes of a system."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_processes() -> int:
    """How many processes the admin that calls this can look after."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else max(1, (limit - RESERVED) // PER_MEMBER)


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
