"""What the figures were measured on, as far as it matters to read them; nothing that names the machine or its user."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe(python: str = "") -> dict[str, str | int | float]:
    """Processor, cores this process may use, memory, system and Python (the running one, unless another is named)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": cores,
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": f"{platform.python_implementation()} {python or platform.python_version()}",
    }


def busy() -> bool:
    """Whether others keep more than a quarter of the cores at work: no time to record figures for others to read."""
    cores = describe()["cores"]
    return isinstance(cores, int) and load() > cores / 4


def load() -> float:
    """Processes that wanted a core in the last minute: tells whether the machine was quiet."""
    return round(os.getloadavg()[0], 2)


def _field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
