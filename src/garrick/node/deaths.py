"""How a process ended, from its wait status, in words.

Owns the exit statuses of our own processes and what they mean. Must not know which process it was.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

GOODBYE: Final = 79
"""Exit status of a process of ours that ended as it should; unlike 0 no handler calls ``os._exit`` with it by chance."""
ADMIN_DIED: Final = 70
"""Exit status of a process whose admin has gone."""
CRASHED: Final = 71
"""Exit status of a process whose runtime failed."""
_MEANING: Final = {
    ADMIN_DIED: "exit status 70: it lost its admin",
    CRASHED: "exit status 71: its runtime failed, as its standard error output says",
}
VMSTAT: Final = Path("/proc/vmstat")


class Deaths:
    """Tells deaths; remembers how often the kernel has killed for want of memory, which no wait status says.

    Args:
        vmstat: where the kernel counts that.
    """

    def __init__(self, vmstat: Path = VMSTAT) -> None:
        self._vmstat = vmstat
        self._out_of_memory = self._count()

    def describe(self, status: int) -> tuple[str, bool]:
        """A wait status as text, and whether the end was as it should be."""
        if not os.WIFSIGNALED(status):
            code = os.waitstatus_to_exitcode(status)
            return ("done", True) if code == GOODBYE else (_MEANING.get(code, f"exit status {code}"), False)
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = str(number)
        return f"killed by {name}{self._why(number)}", False

    def _why(self, number: int) -> str:
        if number != signal.SIGKILL:
            return ""
        before, self._out_of_memory = self._out_of_memory, self._count()
        return ", probably by the kernel: this machine ran out of memory" if self._out_of_memory > before else ""

    def _count(self) -> int:
        try:
            lines = self._vmstat.read_text().splitlines()
        except OSError:
            return 0  # another kernel
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
