from __future__ import annotations

from pathlib import Path

import pytest

from garrick.engine.nats.binary import VARIABLE, find_server
from garrick.errors import EngineNotFound, EngineTooOld

pytestmark = pytest.mark.processes


def fake(path: Path, output: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "scripts"))


def test_the_order_of_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineNotFound) as caught:
        find_server()
    assert "garrick[cluster]" in str(caught.value.hint)
    on_path = fake(tmp_path / "path" / "nats-server", "nats-server: v2.12.1")
    assert find_server().path == on_path
    in_scripts = fake(tmp_path / "scripts" / "nats-server", "nats-server: v2.15.1")
    assert find_server().path == in_scripts
    assert find_server().version == (2, 15, 1)
    by_variable = fake(tmp_path / "mine", "nats-server: v2.11.0")
    monkeypatch.setenv(VARIABLE, str(by_variable))
    assert find_server().path == by_variable
    by_option = fake(tmp_path / "option", "nats-server: v3.0.0")
    assert find_server(by_option).path == by_option


def test_too_old_is_an_error_and_no_reason_to_look_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "path" / "nats-server", "nats-server: v2.15.1")
    monkeypatch.setenv(VARIABLE, str(fake(tmp_path / "old", "nats-server: v2.9.10")))
    with pytest.raises(EngineTooOld, match=r"2\.9\.10.*2\.11"):
        find_server()


def test_what_is_named_must_exist_and_be_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineNotFound, match="the option"):
        find_server(tmp_path / "nothing")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(EngineNotFound, match=VARIABLE):
        find_server()
    with pytest.raises(EngineNotFound, match="version"):
        find_server(fake(tmp_path / "other", "hello"))
