"""What a contestant runs in: a virtual environment for every peer, made on demand under `build/bench/`.

Owns: making them, the command that starts a program, and the variables that it runs with. A peer's environment holds that
peer and nothing else, so no two libraries can meet (`garrick-thespian` brings a package of the same name as Thespian).
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from benchmarks import interpreters
from benchmarks.catalogue import Contestant
from benchmarks.interpreters import Interpreter

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
PROGRAMS = Path(__file__).resolve().parent / "programs"
INSTALL_TIMEOUT = 300


class Unavailable(Exception):
    """A contestant can't run here; the text says why."""


def prepare(contestant: Contestant, python: Interpreter) -> None:
    """Make what a contestant runs in, unless it is there already.

    Args:
        contestant: Whom to prepare for.
        python: The interpreter of this session; a peer that needs a later one gets the earliest that it can have.

    Raises:
        Unavailable: its interpreter is not there, or its packages can't be installed or compiled.
    """
    if contestant.program.endswith(".erl"):
        # All that are in its language: the rows of a group have a program of their own.
        for source in PROGRAMS.glob("*.erl"):
            _compile(source)
        return
    chosen = _interpreter(contestant, python)
    if requirements := _requirements(contestant, chosen):
        place = _place(contestant, chosen)
        stamp = place / ".made-for"
        wanted = f"{' '.join(requirements)} on Python {chosen.version}"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            _call(str(chosen.path), "-m", "venv", str(place))
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _call(str(place / "bin" / "python"), *install, *requirements)
            stamp.write_text(wanted)


def start(contestant: Contestant, python: Interpreter, name: str) -> list[str]:
    """The command that starts a program of a prepared contestant, by its name, up to its arguments."""
    program = PROGRAMS / name
    if program.suffix == ".erl":
        flags = nodes() if contestant.base == "nodes" else []
        return ["erl", "-noinput", *flags, "-pa", str(BUILD / "beam"), "-run", program.stem, "main", "-extra"]
    chosen = _interpreter(contestant, python)
    path = _place(contestant, chosen) / "bin" / "python" if _requirements(contestant, chosen) else chosen.path
    return [str(path), "-s", str(program)]


def variables(contestant: Contestant) -> dict[str, str]:
    """What a program finds in its environment: ours, without anything that changes what Python loads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if contestant.ours:
        kept["PYTHONPATH"] = str(ROOT / "src")
    return kept


def nodes() -> list[str]:
    """Flags of an Erlang node that talks to a second one: one known port, so that no daemon is needed to tell it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [
        "-name", "program@127.0.0.1", "-setcookie", secrets.token_hex(16),
        "-start_epmd", "false", "-erl_epmd_port", str(port), "-dist_listen", "false",
    ]  # fmt: skip


def _interpreter(contestant: Contestant, python: Interpreter) -> Interpreter:
    if not contestant.least_python or python.at_least(contestant.least_python):
        return python
    found = interpreters.find(contestant.least_python)
    if found is None:
        raise Unavailable(f"{contestant.title} needs Python {contestant.least_python}, and there is none here")
    return found


def _requirements(contestant: Contestant, chosen: Interpreter) -> list[str]:
    """What to install for it; nothing for what needs the standard library alone, or runs where the harness does."""
    if contestant.requirement:
        return [contestant.requirement]
    return ["-e", f"{ROOT}[fast]"] if contestant.ours and not chosen.running else []


def _place(contestant: Contestant, chosen: Interpreter) -> Path:
    return BUILD / chosen.minor / (contestant.environment or "garrick")


def _compile(source: Path) -> None:
    """Compile an Erlang program, unless the compiled one is newer."""
    if shutil.which("erlc") is None or shutil.which("erl") is None:
        raise Unavailable("Erlang is not installed (`apt-get install erlang-base`)")
    compiled = BUILD / "beam" / f"{source.stem}.beam"
    if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
        compiled.parent.mkdir(parents=True, exist_ok=True)
        _call("erlc", "-Wall", "-Werror", "-o", str(compiled.parent), str(source))


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        last = ((error.stderr or error.stdout).strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"`{' '.join(command[1:])}` failed: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`{' '.join(command[1:])}` took more than {INSTALL_TIMEOUT} s") from error
