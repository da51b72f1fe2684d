"""Finds the Python interpreters of this machine by their version.

Owns: where to look, which is where `.ci/run` looks too. Must not know: what they are wanted for.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

USABLE = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True)
class Interpreter:
    """A Python that can make virtual environments."""

    path: Path
    version: str
    """With all three numbers: `3.11.7`."""

    @property
    def minor(self) -> str:
        """The version as far as packages are built for it: `3.11`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def running(self) -> bool:
        """Whether it is the one that runs the harness; that one has Garrick's dependencies."""
        return self.path == Path(sys.executable)

    def at_least(self, minor: str) -> bool:
        """Whether its version is `minor` or a later one."""
        return _numbers(self.version)[:2] >= _numbers(minor)


def running() -> Interpreter:
    """The interpreter that runs the harness."""
    return Interpreter(Path(sys.executable), platform.python_version())


def find(wanted: str) -> Interpreter | None:
    """The interpreter of a minor version (`3.13`) or at a path; None if there is none that can make environments.

    A version is looked for among pyenv's, then on PATH, then in /usr/bin.
    """
    if os.sep in wanted:
        return _usable(Path(wanted).absolute())
    if running().minor == wanted:
        return running()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = sorted(pyenv.glob(f"{wanted}.*/bin/python"))
    # The shims of pyenv are on PATH too; without a chosen version they answer for none.
    path = os.pathsep.join(part for part in os.get_exec_path() if not part.endswith("shims"))
    on_path = shutil.which(f"python{wanted}", path=path)
    candidates += [Path(found) for found in (on_path, f"/usr/bin/python{wanted}") if found]
    usable = (_usable(candidate) for candidate in candidates)
    return next((found for found in usable if found and found.minor == wanted), None)


def _usable(candidate: Path) -> Interpreter | None:
    try:
        told = subprocess.run([candidate, "-c", USABLE], check=True, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return Interpreter(candidate, told.strip())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
