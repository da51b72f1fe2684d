"""A virtual environment for every peer, made on demand under `build/bench/`.

Owns: making them, and the variables that a program runs with. A peer's environment holds that peer and nothing else, so
no two libraries can meet (`garrick-thespian` brings a package of the same name as Thespian).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.catalogue import Contestant

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
PROGRAMS = Path(__file__).resolve().parent / "programs"
INSTALL_TIMEOUT = 300


class Unavailable(Exception):
    """A peer could not be installed; the text says why."""


def interpreter(contestant: Contestant) -> Path:
    """The Python of a contestant, its environment made first if need be.

    Raises:
        Unavailable: the environment could not be made or the peer not be installed.
    """
    if not contestant.environment:
        return Path(sys.executable)
    place = BUILD / contestant.environment
    python = place / "bin" / "python"
    stamp = place / ".made-for"
    wanted = f"{contestant.requirement} on Python {sys.version}"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        _call(sys.executable, "-m", "venv", str(place))
        _call(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", contestant.requirement)
        stamp.write_text(wanted)
    return python


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"`{' '.join(command[1:])}` failed: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`{' '.join(command[1:])}` took more than {INSTALL_TIMEOUT} s") from error


def variables(contestant: Contestant) -> dict[str, str]:
    """What a program finds in its environment: ours, without anything that changes what Python loads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if contestant.ours:
        kept["PYTHONPATH"] = str(ROOT / "src")
    return kept
