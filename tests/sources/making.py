"""Bundles and trust for tests."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from garrick.sources import keys
from garrick.sources.build import build
from garrick.sources.container import Limits, read, write
from garrick.sources.trust import Trust, TrustedKey

ANN, BEN, EVE = keys.new(), keys.new(), keys.new()
NAMES = {ANN: "ann", BEN: "ben", EVE: "eve"}
NOW = 1_900_000_000.0
APP = {
    "app/__init__.py": "from app.model import VERSION\n",
    "app/model.py": "VERSION = 1\n",
    "app/data/words.txt": "one two\n",
}


def _pythons() -> dict[str, str]:
    """This Python, and the other supported ones that are installed here, by their versions."""
    found: dict[str, str] = {}
    for version in ("3.11", "3.12", "3.13"):
        places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
        real = [str(place) for place in places if place and "shims" not in str(place)]
        found |= {version: real[-1]} if real else {}
    return {**found, f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}


PYTHONS = _pythons()


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def made(folder: Path, files: Mapping[str, str] = APP, *, name: str = "bank", version: str = "1.0") -> bytes:
    return build([tree(folder, files)], name, version)


def signed(data: bytes, *pems: bytes, expires: int | None = None, rollback: bool = False) -> bytes:
    opened = read(data, Limits())
    for pem in pems:
        opened = keys.sign(opened, NAMES[pem], pem, expires=expires, rollback=rollback)
    return write(opened.text, opened.signatures, opened.archive)


def signed_by(data: bytes, name: str, pem: bytes, *, rollback: bool = False) -> bytes:
    opened = keys.sign(read(data, Limits()), name, pem, rollback=rollback)
    return write(opened.text, opened.signatures, opened.archive)


def id_of(pem: bytes) -> str:
    return keys.public_of(NAMES[pem], pem).id


def trusted(pem: bytes, *groups: str, **times: int | str | None) -> dict[str, TrustedKey]:
    public = keys.public_of(NAMES[pem], pem)
    return {public.id: TrustedKey(public.name, public.public, groups or ("*",), **times)}  # type: ignore[arg-type]


def trust(*pems: bytes) -> Trust:
    return Trust({key: known for pem in pems for key, known in trusted(pem).items()})
