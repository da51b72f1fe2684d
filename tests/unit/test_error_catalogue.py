"""The rules of the catalogue: each error has a code of its own and a page, and says what to do.

A new class needs a code, a page ``src/garrick/error_pages/GAR-nnnn.md``, and a hint wherever it is raised (or a ``usual_hint``).
"""

from __future__ import annotations

import ast
import copy
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import garrick.errors
from garrick.cli import NOT_FOUND, OK, main
from garrick.cli.explain import all_pages, find, title
from garrick.errors import ActorGone, GarrickError, HandlerFailed, ManagementError, SourceError, UnpicklableMessage
from garrick.observe.letters import REASONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = all_pages()
WITHOUT_HINT = {"GarrickError", "AskError", "HandlerFailed"}
"""The bases, and the one that carries the traceback of somebody else's mistake."""
SECTIONS = ["## Likely causes", "## What to do"]


def family(cls: type[GarrickError]) -> list[type[GarrickError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in family(child))]


CLASSES = [cls for cls in dict.fromkeys(family(GarrickError)) if cls.__module__ == "garrick.errors"]


def test_all_errors_of_the_library_are_in_the_catalogue() -> None:
    """Defined in one module, so that one look finds them (see DESIGN: codes are never used twice)."""
    defined = set()
    for path in (ROOT / "src/garrick").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and {getattr(base, "id", "") for base in node.bases} & {
                cls.__name__ for cls in CLASSES
            }:
                defined.add((path.name, node.name))
    assert {name for name, _ in defined} == {"errors.py"}
    assert len(defined) == len(CLASSES) - 1  # the base derives from Exception


def test_each_code_belongs_to_one_class_or_report() -> None:
    codes = Counter([cls.__dict__.get("code") for cls in CLASSES] + [*garrick.errors.REPORTS, *garrick.errors.REFUSALS])
    assert {code: count for code, count in codes.items() if count > 1} == {}, (
        "a code is used twice, or a class has none"
    )
    assert all(re.fullmatch(r"GAR-\d{4}", str(code)) for code in codes)


def test_each_class_and_report_has_a_page_and_each_page_one_of_them() -> None:
    named = {cls.code: cls.__name__ for cls in CLASSES} | dict(garrick.errors.REPORTS) | dict(garrick.errors.REFUSALS)
    assert {code: title(text) for code, text in PAGES.items()} == named


@pytest.mark.parametrize("code", PAGES)
def test_a_page_says_what_happened_why_and_what_to_do(code: str) -> None:
    text = PAGES[code]
    parts = re.split(r"^## .*$", text, flags=re.MULTILINE)
    assert [line for line in text.splitlines() if line in SECTIONS] == SECTIONS
    assert text.startswith(f"# {code}: ")
    assert all(len(part.split()) >= 5 for part in parts), "a section says too little"


def test_the_page_of_dead_letters_tells_all_reasons() -> None:
    assert [reason for reason in REASONS if f"`{reason}`" not in PAGES["GAR-1301"]] == []


def test_codes_named_in_the_project_exist() -> None:
    named = set()
    for path in [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "src").rglob("*.md"),
        *(ROOT / "docs/explanation").glob("*.md"),
    ]:
        named |= set(re.findall(r"GAR-\d{4}\b", path.read_text()))
    assert named <= set(PAGES)


def test_each_error_is_raised_by_a_test() -> None:
    """Or its code is looked for in what a program, a command or the log says."""
    tests = [
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "compat").rglob("test_*.py"),
        *(ROOT / "apps").rglob("test_*.py"),
    ]
    text = "".join(path.read_text() for path in tests if path != Path(__file__))
    codes = {cls.code: cls.__name__ for cls in CLASSES} | dict(garrick.errors.REPORTS) | dict(garrick.errors.REFUSALS)
    silent = [code for code, name in codes.items() if code not in text and not re.search(rf"\b{name}\b", text)]
    assert silent == [SourceError.code]  # the base of others


def test_whoever_raises_says_what_to_do() -> None:
    """Each place that makes an error gives ``hint=``, or the class has a usual hint."""
    usual = {cls.__name__: cls.usual_hint for cls in CLASSES}
    silent = []
    for path in sorted((ROOT / "src/garrick").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in usual):
                continue
            name = node.func.id
            given = {keyword.arg for keyword in node.keywords}
            if name not in WITHOUT_HINT and usual[name] is None and "hint" not in given:
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert silent == []


def test_hints_are_notes_that_name_the_page() -> None:
    error = garrick.errors.NoSuchSystem("no system 'x'")
    assert error.__notes__ == [f"hint: {error.usual_hint}\nmore: garrick explain GAR-3003"]
    assert garrick.errors.NoSuchSystem("no system 'x'", hint="look").hint == "look"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_errors_survive_pickling_with_their_notes(cls: type[GarrickError]) -> None:
    if issubclass(cls, ActorGone):
        error: GarrickError = cls("it is gone", reason="failed", outcome_unknown=True)
    elif issubclass(cls, HandlerFailed):
        error = cls("it failed", error=ValueError(1), remote_traceback="Traceback")
    else:
        error = cls("it happened", hint="do something")
    error.add_note("seen by the operator")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(twin), str(twin), twin.__notes__) == (cls, str(error), error.__notes__)
        assert {**vars(twin), "error": None} == {**vars(error), "error": None}


def test_a_refusal_of_the_management_socket_has_the_code_that_was_named() -> None:
    refusal = pickle.loads(pickle.dumps(ManagementError("not so", code="GAR-5001")))
    assert str(refusal) == "GAR-5001 not so"
    assert "garrick explain GAR-5001" in refusal.__notes__[0]


def test_attributes_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(UnpicklableMessage("no", path="message[0]"))).path == "message[0]"


# --- garrick explain -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelt", ["GAR-2107", "gar-2107", "2107", "GAR2107", "NoCapableSystem", "nocapablesystem"])
def test_explain_finds_a_page_however_it_is_spelt(spelt: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", spelt]) == OK
    assert capsys.readouterr().out == PAGES["GAR-2107"]


@pytest.mark.parametrize(("spelt", "near"), [("GAR-2108", "GAR-2107"), ("NoCapableSytem", "GAR-2107"), ("slow", None)])
def test_explain_says_what_comes_near(spelt: str, near: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", spelt]) == NOT_FOUND
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"there is no error {spelt!r}" in captured.err
    if near is not None:
        assert near in captured.err


def test_explain_finds_codes_with_leading_zeros() -> None:
    assert find("0", PAGES) == "GAR-0000"


def test_explain_works_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "garrick.cli", "explain", "slow handler"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (OK, PAGES["GAR-2201"])
