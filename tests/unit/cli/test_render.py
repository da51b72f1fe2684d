"""Colours, and where they are wanted."""

from __future__ import annotations

import sys

import pytest

from garrick.cli.render import note, say, style, terminal_width


@pytest.mark.parametrize(
    ("terminal", "no_color", "term", "coloured"),
    [
        (True, "", "xterm", True),
        (True, "1", "xterm", False),
        (True, "", "dumb", False),
        (False, "", "xterm", False),
    ],
)
def test_colours_only_on_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, term: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert style("x", "red") == ("\x1b[31mx\x1b[0m" if coloured else "x")
    assert style("", "red") == ""
    assert (terminal_width() is not None) is terminal


def test_data_and_notes_go_different_ways(capsys: pytest.CaptureFixture[str]) -> None:
    say("data", "more")
    note("a note")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("data\nmore\n", "a note\n")
