"""Two versions of one package side by side in one process, each seeing only itself, with everything that Python programs do to modules."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import os
import pickle
import pkgutil
import subprocess
import sys
import traceback
import typing
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest

import garrick
from garrick.errors import SourceConflict, SourceDamaged, SourceMissing
from garrick.sources import loading
from garrick.sources.container import Limits, members, read
from garrick.sources.loading import Loaded, load
from garrick.sources.manifest import parse
from garrick.sources.storage import Memory, Storage
from garrick.sources.store import Store
from garrick.sources.unload import unload
from garrick.sources.verify import Verified

from .making import made

BIG = {
    "app/__init__.py": "from app.model import VERSION\n",
    "app/model.py": """
from __future__ import annotations

import dataclasses
import enum
import typing

VERSION = {version}


class Colour(enum.Enum):
    RED = {version}


@dataclasses.dataclass
class Account:
    owner: str
    colour: Colour = Colour.RED
    partner: typing.Optional[Account] = None

    def fail(self):
        raise ValueError("version {version}")


class Pair(typing.NamedTuple):
    left: Account
""",
    "app/lazy.py": "from app import model\nVERSION = model.VERSION\n",
    "app/sub/__init__.py": "",
    "app/sub/deep.py": "from ..model import VERSION\nfrom .. import lazy\nfrom . import other\nimport app.model as named\n",
    "app/sub/other.py": "import app.sub.other as me\nHERE = me\n",
    "app/names.py": """
import sys


def all_ways():
    import importlib
    import pkgutil
    from importlib import import_module
    import app.model
    import app.lazy as lazy
    from app.sub.deep import VERSION as deep

    space = {{}}
    exec("from app.lazy import VERSION", space)
    return [
        app.model.VERSION,
        lazy.VERSION,
        deep,
        space["VERSION"],
        eval("__import__('app.lazy').lazy.VERSION"),
        __import__("app.model", fromlist=["VERSION"]).VERSION,
        importlib.import_module("app.lazy").VERSION,
        importlib.import_module(".lazy", "app").VERSION,
        importlib.import_module(".lazy", __package__).VERSION,
        import_module("app.model").VERSION,
        pkgutil.resolve_name("app.lazy:VERSION"),
        importlib.util.find_spec("app.lazy").loader.name.rpartition(".")[2] and deep,
    ]


def words():
    from importlib.resources import files
    from importlib import resources
    import pkgutil

    return [
        files("app").joinpath("data", "words.txt").read_text(),
        (files(__package__) / "data" / "words.txt").read_text(),
        resources.files("app.data").joinpath("words.txt").read_bytes().decode(),
        pkgutil.get_data("app", "data/words.txt").decode(),
        "".join(open_words(resources)),
    ]


def open_words(resources):
    with resources.files("app").joinpath("data/words.txt").open() as stream:
        return list(stream)


def meta():
    import importlib.metadata as metadata

    return metadata.version("app"), metadata.version("pytest"), metadata.distribution("App").metadata["Name"]


def missing():
    try:
        import app.nowhere
    except ModuleNotFoundError as error:
        return error.name
""",
    "app/data/words.txt": "version {version}\nwords\n",
    "app-{version}.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: {version}.5\n",
    "json.py": "VERSION = 'ours {version}'\n",
    "app/shadow.py": "import json\nimport abc\nVERSION = json.VERSION\nfrom abc import ABC\n",
}


NUMBERS = itertools.count()
"""Each test has sources of its own: one that failed keeps its modules, in its traceback."""


def filled(version: int) -> dict[str, str]:
    return {path.replace("{version}", str(version)): text.format(version=version) for path, text in BIG.items()}


def in_store(store: Store, data: bytes) -> Storage:
    opened = read(data, Limits())
    manifest = parse(opened.text)
    store.add(Verified(manifest, opened.hash, (), members(manifest, opened.archive, Limits())), data)
    return store.open(opened.hash)


def in_memory(data: bytes) -> Storage:
    opened = read(data, Limits())
    manifest = parse(opened.text)
    return Memory(manifest, members(manifest, opened.archive, Limits()), f"/@memory/{opened.hash}")


@pytest.fixture(params=["unpacked", "memory"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Loaded, Loaded]]:
    """Versions 1 and 2."""
    store = Store(tmp_path / "store")
    found = []
    for version in (1, 2):
        data = made(tmp_path / f"v{version}", filled(version), name=f"app{next(NUMBERS)}", version=f"{version}.0")
        storage = in_store(store, data) if request.param == "unpacked" else in_memory(data)
        found.append(load(storage, store.cache))
    yield found[0], found[1]
    for each in found:
        unload(each, force=True)


def test_each_version_sees_itself_by_every_way_of_importing(two: tuple[Loaded, Loaded]) -> None:
    first, second = two
    modules = [each.import_module("app.names") for each in two]  # both are there before either imports lazily
    assert set(modules[0].all_ways()) == {1}
    assert set(modules[1].all_ways()) == {2}
    assert modules[0].all_ways() == [1] * 12
    assert first.import_module("app").VERSION == 1
    assert second.import_module("app.sub.deep").named.VERSION == 2
    assert second.import_module("app.sub.other").HERE is second.import_module("app.sub.other")
    assert modules[0].missing() == "app.nowhere"
    assert "app" not in sys.modules


def test_names_are_real(two: tuple[Loaded, Loaded]) -> None:
    first, second = two
    model = first.import_module("app.model")
    assert model.__name__ == f"garrick.loaded.h{first.hash[:16]}.app.model"
    assert sys.modules[model.Account.__module__] is model
    assert typing.get_type_hints(model.Account)["partner"] == typing.Optional[model.Account]  # noqa: UP045 - as it is written there
    assert typing.get_type_hints(model.Pair)["left"] is model.Account
    assert dataclasses.replace(model.Account("ann"), owner="ben").colour is model.Colour.RED
    assert not isinstance(model.Account("ann"), second.import_module("app.model").Account)


def test_a_source_wins_over_host_modules_only_inside(two: tuple[Loaded, Loaded]) -> None:
    import json

    assert two[0].import_module("app.shadow").VERSION == "ours 1"
    assert two[1].import_module("app.shadow").VERSION == "ours 2"
    assert not hasattr(json, "VERSION")
    assert sys.modules["json"] is json


def test_resources_and_metadata(two: tuple[Loaded, Loaded]) -> None:
    for number, each in enumerate(two, 1):
        names = each.import_module("app.names")
        assert names.words() == [f"version {number}\nwords\n"] * 5
        assert names.meta() == (f"{number}.5", pytest.__version__, "app")
        assert resources.files(each.import_module("app")).joinpath("data/words.txt").is_file()
        assert pkgutil.get_data(each.import_module("app").__name__, "data/words.txt")
        walked = {
            found.name.removeprefix(each.prefix + ".")
            for found in pkgutil.walk_packages(each.import_module("app").__path__, each.prefix + ".app.")
        }
        assert {"app.model", "app.sub", "app.sub.deep", "app.names"} <= walked


def test_tracebacks_and_inspect_show_the_source(two: tuple[Loaded, Loaded]) -> None:
    for number, each in enumerate(two, 1):
        model = each.import_module("app.model")
        with pytest.raises(ValueError, match=f"version {number}") as caught:
            model.Account("ann").fail()
        text = "".join(traceback.format_exception(caught.value))
        assert f'raise ValueError("version {number}")' in text
        assert inspect.getsource(model.Account.fail).strip().startswith("def fail(self)")
        assert inspect.getsource(model).splitlines()[7] == f"VERSION = {number}"
        assert inspect.getsource(model.Colour).startswith("class Colour")
        assert inspect.getmodule(model.Account) is model
        assert os.path.isabs(model.__file__ or "")


def test_pickles_stay_with_their_version(two: tuple[Loaded, Loaded]) -> None:
    for each in two:
        account = each.import_module("app.model").Account("ann")
        assert pickle.loads(pickle.dumps(account)) == account


def program(*lines: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Loaded]:
    store = Store(tmp_path / "store")
    loaded = load(in_store(store, made(tmp_path / "v1", filled(1), name=f"app{next(NUMBERS)}")), store.cache)
    yield loaded
    unload(loaded, force=True)


def test_a_process_that_has_loaded_nothing_unpickles_from_the_store(stored: Loaded, tmp_path: Path) -> None:
    account = stored.import_module("app.model").Account("ann")
    loads = f"import pickle; print(pickle.loads({pickle.dumps(account)!r}).owner)"
    done = program(loads, GARRICK_SOURCES=str(tmp_path / "store"))
    assert done.stdout == "ann\n", done.stderr
    done = program(loads, GARRICK_SOURCES=str(tmp_path / "empty"))
    assert done.returncode == 1
    assert "GAR-7201" in done.stderr


def test_the_debugger_stops_at_a_line_of_a_source(stored: Loaded, tmp_path: Path) -> None:
    file = inspect.getsourcefile(stored.import_module("app.model"))
    line = (
        inspect.getsource(stored.import_module("app.model")).splitlines().index('        raise ValueError("version 1")')
        + 1
    )
    script = tmp_path / "script.py"
    script.write_text(f"from {stored.prefix}.app.model import Account\nAccount('ann').fail()\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pdb",
            "-c",
            f"b {file}:{line}",
            "-c",
            "c",
            "-c",
            "p self.owner",
            "-c",
            "q",
            str(script),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "GARRICK_SOURCES": str(tmp_path / "store")},
    )
    assert "'ann'" in done.stdout, done.stdout + done.stderr


def test_compiled_code_is_used_again(stored: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    stored.import_module("app.model")
    (path,) = [
        each
        for each in (tmp_path / "store/code").rglob("*")
        if each.name == stored.storage.index.digests["app/model.py"]
    ]
    good = path.read_bytes()
    code = stored.code("app/model.py")
    assert code.co_filename == stored.file("app/model.py")
    path.write_bytes(good[:-1] + b"x")
    assert stored.code("app/model.py").co_filename == code.co_filename  # damage costs time only
    other = load(in_memory(made(tmp_path / "other", filled(1), name="other")), Store(tmp_path / "store").cache)
    inner = [each for each in other.code("app/model.py").co_consts if hasattr(each, "co_filename")]
    assert {each.co_filename for each in inner} == {other.file("app/model.py")}
    unload(other)


def test_the_store_is_private_and_complete(stored: Loaded, tmp_path: Path) -> None:
    folder = tmp_path / "store" / stored.hash
    file = folder / "tree/app/lazy.py"
    assert file.stat().st_mode & 0o777 == 0o400
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Store(tmp_path / "store").hashes() == [stored.hash]
    file.chmod(0o600)
    file.write_text("VERSION = 666\n")
    with pytest.raises(SourceDamaged):
        stored.import_module("app.lazy")
    (tmp_path / "store").chmod(0o777)
    with pytest.raises(SourceDamaged):
        Store(tmp_path / "store")
    (tmp_path / "store").chmod(0o700)
    Store(tmp_path / "store").remove(stored.hash)
    with pytest.raises(SourceMissing):
        Store(tmp_path / "store").open(stored.hash)


def test_what_can_not_be_in_this_process(tmp_path: Path) -> None:
    native = in_memory(made(tmp_path / "n", {"a.py": "", "_fast.cpython-311-x86_64-linux-gnu.so": ""}))
    with pytest.raises(SourceConflict, match="compiled extensions"):
        load(native)
    plain = in_memory(made(tmp_path / "p", {"a.py": ""}))
    newer = dataclasses.replace(plain.manifest, python="3.99")
    with pytest.raises(SourceConflict, match="needs Python"):
        load(Memory(newer, {"a.py": b""}, "/@memory/newer"))


def test_two_sources_with_one_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DIGITS", 0)
    first = load(in_memory(made(tmp_path / "a", {"a.py": ""})))
    with pytest.raises(SourceConflict, match="begin alike"):
        load(in_memory(made(tmp_path / "b", {"b.py": ""})))
    loading.forget(first)


def test_other_imports_pay_nothing(two: tuple[Loaded, Loaded]) -> None:
    """No entry on the meta path, nothing patched, and one path hook, which is asked once for each new path."""
    two[0].import_module("app")
    assert [each for each in sys.meta_path if "garrick.sources" in type(each).__module__] == []
    assert builtins_import().__module__ == "builtins"
    hooks = [each for each in sys.path_hooks if getattr(each, "__module__", "").startswith("garrick")]
    assert len(hooks) == 1
    assert importlib.import_module.__module__ == "importlib"


def builtins_import() -> typing.Any:
    import builtins

    return builtins.__import__


def test_importing_garrick_does_not_import_sources() -> None:
    done = program(
        "import sys, garrick", "print([name for name in sys.modules if 'sources' in name or 'loaded' in name])"
    )
    assert done.stdout == "[]\n"


def test_a_module_that_is_not_there(two: tuple[Loaded, Loaded]) -> None:
    with pytest.raises(ModuleNotFoundError):
        two[0].import_module("app.nowhere")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("garrick.loaded.nothing")
    with pytest.raises(SourceMissing):
        importlib.import_module("garrick.loaded.h0123456789abcdef")
    assert isinstance(garrick, ModuleType)
