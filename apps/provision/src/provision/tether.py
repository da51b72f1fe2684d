"""Runs as a script between fork and exec of a host's system: ``python -I -S tether.py PARENT PROGRAM ARGUMENT...``.

Ties the system's life to the process that started it: the kernel kills it when that one ends, however it ends. Names the system's
first process the keeper of the host's servers (``provision.hostgate``), which only that process itself can know before it starts.
Done here and not between fork and exec, because running Python there is unsafe in a program that has threads. Imports nothing of
the application and starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie, check, become the program."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before the setting was in force
        sys.exit("the starting process is gone")
    os.environ["PROVISION_KEEPER"] = str(os.getpid())
    os.execv(command[0], command)  # noqa: S606 (no shell wanted)


if __name__ == "__main__":
    main()
