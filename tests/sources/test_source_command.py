"""``garrick source`` and ``garrick key``: from a tree to a bundle that is accepted, or not."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from garrick.cli import FAILED, NOT_FOUND, OK, REFUSED, USAGE, main
from garrick.errors import BadKey
from garrick.sources.keyring import Keyring, home

from .making import APP, tree


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    tree(tmp_path / "src", APP)
    return tmp_path / "home"


def shown(capsys: pytest.CaptureFixture[str], bundle: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["source", "show", bundle, "-o", "json"]) == OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def build(version: str = "1.0") -> str:
    assert main(["source", "build", "src", "--name", "bank", "--version", version]) == OK
    return f"bank-{version}.srcb"


def test_from_a_tree_to_a_bundle_that_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = build()
    assert f"{bundle}: bank 1.0, 3 files, " in capsys.readouterr().out
    assert shown(capsys, bundle)["refused"]["code"] == "GAR-7103"
    assert main(["key", "new", "ann"]) == OK
    assert main(["source", "sign", bundle, "--key", "ann", "--days", "30"]) == OK
    found = shown(capsys, bundle)
    assert found["refused"]["code"] == "GAR-7104"
    assert found["signatures"][0]["name"] is None
    assert main(["key", "trust", "ann", "--group", "bank"]) == OK
    found = shown(capsys, bundle)
    assert (found["refused"], found["name"], found["signatures"][0]["name"]) == (None, "bank", "ann")
    assert main(["source", "show", bundle]) == OK
    out = capsys.readouterr().out
    assert "verdict    accepted here\n" in out
    assert "app/data/words.txt" in out
    assert main(["key", "revoke", "ann", "--reason", "stolen"]) == OK
    assert "stolen" in shown(capsys, bundle)["refused"]["reason"]
    assert main(["key", "trust", "ann"]) == NOT_FOUND
    assert "revoked" in capsys.readouterr().err


def test_two_of_two_keys(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = build()
    for name in ("ann", "ben"):
        assert main(["key", "new", name]) == OK
        assert main(["key", "trust", name, "--group", "bank", "--threshold", "2"]) == OK
    assert main(["source", "sign", bundle, "--key", "ann"]) == OK
    assert shown(capsys, bundle)["refused"]["code"] == "GAR-7106"
    assert main(["source", "sign", bundle, "--key", "ben"]) == OK
    assert shown(capsys, bundle)["refused"] is None
    assert main(["key", "show"]) == OK
    assert "keys needed" in capsys.readouterr().out


def test_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    old = build()
    (Path("src/app/model.py")).write_text("VERSION = 2\n")
    new = build("2.0")
    capsys.readouterr()
    assert main(["source", "diff", old, new]) == OK
    assert capsys.readouterr().out == "version: 1.0 -> 2.0\n~ app/model.py\n"
    assert main(["source", "diff", old, old]) == OK
    assert capsys.readouterr().out == "the same bundle\n"
    assert main(["source", "diff", old, new, "-o", "json"]) == OK
    assert json.loads(capsys.readouterr().out)["changed"] == ["app/model.py"]


def test_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["source", "build", "--name", "bank", "--version", "1.0"]) == USAGE
    assert main(["source", "build", "src", "--name", "bank", "--version", "x"]) == FAILED
    assert "GAR-7001" in capsys.readouterr().err
    assert main(["source", "show", "nothing.srcb"]) == USAGE
    Path("other.srcb").write_bytes(b"PK")
    assert main(["source", "show", "other.srcb"]) == REFUSED
    assert "GAR-7101" in capsys.readouterr().err
    assert main(["source", "sign", build(), "--key", "nobody"]) == NOT_FOUND
    assert main(["key", "trust", "nobody.pub"]) == NOT_FOUND
    assert main(["key", "new", "../ann"]) == USAGE
    assert main(["key", "revoke", "nobody"]) == NOT_FOUND
    capsys.readouterr()
    assert main(["key", "show"]) == OK
    assert "no keys" in capsys.readouterr().out


def test_keys_are_private(house: Path) -> None:
    assert home() == house
    assert main(["key", "new", "ann"]) == OK
    private = house / "keys" / "ann.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.stat().st_mode) == 0o700
    assert main(["key", "new", "ann"]) == USAGE
    private.chmod(0o640)
    with pytest.raises(BadKey, match="open to other users"):
        Keyring().private("ann")
    house.chmod(0o777)
    with pytest.raises(BadKey, match="others may write"):
        Keyring()


def test_the_highest_version_only_grows() -> None:
    ring = Keyring()
    for version in ("1.9", "1.10", "1.2"):
        ring.remember("bank", version)
    assert ring.trust().highest == {"bank": "1.10"}


def test_a_damaged_keyring_trusts_nobody(house: Path) -> None:
    Keyring()
    (house / "trust.json").write_text("{")
    with pytest.raises(BadKey, match="damaged"):
        Keyring().trust()
