"""Runs as a script between fork and exec of the server: ties the server's life to the process that asked for it.

Arguments: pid of that process, then the command. The kernel kills this process (and, since the setting survives exec,
the server) when the *thread* that forked it ends. Done here and not in a hook between fork and exec, because running
Python there is unsafe in a process that has threads. Imports nothing of Garrick and starts in a few milliseconds.
"""

import os
import sys


def main() -> None:
    """Tie, check, become the server."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        if ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before the setting was in force
        sys.exit("the starting process is gone")
    os.execv(command[0], command)  # noqa: S606 - the server found by our own search, no shell wanted


if __name__ == "__main__":
    main()
