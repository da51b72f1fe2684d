"""How a process ended, in words."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from garrick.node.deaths import GOODBYE, Deaths


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (GOODBYE << 8, "done", True),
        (0, "exit status 0", False),
        (3 << 8, "exit status 3", False),
        (71 << 8, "exit status 71: its runtime failed, as its standard error output says", False),
        (signal.SIGSEGV, "killed by SIGSEGV", False),
        (signal.SIGSEGV | 0x80, "killed by SIGSEGV", False),  # with a core dump
        (signal.SIGRTMIN + 5, f"killed by {signal.SIGRTMIN + 5}", False),
    ],
)
def test_wait_statuses(tmp_path: Path, status: int, text: str, expected: bool) -> None:
    assert Deaths(tmp_path / "none").describe(status) == (text, expected)


def test_a_kill_while_the_kernel_is_out_of_memory_says_so(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("pgfault 7\noom_kill 3\n")
    deaths = Deaths(vmstat)
    assert deaths.describe(signal.SIGKILL) == ("killed by SIGKILL", False)
    vmstat.write_text("pgfault 9\noom_kill 4\n")
    assert deaths.describe(signal.SIGSEGV) == ("killed by SIGSEGV", False)
    assert "out of memory" in deaths.describe(signal.SIGKILL)[0]
    assert deaths.describe(signal.SIGKILL) == ("killed by SIGKILL", False)
