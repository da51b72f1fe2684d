"""Text for the terminal: tables and headlines, from plain data.

Owns alignment, cutting and colour. Must not know what it shows. Output that goes into a file or a pipe is never cut or coloured.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = 1
"""Version of the JSON of all commands; grows when a field changes its meaning or goes away."""
RIGHT = {"mailbox", "actors", "count", "load", "pid", "process", "waiting", "dead letters"}
"""Columns of numbers."""
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32"}


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None, more: int = 0
) -> list[str]:
    """The lines of a table; none when it has no rows.

    Args:
        title: above it; empty for none.
        columns: their headers; numbers (`RIGHT`) are set to the right.
        rows: cells; None is empty.
        width: longer lines are cut; None: no line is.
        more: rows that there are beyond these.
    """
    if not rows:
        return []
    cells = [["" if cell is None else " ".join(str(cell).split()) for cell in row] for row in rows]
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    lines = [style(title, "bold")] if title else []
    lines.append(style(_line(columns, columns, widths, width), "dim"))
    lines += [_line(row, columns, widths, width) for row in cells]
    if more > 0:
        lines.append(style(f"... and {more} more", "dim"))
    return lines


def _line(cells: Sequence[str], columns: Sequence[str], widths: Sequence[int], limit: int | None) -> str:
    padded = [
        cell.rjust(wide) if column in RIGHT else cell.ljust(wide)
        for cell, column, wide in zip(cells, columns, widths, strict=True)
    ]
    line = "  ".join(padded).rstrip()
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def style(text: str, name: str) -> str:
    """The text in a colour or weight, where that is wanted: on a terminal, unless ``NO_COLOR`` is set."""
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if name and colours() and text else text


def colours() -> bool:
    """Whether the output may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(*lines: str) -> None:
    """Data, to the standard output."""
    for line in lines:
        try:
            print(line)  # noqa: T201 - the command line talks to its user
        except (
            UnicodeEncodeError
        ):  # halves of characters in what an actor answers, or a terminal without lines for trees
            encoding = sys.stdout.encoding or "ascii"
            print(line.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 - the same


def note(*lines: str) -> None:
    """Anything that is no data, to the standard error."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - the command line talks to its user


def say_json(content: Mapping[str, Any]) -> None:
    """An object as JSON, with the version of its form."""
    print(json.dumps({"schema": SCHEMA, **content}, indent=2))  # noqa: T201
