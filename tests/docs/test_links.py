"""Pages name files that exist: links between them, and the paths that CONTRIBUTING shows to a newcomer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/*/README.md"), *ROOT.glob("src/garrick/*/*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
PLACE = re.compile(r"`(?P<place>[\w.-]+(?:/[\w.-]+)*/?)`")


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_to_files_of_the_project(page: Path) -> None:
    targets = [link["target"] for link in LINK.finditer(CODE.sub("", page.read_text()))]
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_contributing_names_files_that_exist() -> None:
    """A path in backticks with a slash or a known ending stands for a file, from the root or from ``src/garrick``."""
    text = CODE.sub("", (ROOT / "CONTRIBUTING.md").read_text())
    places = {match["place"] for match in PLACE.finditer(text)}
    files = {place for place in places if "/" in place or place.endswith((".py", ".md", ".toml"))}
    assert files, "CONTRIBUTING names no file: the pattern is out of date"
    missing = sorted(
        place for place in files if not any((base / place).exists() for base in (ROOT, ROOT / "src/garrick"))
    )
    assert missing == []


def test_contributing_is_one_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 90
