# ruff: noqa: E501 - each pattern is a small program in one line
"""A source that is unloaded leaves nothing, or it is told what keeps it."""

from __future__ import annotations

import gc
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import garrick
from garrick.errors import SourceConflict, SourceInUse, SourceMissing
from garrick.sources.container import Limits, members, read
from garrick.sources.loading import Loaded, load
from garrick.sources.manifest import parse
from garrick.sources.storage import Memory
from garrick.sources.unload import Unloaded, unload

from .making import PYTHONS, made
from .test_importer import filled

NUMBERS = itertools.count()

PATTERNS = {
    "plain": "class Thing: pass\ndef work(): return Thing()\nkept = [work()]\n",
    "cycle": "class Thing: pass\nThing.me = Thing()\nThing.me.again = Thing.me\n",
    "enum": "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    def same(self): return self\n",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int = 0\n",
    "namedtuple": "import collections, typing\nA = collections.namedtuple('A', 'x')\nclass B(typing.NamedTuple):\n    x: int\n",
    "lru_cache": "import functools\nclass Key: pass\n@functools.lru_cache\ndef twice(x): return x, x\ntwice(Key())\n",
    "typing cache": "import typing\nclass Thing: pass\nX = typing.List[Thing]; Y = typing.Optional[Thing]; Z = typing.Dict[str, Thing]\n",
    "generic": "import typing\nT = typing.TypeVar('T')\nclass Box(typing.Generic[T]): pass\nclass Thing: pass\nX = Box[Thing]\n",
    "protocol": "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n    x: int\nclass Q:\n    x = 1\nisinstance(Q(), P)\n",
    "overload": "import typing\n@typing.overload\ndef f(x: int) -> int: ...\n@typing.overload\ndef f(x: str) -> str: ...\ndef f(x): return x\n",
    "abc": "import abc, collections.abc\nclass A(abc.ABC): pass\nclass B: pass\nA.register(B)\ncollections.abc.Sized.register(B)\nisinstance(B(), A)\nclass C(collections.abc.Mapping): pass\n",
    "singledispatch": "import functools\n@functools.singledispatch\ndef f(x): return x\nclass A: pass\n@f.register\ndef _(x: A): return 1\nf(A())\n",
    "finalize": "import weakref\nclass A: pass\na = A()\nran = []\nweakref.finalize(a, ran.append, 1)\ndef gone(): ran.append(2)\nb = A()\nweakref.finalize(b, gone)\n",
    "asyncio": "import asyncio\nclass A: pass\nasync def main():\n    await asyncio.sleep(0)\n    return A()\nasyncio.run(main())\n",
    "copyreg": "import copyreg\nclass A: pass\ndef reduce(a): return A, ()\ncopyreg.pickle(A, reduce)\n",
    "logging": "import logging\nlog = logging.getLogger(__name__)\nchild = logging.getLogger(__name__ + '.child.deep')\nclass H(logging.Handler):\n    def emit(self, record): pass\nclass F(logging.Filter): pass\nlogging.getLogger('other').addHandler(H())\nlogging.getLogger('other').addFilter(F())\nlog.addHandler(H())\n",
    "meta_path": "import sys\nclass Finder:\n    def find_spec(self, *a): return None\nsys.meta_path.append(Finder())\ndef hook(path): raise ImportError\nsys.path_hooks.append(hook)\n",
    "gc callback": "import gc\ndef called(phase, info): pass\ngc.callbacks.append(called)\n",
    "atexit": "import atexit\nran = []\nclass A: pass\natexit.register(ran.append, A())\n",
    "codecs": "import codecs\ndef handler(error): return ('?', error.end)\ncodecs.register_error('garrick-test', handler)\ndef search(name): return None\ncodecs.register(search)\nTEXT = 'ü'.encode('ascii', 'garrick-test')\n",
    "alias": "import sys\nsys.modules['alias_of_a_source'] = sys.modules[__name__]\n",
    "ended thread": "import threading\ndef run(): pass\nt = threading.Thread(target=run)\nt.start()\nt.join()\n",
    "traceback": "import traceback\ndef fail(): raise ValueError('x')\ntry:\n    fail()\nexcept ValueError:\n    TEXT = traceback.format_exc()\n",
    "contextvar": "import contextvars\nclass A: pass\nv = contextvars.ContextVar('v')\ncontextvars.copy_context().run(v.set, A())\n",
}


def in_memory(folder: Path, files: dict[str, str], name: str | None = None) -> Loaded:
    data = made(folder, files, name=name or f"pattern{next(NUMBERS)}")
    opened = read(data, Limits())
    manifest = parse(opened.text)
    contents = members(manifest, opened.archive, Limits())
    return load(Memory(manifest, contents, f"/@memory/{opened.hash}"))


def use(loaded: Loaded, module: str = "pattern") -> None:
    loaded.import_module(module)


def leftovers(loaded: Loaded) -> list[str]:
    return [name for name in sys.modules if loaded.prefix in name or name == "alias_of_a_source"]


@pytest.fixture
def small_heap() -> Iterator[None]:
    """Collections look only at what the test makes, not at all that pytest has loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("small_heap")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_left_of(pattern: str, tmp_path: Path) -> None:
    loaded = in_memory(tmp_path, {"pattern.py": PATTERNS[pattern]})
    hooks = len(sys.meta_path), len(sys.path_hooks), len(gc.callbacks)
    use(loaded)
    assert unload(loaded) == Unloaded((), (), ())
    assert leftovers(loaded) == []
    if pattern in {"meta_path", "gc callback"}:
        assert (len(sys.meta_path), len(sys.path_hooks), len(gc.callbacks)) == hooks


def test_functions_for_the_end_are_run_and_their_mistakes_told(tmp_path: Path) -> None:
    text = "import atexit\nran = []\ndef bad(): raise ValueError('late')\natexit.register(ran.append, 1)\natexit.register(bad)\natexit.register(ran.append, 2)\natexit.unregister(len)\n"
    loaded = in_memory(tmp_path, {"pattern.py": text})
    ran = loaded.import_module("pattern").ran
    assert unload(loaded).complaints == ("ValueError: late",)
    assert ran == [2, 1]


def kept_by_list(loaded: Loaded) -> Any:
    return [loaded.import_module("pattern").Thing()]


def test_an_instance_in_a_variable_is_named(tmp_path: Path) -> None:
    loaded = in_memory(tmp_path, {"pattern.py": PATTERNS["plain"]})
    instance = loaded.import_module("pattern").Thing()
    found = unload(loaded)
    assert "pattern.Thing" in found.leaked
    assert any("instance: pattern.Thing" in link for chain in found.chains for link in chain), found.chains
    assert instance


KEEP: dict[str, Any] = {}


def test_what_a_module_of_the_host_keeps_is_named(tmp_path: Path) -> None:
    loaded = in_memory(tmp_path, {"pattern.py": PATTERNS["plain"]})
    KEEP["deep"] = kept_by_list(loaded)
    try:
        found = unload(loaded)
        assert "pattern.Thing" in found.leaked
        chain = next(chain for chain in found.chains if chain[0] == f"module {__name__}")
        assert chain[1:3] == ("KEEP: dict", "deep: list")
        assert chain[3] == "pattern.Thing"
        with pytest.raises(SourceConflict, match="still live"):
            load(loaded.storage)
    finally:
        KEEP.clear()
    gc.collect()
    again = load(loaded.storage)
    use(again)
    assert unload(again).leaked == ()


def test_a_running_thread_is_named(tmp_path: Path) -> None:
    text = "import threading\nstop = threading.Event()\ndef run(): stop.wait(20)\nthreading.Thread(target=run, name='ticker').start()\n"
    loaded = in_memory(tmp_path, {"pattern.py": text})
    stop = loaded.import_module("pattern").stop
    try:
        found = unload(loaded)
        assert any(chain[0] == "thread ticker" and "runs run" in chain[1] for chain in found.chains), found.chains
    finally:
        stop.set()
        for thread in threading.enumerate():
            if thread.name == "ticker":
                thread.join(10)


def test_a_hook_of_the_interpreter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    loaded = in_memory(tmp_path, {"pattern.py": "import sys\ndef hook(*a): pass\nsys.excepthook = hook\n"})
    use(loaded)
    found = unload(loaded)
    assert found.leaked == ("pattern.hook",)
    assert found.chains[0] == ("module sys", "excepthook: function pattern.hook")


def test_code_that_goes_on_can_import_nothing_more(tmp_path: Path) -> None:
    loaded = in_memory(tmp_path, {"pattern.py": "def late():\n    import more\n    return more\n", "more.py": ""})
    late = loaded.import_module("pattern").late
    unload(loaded)
    with pytest.raises(SourceMissing, match="was unloaded"):
        late()
    with pytest.raises(SourceMissing):
        loaded.import_module("more")


def test_a_source_that_is_held_stays(tmp_path: Path) -> None:
    loaded = in_memory(tmp_path, {"pattern.py": ""})
    loaded.acquire()
    with pytest.raises(SourceInUse, match="held 1 times"):
        unload(loaded)
    loaded.release()
    assert unload(loaded) == unload(loaded) == Unloaded((), (), ())


def test_the_other_version_goes_on(tmp_path: Path) -> None:
    first = in_memory(
        tmp_path / "a", {"app.py": "V = 1\ndef late():\n    import more\n    return more.V\n", "more.py": "V = 1\n"}
    )
    second = in_memory(
        tmp_path / "b", {"app.py": "V = 2\ndef late():\n    import more\n    return more.V\n", "more.py": "V = 2\n"}
    )
    use(first, "app")
    use(second, "app")
    assert unload(first).leaked == ()
    assert second.import_module("app").late() == 2
    assert unload(second).leaked == ()


def cycles(folder: Path, number: int, python: str = sys.executable) -> list[tuple[int, int]]:
    """Objects and memory after each cycle, in a process that does nothing else."""
    bundle = folder / "bundle.srcb"
    bundle.write_bytes(made(folder, filled(1), name="cycle"))
    done = subprocess.run(
        [python, "-S", str(Path(__file__).with_name("cycling.py")), str(bundle), str(number)],
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(garrick.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    found: list[tuple[int, int]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_cycles_of_loading_and_unloading_leave_no_object(tmp_path: Path, python: str) -> None:
    found = cycles(tmp_path, 25, python)
    assert found[-1][0] == found[9][0], [count for count, _ in found]


@pytest.mark.soak
def test_five_hundred_cycles_are_flat_in_objects_and_memory(tmp_path: Path) -> None:
    found = cycles(tmp_path, 500)
    assert found[-1][0] == found[49][0], found[::50]
    assert found[-1][1] - found[49][1] <= 2**20, found[::50]
