"""Modules that are imported once, in the fork-server, for all processes of a system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from garrick import ActorSystem
from garrick.errors import SystemStartFailed
from tests.node.actors import Do, Victim
from tests.node.preload_actors import LoadedIn

pytestmark = pytest.mark.processes


def test_a_preloaded_module_is_imported_once() -> None:
    with ActorSystem(name="a", workers=1, preload=["tests.node.preload_actors"]) as system:
        loaded = system.spawn(LoadedIn, isolation="process"), system.spawn(LoadedIn)
        server = system.ask(system.spawn(Victim), Do("fork_server_pid"))
        assert {system.ask(actor, "where?") for actor in loaded} == {server}


def test_without_preload_each_process_imports_by_itself() -> None:
    with ActorSystem(name="a", workers=1) as system:
        actors = [system.spawn(LoadedIn, isolation="process") for _ in range(2)]
        assert len({system.ask(actor, "where?") for actor in actors}) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), name='ticker', daemon=True).start()",
            "ticker",
        ),
    ],
)
def test_what_can_not_be_preloaded_is_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    (tmp_path / "unfit_for_preload.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(SystemStartFailed, match=f"unfit_for_preload can't be preloaded: .*{problem}"):
        ActorSystem(name="a", workers=1, preload="unfit_for_preload")
