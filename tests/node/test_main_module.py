"""Classes of ``__main__``: programs of all kinds use them across processes."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from garrick.node.mainmodule import PREFIX, Bodies, Main, MainFinder, _names_main, compile_ahead, publish
from tests.node.conftest import processes_of

pytestmark = pytest.mark.processes

SOURCE = Path(__file__).resolve().parents[2]

HELLO = """
import os
from dataclasses import dataclass
from garrick import Actor, ActorSystem, HandlerFailed, on, Request

@dataclass(frozen=True)
class Greet:
    name: str

@dataclass(frozen=True)
class Greeting:
    text: str
    module: str

class Trouble(Exception):
    pass

class Hello(Actor):
    def receive(self, message, sender):
        if message == "trouble":
            raise Trouble("as asked")
        assert type(message) is Greet, type(message)
        self.send(sender, Greeting("hello " + message.name, __name__))

class Nest(Actor):
    def receive(self, message, sender):
        self.ask(self.spawn(Hello), message).result()
        hello = self.spawn(Hello, isolation="process")
        self.send(sender, self.ask(hello, message).result())

def main():
    with ActorSystem(name="a", workers=2) as system:
        hello = system.spawn(Hello)
        answer = system.ask(hello, Greet("world"), timeout=10)
        assert type(answer) is Greeting, type(answer)
        print(answer.text, answer.module.startswith("__garrick_main_"))
        print(system.ask(system.spawn(Nest), Greet("nest")).text)
        try:
            system.ask(hello, "trouble")
        except HandlerFailed as failure:
            print(type(failure.error) is Trouble)
"""
GUARD = """
if __name__ == "__main__":
    main()
"""


def run(*arguments: str, cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE / 'src'}:{SOURCE}", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


GOOD = "hello world True\nhello nest\nTrue\n"


def test_a_script(base: Path) -> None:
    (base / "prog.py").write_text(HELLO + GUARD)
    done = run("prog.py", cwd=base)
    assert done.stdout == GOOD, done.stderr
    assert not done.stderr.replace("Hello failed", "") or "Trouble" in done.stderr
    assert [p.name for p in base.iterdir() if p.name not in {"garrick", "prog.py"}] == []


def test_a_module_of_a_package_with_relative_imports(base: Path) -> None:
    package = base / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "help.py").write_text("HELP = 1\n")
    (package / "prog.py").write_text("from .help import HELP\n" + HELLO.replace("__name__)", "__name__[5:])") + GUARD)
    done = run("-m", "pack.prog", cwd=base)
    assert done.stdout == GOOD, done.stderr


def test_a_package_that_is_run(base: Path) -> None:
    package = base / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(HELLO.replace("__name__)", "__name__[5:])") + GUARD)
    done = run("-m", "pack", cwd=base)
    assert done.stdout == GOOD, done.stderr


def test_a_missing_guard_is_told_to_the_caller(base: Path) -> None:
    (base / "prog.py").write_text(HELLO + "\nmain()\n")
    began = time.monotonic()
    done = run("prog.py", cwd=base)
    assert done.returncode == 1
    assert "MissingMainGuard: GAR-3004" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr
    assert time.monotonic() - began < 20
    assert not processes_of(base)


def test_a_missing_guard_of_an_asyncio_program_is_told_too(base: Path) -> None:
    # It starts its system on another thread than the one that imports it.
    (base / "prog.py").write_text(
        "import asyncio\nfrom garrick import Actor\nfrom garrick.aio import AsyncActorSystem\n"
        "class Hello(Actor):\n    pass\n"
        "async def main():\n    async with AsyncActorSystem(name='a', workers=1) as system:\n"
        "        await system.spawn(Hello)\nasyncio.run(main())\n"
    )
    done = run("prog.py", cwd=base)
    assert done.returncode == 1
    assert done.stderr.count("MissingMainGuard: GAR-3004") >= 1, done.stderr
    assert "ModuleNotFoundError" not in done.stderr
    assert not processes_of(base)


def test_without_classes_of_its_own_no_guard_is_needed(base: Path) -> None:
    (base / "prog.py").write_text(
        "from garrick import ActorSystem\nfrom tests.node.actors import Victim\n"
        "with ActorSystem(name='a', workers=1) as system:\n    print(system.ask(system.spawn(Victim), 5))\n"
    )
    done = run("prog.py", cwd=base)
    assert done.stdout == "5\n", done.stderr


def test_a_main_that_fails_when_imported_says_so(base: Path) -> None:
    (base / "prog.py").write_text("if __name__ != '__main__':\n    raise OSError('not twice')\n" + HELLO + GUARD)
    done = run("prog.py", cwd=base)
    assert done.returncode == 1
    assert "not twice" in done.stderr


def test_a_class_of_a_program_without_a_file(base: Path) -> None:
    done = run("-c", HELLO + GUARD, cwd=base)
    by_value = subprocess.run([sys.executable, "-c", "import cloudpickle"], capture_output=True, check=False)
    if by_value.returncode == 0:
        assert done.stdout.startswith("hello world"), done.stderr
    else:
        assert "NoSourceFile: GAR-3007" in done.stderr
        assert "cloudpickle" in done.stderr


def test_a_program_on_standard_input(base: Path) -> None:
    code = "from garrick import ActorSystem\nfrom tests.node.actors import Victim\n"
    code += "with ActorSystem(name='a', workers=1) as s: print(s.ask(s.spawn(Victim), '__main__ is only a text'))\n"
    done = run("-", cwd=base, text=code)
    assert done.stdout == "__main__ is only a text\n", done.stderr


def test_a_second_program_brings_its_own_classes(base: Path) -> None:
    owner = HELLO.replace("    with ActorSystem", "    import subprocess, sys\n    with ActorSystem")
    owner += """
    with ActorSystem(name="b", workers=2) as system:
        system.spawn(Hello, name="hello")
        print(subprocess.run([sys.executable, "guest.py"], capture_output=True, text=True).stdout, end="")
"""
    (base / "prog.py").write_text(owner + GUARD)
    guest = HELLO.replace('"hello " +', '"guest hello " +').replace("main():", "unused():")
    guest += """
def main():
    system = ActorSystem.attach("b")
    mine = system.spawn(Hello)
    answer = system.ask(mine, Greet("world"))
    print(answer.text, type(answer) is Greeting)
    system.stop()
"""
    (base / "guest.py").write_text(guest + GUARD)
    done = run("prog.py", cwd=base)
    assert done.stdout == GOOD + "guest hello world True\n", done.stderr


def test_a_class_that_can_not_be_imported_there(base: Path) -> None:
    (base / "prog.py").write_text(
        HELLO
        + """
def other():
    import sys, types
    module = types.ModuleType("nowhere")
    class Lost(Actor):
        pass
    Lost.__module__, Lost.__qualname__ = "nowhere", "Lost"
    module.Lost = Lost
    sys.modules["nowhere"] = module
    with ActorSystem(name="a", workers=1) as system:
        try:
            system.spawn(Lost, timeout=10)
        except Exception as error:
            print(type(error).__name__, "nowhere" in str(error))
        try:
            system.spawn("nowhere.at.All", timeout=10)
        except Exception as error:
            print(type(error).__name__)
        print(system.ask(system.spawn(Hello), Greet("you")).text)

if __name__ == "__main__":
    other()
"""
    )
    done = run("prog.py", cwd=base)
    assert done.stdout == "UndecodableMessage True\nBadActorClass\nhello you\n", done.stderr + done.stdout


@pytest.mark.parametrize(
    "text", ["say __main__", "__main__", "__main__ x", ["__main__", "x"], {"__main__": "__main__"}]
)
def test_texts_that_mention_main_are_not_taken_for_classes(text: object) -> None:
    bodies = Bodies(None, None, program=True)
    body, main = bodies.dumps(text, foreign=False)
    assert (pickle.loads(body), main) == (text, None)
    assert not _names_main(body)


def test_classes_of_main_are_found_also_the_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = type("First", (), {"__module__": "__main__"}), type("Second", (), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "First", first, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "Second", second, raising=False)
    assert _names_main(pickle.dumps(["__main__", Path, second], 5))
    assert _names_main(pickle.dumps({"x": (1, first, second)}, 5))
    assert not _names_main(pickle.dumps([Path, OSError], 5))


def test_a_main_is_compiled_once_for_many_processes(tmp_path: Path) -> None:
    path = tmp_path / "prog.py"
    main = Main(f"{PREFIX}0123456789abcdef", str(path))
    publish(main, tmp_path)
    finder = MainFinder(tmp_path)
    finder.install()
    try:
        path.write_text("value = 1")
        compile_ahead(main.name, tmp_path)
        path.write_text("not looked at again")
        assert importlib.import_module(main.name).value == 1
    finally:
        finder.remove()
        sys.modules.pop(main.name, None)


@pytest.mark.parametrize("text", ["a syntax error", "x = '\0'", None])
def test_a_main_that_cannot_be_compiled_is_left_to_whoever_needs_it(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "prog.py"
    if text is not None:
        path.write_text(text)
    main = Main(f"{PREFIX}{abs(hash(text)):x}", str(path))
    publish(main, tmp_path)
    compile_ahead(main.name, tmp_path)
    compile_ahead(f"{PREFIX}unpublished", tmp_path)
