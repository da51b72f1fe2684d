"""Packages of other people, as they are installed here, inside a bundle: they work, beside the host's own copy, and unload."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest

from garrick.sources.build import build
from garrick.sources.container import Limits, members, read
from garrick.sources.loading import Loaded, load
from garrick.sources.manifest import parse
from garrick.sources.storage import Memory
from garrick.sources.store import Store
from garrick.sources.unload import unload
from garrick.sources.verify import Verified

NUMBERS = itertools.count()

PROGRAMS: dict[str, tuple[list[str], str]] = {
    "click": (
        ["click"],
        """
import click
from click.testing import CliRunner
@click.command()
@click.option("--name", default="you")
def hello(name):
    click.echo(f"hello {name}")
def run():
    assert CliRunner().invoke(hello, ["--name", "ann"]).output == "hello ann\\n"
    import importlib.metadata
    return importlib.metadata.version("click")
""",
    ),
    "attrs": (
        ["attrs"],
        """
import attr, attrs
@attrs.define
class Point:
    x: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))
def run():
    assert attr.asdict(Point(2)) == {"x": 2}
    return attrs.evolve(Point(2), x=3) == Point(3)
""",
    ),
    "packaging": (
        ["packaging"],
        """
from packaging.version import Version
from packaging.specifiers import SpecifierSet
from packaging.requirements import Requirement
def run():
    return Version("1.10") in SpecifierSet(">=1.9") and Requirement("a>=1; python_version > '3'").name == "a"
""",
    ),
    "jinja2": (
        ["jinja2", "markupsafe"],
        """
import jinja2, markupsafe
def run():
    environment = jinja2.Environment(loader=jinja2.DictLoader({"a": "<{{ x|upper }}{% for i in y %}{{ i }}{% endfor %}>"}), autoescape=True)
    assert environment.get_template("a").render(x="<b", y=[1, 2]) == "<&lt;B12>"
    return jinja2.__name__.startswith("garrick.loaded.") and markupsafe.__name__.startswith("garrick.loaded.")
""",
    ),
}
LARGE: dict[str, tuple[list[str], str]] = {
    "flask": (
        ["flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous", "blinker"],
        """
import flask
app = flask.Flask(__name__)
@app.route("/<name>")
def hello(name):
    return flask.jsonify(hello=name)
def run():
    return app.test_client().get("/ann").json == {"hello": "ann"}
""",
    ),
    "pygments": (
        ["pygments"],
        """
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
def run():
    return "class" in highlight("x = 1", get_lexer_by_name("python"), HtmlFormatter())
""",
    ),
    "rich": (
        ["rich", "pygments", "markdown-it-py", "mdurl"],
        """
import io
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
def run():
    console = Console(file=io.StringIO(), width=40)
    table = Table("a", "b")
    table.add_row("1", "2")
    console.print(table, Markdown("# title"))
    return "title" in console.file.getvalue()
""",
    ),
}


def bundle(folder: Path, distributions: list[str], program: str) -> bytes:
    for name in distributions:
        found = distribution(name)
        for file in found.files or ():
            path = str(file)
            wanted = path.endswith(("METADATA", ".py", ".json", ".txt")) and not path.startswith("..")
            if wanted and "__pycache__" not in path:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(Path(str(found.locate_file(file))).read_bytes())
    (folder / "program.py").write_text(program)
    return build([folder], f"party{next(NUMBERS)}", "1.0")


def in_memory(data: bytes, folder: Path) -> Loaded:
    opened = read(data, Limits())
    manifest = parse(opened.text)
    return load(Memory(manifest, members(manifest, opened.archive, Limits()), f"/@memory/{opened.hash}"))


def unpacked(data: bytes, folder: Path) -> Loaded:
    opened = read(data, Limits())
    manifest = parse(opened.text)
    store = Store(folder / "store")
    store.add(Verified(manifest, opened.hash, (), members(manifest, opened.archive, Limits())), data)
    return load(store.open(opened.hash), store.cache)


def works(program: tuple[list[str], str], loader: Callable[[bytes, Path], Loaded], folder: Path) -> None:
    before = set(sys.modules)
    loaded = loader(bundle(folder / "tree", *program), folder)
    assert loaded.import_module("program").run()
    tops = loaded.storage.index.tops
    strangers = {each for each in set(sys.modules) - before if each.partition(".")[0] in tops}
    assert strangers == set(), "modules of the bundle went into the host under their plain names"
    found = unload(loaded)
    assert found.leaked == (), found
    assert found.complaints == ()


@pytest.mark.parametrize("name", PROGRAMS)
def test_packages_work_and_unload(name: str, tmp_path: Path) -> None:
    works(PROGRAMS[name], unpacked if name == "click" else in_memory, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("loader", [in_memory, unpacked])
@pytest.mark.parametrize("name", LARGE)
def test_large_packages_work_and_unload(name: str, loader: Callable[[bytes, Path], Loaded], tmp_path: Path) -> None:
    works(LARGE[name], loader, tmp_path)
