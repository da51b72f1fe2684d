"""Every ``python`` and ``console`` block of the README and the documentation is run.

* A ``python`` block is a program: it is saved as a file and run by itself, within a time limit, and must end with 0. A
  ``text`` block right behind it is what it prints.
* A ``console`` block is a session: lines that begin with ``$ `` are run by the shell in the project's root, the lines
  below are what they print; ``...`` stands for anything. Without such lines the output is not compared.
* ``<!-- not run: reason -->`` on the line before a block says why one can't be run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT = 50.0
FENCE = re.compile(
    r"^(?P<indent> *)(?P<marks>`{3,})(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)(?P=marks) *$",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>(?:(?!-->).)+) -->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and where it stands."""

    page: str
    line: int
    language: str
    body: str
    expected: str | None
    skip: str | None

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str) -> list[Block]:
    """The blocks of a page that are to be run."""
    fences = list(FENCE.finditer(text))
    blocks: list[Block] = []
    for fence, following in zip(fences, [*fences, None][1:], strict=True):
        if fence["language"] not in {"python", "console"}:
            continue
        expected = None
        if (
            following is not None
            and following["language"] == "text"
            and not text[fence.end() : following.start()].strip()
        ):
            expected = following["body"]
        reason = NOT_RUN.search(text[: fence.start()])
        indent = fence["indent"]
        body = "".join(line.removeprefix(indent) for line in fence["body"].splitlines(keepends=True))
        line = text.count("\n", 0, fence.start()) + 1
        blocks.append(Block(page, line, fence["language"], body, expected, reason["reason"] if reason else None))
    return blocks


def all_blocks() -> list[Block]:
    errors = (ROOT / "src/garrick/error_pages").glob("*.md")
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(errors)]
    return [block for page in pages for block in blocks_of(str(page.relative_to(ROOT)), page.read_text())]


def matches(expected: str, printed: str) -> bool:
    """Whether the text is what was expected, where ``...`` stands for anything."""
    parts = [re.escape(part) for part in expected.strip().split("...")]
    return re.fullmatch(".*?".join(parts), printed.strip(), re.DOTALL) is not None


def run(command: list[str] | str, folder: Path) -> str:
    """Runs the command in a session of its own and gives what it printed; nothing of it survives the time limit."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    child = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        printed, _ = child.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        printed, _ = child.communicate()
        pytest.fail(f"{command} did not end within {TIME_LIMIT:.0f} s; it printed:\n{printed}")
    assert child.returncode == 0, f"{command} ended with {child.returncode}:\n{printed}"
    return printed


def sessions(body: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it is said to print."""
    found: list[tuple[str, str]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, said = found[-1]
            continues = command.endswith("\\")
            found[-1] = (f"{command}\n{line.removeprefix('> ')}", said) if continues else (command, f"{said}{line}\n")
    return found


BLOCKS = all_blocks()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_what_the_documentation_shows_works(block: Block, tmp_path: Path) -> None:
    if block.skip:
        pytest.skip(block.skip)
    if block.language == "python":
        program = tmp_path / "example.py"
        program.write_text(block.body)
        printed = run([sys.executable, "-W", "error", str(program)], tmp_path)
        if block.expected is not None:
            assert matches(block.expected, printed), f"{block.name} printed:\n{printed}"
        return
    commands = sessions(block.body)
    assert commands, f"{block.name} has no line that begins with '$ '"
    for command, said in commands:
        printed = run(command, ROOT)
        assert not said.strip() or matches(said, printed), f"{block.name}: {command} printed:\n{printed}"


def test_the_readme_has_a_program() -> None:
    assert any(block.page == "README.md" and block.language == "python" and not block.skip for block in BLOCKS)


def test_blocks_are_found_with_their_output_and_their_excuse() -> None:
    program = "a\n```python\nprint(1)\n```\n\n```text\n1\n```\n"
    page = program + "<!-- not run: needs root -->\n```console\n$ id\n```\n```toml\n```\n"
    first, second = blocks_of("p", page)
    assert (first.line, first.body, first.expected, first.skip) == (2, "print(1)\n", "1\n", None)
    assert (second.language, second.skip) == ("console", "needs root")


def test_sessions_are_commands_with_their_output() -> None:
    assert sessions("$ a\nx\ny\n$ b \\\n> c\nz\n") == [("a", "x\ny\n"), ("b \\\nc", "z\n")]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [("a", "a\n", True), ("a ... c", "a b\nb c", True), ("a", "ab", False), ("a.c", "abc", False)],
)
def test_three_dots_stand_for_anything(expected: str, printed: str, same: bool) -> None:
    assert matches(expected, printed) is same
