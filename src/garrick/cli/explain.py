"""``garrick explain``: the page of an error, in the terminal.

Owns finding it by code or by name. The pages are files of the package (``garrick/error_pages``), the same that the documentation shows.
"""

from __future__ import annotations

import difflib
import re
import sys
from importlib.resources import files

from garrick.cli import NOT_FOUND, OK


def show_page(error: str) -> int:
    """Print the page of an error; returns the exit code.

    Args:
        error: a code in any spelling, or the name of a class.
    """
    pages = all_pages()
    code = find(error, pages)
    if code is not None:
        print(pages[code], end="")  # noqa: T201
        return OK
    names = {title(text).casefold(): each for each, text in pages.items()} | {each.casefold(): each for each in pages}
    near = dict.fromkeys(names[name] for name in difflib.get_close_matches(_spelt(error), names, n=3))
    print(f"garrick: there is no error {error!r}", file=sys.stderr)  # noqa: T201
    for each in near:
        print(f"hint: {each} is {title(pages[each])}", file=sys.stderr)  # noqa: T201
    return NOT_FOUND


def all_pages() -> dict[str, str]:
    """The text of every page, by code."""
    folder = files("garrick") / "error_pages"
    found = {entry.name.removesuffix(".md"): entry for entry in folder.iterdir() if entry.name.endswith(".md")}
    return {code: found[code].read_text(encoding="utf-8") for code in sorted(found)}


def find(error: str, pages: dict[str, str]) -> str | None:
    """The code that is meant, if there is one: ``GAR-2107``, ``gar2107``, ``2107`` or ``NoCapableSystem``."""
    spelt = _spelt(error)
    for code, text in pages.items():
        if spelt in (code.casefold(), title(text).casefold()):
            return code
    return None


def title(text: str) -> str:
    """What a page is about."""
    return text.partition("\n")[0].partition(": ")[2].removesuffix(" (in the log)")


def _spelt(error: str) -> str:
    digits = re.fullmatch(r"(?:gar)?-?(\d{1,4})", error.strip(), re.IGNORECASE)
    return f"gar-{digits[1]:0>4}" if digits else error.strip().casefold()
