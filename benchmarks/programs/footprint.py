"""How much memory a process has: what the kernel says, for the programs that measure it (Linux only).

Owns: reading /proc. Standard library only.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of memory that this process has resident, its garbage collected before."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def proportional(pid: int) -> int:
    """Bytes that a process has resident, pages shared with others divided by how many share them (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
