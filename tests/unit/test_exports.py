"""The public surface is what ``garrick.__all__`` says, and importing it costs little."""

from __future__ import annotations

import json
import subprocess
import sys
import types
import typing

import garrick


def test_all_is_sorted_and_without_repetition() -> None:
    assert list(garrick.__all__) == sorted(set(garrick.__all__))


def test_every_exported_name_can_be_imported() -> None:
    missing = [name for name in garrick.__all__ if not hasattr(garrick, name)]
    assert missing == []


def borrowed(name: str, value: object) -> bool:
    """Modules (a submodule shows up as soon as anything has imported it) and what annotations are written with."""
    return isinstance(value, types.ModuleType) or name == "annotations" or name in typing.__all__


def test_nothing_else_is_public() -> None:
    public = {name for name, value in vars(garrick).items() if not name.startswith("_") and not borrowed(name, value)}
    assert public - set(garrick.__all__) == set()


def test_exported_classes_have_a_docstring() -> None:
    exported = {name: getattr(garrick, name) for name in garrick.__all__}
    bare = [name for name, value in exported.items() if isinstance(value, type) and not value.__doc__]
    assert bare == []


def imported_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after the statement, and had not before."""
    program = f"""
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    return set(json.loads(done.stdout))


def test_importing_garrick_leaves_the_heavy_modules_alone() -> None:
    heavy = {"asyncio", "cryptography", "cyclopts", "nats", "psutil", "rich", "sqlite3", "ssl", "uvloop"}
    assert imported_by("import garrick") & heavy == set()


def test_a_star_import_gives_exactly_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from garrick import *", names)
    assert set(names) - {"__builtins__"} == set(garrick.__all__)
