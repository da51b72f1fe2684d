"""Finding a nats-server that is new enough.

Order: what the caller names, `GARRICK_NATS_SERVER`, the scripts directory of this Python environment (where the wheel
of the extra `cluster` puts it), `PATH`. The first that exists is the one; if it is too old that is an error, not a
reason to look further, because whoever named it meant it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from garrick.errors import EngineNotFound, EngineTooOld

__all__ = ["MINIMUM", "Binary", "find_server"]

MINIMUM = (2, 11)
VARIABLE = "GARRICK_NATS_SERVER"
_HINT = "install the extra: garrick[cluster]; or name a nats-server >= 2.11 by option or by GARRICK_NATS_SERVER"


@dataclass(frozen=True)
class Binary:
    """A server that can be started."""

    path: Path
    version: tuple[int, ...]


def find_server(path: str | os.PathLike[str] | None = None) -> Binary:
    """Raises `EngineNotFound` or `EngineTooOld`. Runs the binary once, to ask for its version."""
    found = _named(path, "the option") if path is not None else _search()
    return Binary(found, _version_of(found))


def _named(path: str | os.PathLike[str], source: str) -> Path:
    found = shutil.which(os.fspath(path))
    if found is None:
        raise EngineNotFound(f"{os.fspath(path)!r}, named by {source}, is no executable file", hint=_HINT)
    return Path(found).absolute()


def _search() -> Path:
    if named := os.environ.get(VARIABLE):
        return _named(named, VARIABLE)
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("nats-server", path=scripts) or shutil.which("nats-server")
    if found is None:
        raise EngineNotFound("no nats-server was found in this Python environment or on PATH", hint=_HINT)
    return Path(found).absolute()


def _version_of(path: Path) -> tuple[int, ...]:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineNotFound(f"{path} can't be run: {error}", hint=_HINT) from error
    match = re.search(r"v(\d+(?:\.\d+)*)", answer.stdout)
    if match is None:
        raise EngineNotFound(f"{path} does not tell a version as nats-server does", hint=_HINT)
    version = tuple(int(part) for part in match[1].split("."))
    if version < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise EngineTooOld(f"{path} is nats-server {match[1]}; {wanted} or newer is needed", hint=_HINT)
    return version
