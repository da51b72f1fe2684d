"""The sans-IO modules import no clock, no randomness, no threads and no input or output."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "garrick"

FORBIDDEN = frozenset(
    {
        "asyncio",
        "concurrent",
        "datetime",
        "logging",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
    }
)

SANS_IO = (
    "wire",
    "convention",
    "node/admin.py",
    "engine/backoff.py",
    "engine/directory.py",
    "engine/epochs.py",
    "engine/feedcodec.py",
    "engine/follower.py",
    "engine/lease.py",
    "engine/membership.py",
    "sources/manifest.py",
    "sources/container.py",
    "sources/authority.py",
    "sources/trust.py",
    "sources/verify.py",
    "sources/difference.py",
)
"""Packages and modules, as paths below ``src/garrick``. ``node/admin`` may become a package: both are looked for."""


def sources_of(place: str) -> list[Path]:
    """The Python files of a package or module; none if it does not exist."""
    path = SOURCE / place
    if path.suffix == ".py" and not path.exists():
        path = path.with_suffix("")
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def forbidden_imports(text: str) -> list[str]:
    """Every forbidden import in the text, wherever it stands, also below ``if TYPE_CHECKING``."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in {"__import__", "import_module"} and node.args and isinstance(node.args[0], ast.Constant):
                names = [str(node.args[0].value)]
        found += [f"line {node.lineno}: {name}" for name in names if name.partition(".")[0] in FORBIDDEN]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("place", SANS_IO)
def test_sans_io_modules_import_nothing_of_the_outside(place: str) -> None:
    sources = sources_of(place)
    assert sources, f"{place} has no Python file: it moved, or SANS_IO is out of date"
    broken = {
        str(path.relative_to(SOURCE)): found for path in sources if (found := forbidden_imports(path.read_text()))
    }
    assert broken == {}


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import os.path as p",
        "def late():\n    from random import choice",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import threading",
        "import importlib\nimportlib.import_module('socket')",
        "__import__('uuid')",
    ],
)
def test_the_check_finds_what_it_is_for(text: str) -> None:
    assert len(forbidden_imports(text)) == 1


def test_the_check_lets_the_rest_pass() -> None:
    assert forbidden_imports("import enum\nfrom . import time\nfrom garrick.random import x\nimport timeit") == []
