"""The workshop's own rules, as far as a tool does not watch them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import garrick

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ["pyproject.toml", "compat/thespian/pyproject.toml", "apps/provision/pyproject.toml"]


def project(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def test_the_code_knows_its_version() -> None:
    assert garrick.__version__ == project("pyproject.toml")["project"]["version"]


def test_the_distributions_are_released_together() -> None:
    assert len({project(path)["project"]["version"] for path in PROJECTS}) == 1


@pytest.mark.parametrize("path", PROJECTS)
def test_every_dependency_says_why(path: str) -> None:
    """A comment on the line or above it, for required packages and for those of the extras."""
    lines = (ROOT / path).read_text().splitlines()
    wanted = list(project(path)["project"].get("dependencies", []))
    for extra, names in project(path)["project"].get("optional-dependencies", {}).items():
        wanted += [name for name in names if extra != "all"]
    for name in wanted:
        at = next(number for number, line in enumerate(lines) if f'"{name}"' in line)
        nearby = lines[max(0, at - 3) : at + 1]
        assert any("#" in line for line in nearby), f"{name} has no reason beside it"


def test_every_ignored_lint_rule_says_why() -> None:
    """Each group of ignored rules begins with a comment."""
    text = (ROOT / "pyproject.toml").read_text()
    start = text.index("ignore = [", text.index("[tool.ruff.lint]"))
    body = text[start : text.index("\n]", start)].splitlines()[1:]
    assert body[0].lstrip().startswith("#")
    per_file = text[text.index("[tool.ruff.lint.per-file-ignores]") :].split("\n[", 1)[0]
    bare = [line for line in per_file.splitlines() if re.match(r'\s+"[A-Z]+[0-9]*",\s*$', line)]
    assert bare == []


def test_news_fragments_are_well_named_and_said_in_words() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    for path in fragments:
        assert re.fullmatch(r"(\d+|\+[a-z0-9-]+)\.(feature|change|bugfix|security)(\.\d+)?\.md", path.name), path.name
        assert len(path.read_text().split()) >= 5, f"{path.name} says too little"


def test_modules_stay_small() -> None:
    big = {
        str(path.relative_to(ROOT)): lines
        for folder in ("src", "compat/thespian/src", "apps/provision/src")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 700
    }
    assert big == {}
