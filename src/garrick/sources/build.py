"""Making a bundle of folders, modules and pure wheels.

Owns what goes in and what stays out. The only input is the content of files: neither times, nor modes, nor the order of a directory
reach the bundle, so the same tree gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from garrick.errors import BuildFailed, BundleRefused
from garrick.sources.container import Limits, pack, read, write
from garrick.sources.index import Index
from garrick.sources.manifest import File, Isolation, Manifest, check, is_native, parse

LEFT_OUT = {"__pycache__", "node_modules"}


def build(
    roots: Sequence[Path],
    name: str,
    version: str,
    *,
    wheels: Sequence[Path] = (),
    python: str = "3.11",
    isolation: Isolation = "shared",
    uses: Sequence[bytes] = (),
) -> bytes:
    """A bundle, not signed yet.

    Args:
        roots: packages (folders with ``__init__.py``), modules, or folders that hold such.
        name: of the group of versions.
        version: such as ``1.4``.
        wheels: whose files are put in beside.
        python: the oldest Python that it runs on.
        isolation: ``process`` for processes of its own; compiled extensions always need that.
        uses: other bundles; their top-level names mean the code of exactly these.

    Raises:
        BuildFailed: no bundle can be made of it.
    """
    contents: dict[str, bytes] = {}
    for root in roots:
        _add(contents, _tree(root), str(root))
    for wheel in wheels:
        _add(contents, _wheel(wheel), str(wheel))
    if len(contents) > Limits().files:
        raise BuildFailed(f"{len(contents)} files are more than the {Limits().files} of a bundle")
    native = any(is_native(path) for path in contents)
    files = tuple(
        File(path, len(contents[path]), hashlib.sha256(contents[path]).hexdigest()) for path in sorted(contents)
    )
    manifest = Manifest(name, version, python, "process" if native else isolation, native, files, _used(uses))
    try:
        check(manifest)
    except BundleRefused as error:
        raise BuildFailed(str(error.args[0]), hint="the reference of bundles: docs/explanation/sources.md") from error
    return write(manifest.text(), (), pack(contents))


def _used(bundles: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for data in bundles:
        manifest = parse(read(data, Limits()).text)
        for top in Index(manifest).tops:
            if found.setdefault(top, manifest.hash) != manifest.hash:
                raise BuildFailed(f"{top} is in two of the bundles that it uses")
    return tuple(sorted(found.items()))


def _add(contents: dict[str, bytes], more: dict[str, bytes], origin: str) -> None:
    for path, content in more.items():
        if contents.get(path, content) != content:
            raise BuildFailed(f"{path} is in {origin}, and with other content in something before")
        contents[path] = content


def _tree(root: Path) -> dict[str, bytes]:
    if root.is_file():
        return {root.name: root.read_bytes()}
    if not root.is_dir():
        raise BuildFailed(f"{root} is neither a file nor a folder")
    start = root.resolve().parent if (root / "__init__.py").is_file() else root.resolve()
    found: dict[str, bytes] = {}
    for folder, folders, names in os.walk(root.resolve()):
        folders[:] = [each for each in folders if each not in LEFT_OUT and not each.startswith(".")]
        for entry in [*folders, *names]:
            if os.path.islink(os.path.join(folder, entry)):
                raise BuildFailed(f"{os.path.join(folder, entry)} is a link", hint="put the files themselves there")
        for entry in names:
            if not entry.startswith(".") and not entry.endswith((".pyc", ".pyo")):
                path = Path(folder, entry)
                found[path.relative_to(start).as_posix()] = path.read_bytes()
    return found


def _wheel(wheel: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(wheel) as opened:
            for entry in opened.infolist():
                head, _, rest = entry.filename.partition("/")
                if entry.is_dir() or entry.filename.endswith((".pyc", ".pyo")):
                    continue
                if not head.endswith(".data"):
                    found[entry.filename] = opened.read(entry)
                elif rest.partition("/")[0] in {"purelib", "platlib"}:
                    found[rest.partition("/")[2]] = opened.read(entry)
    except (OSError, zipfile.BadZipFile) as error:
        raise BuildFailed(f"{wheel} is no wheel: {error}") from None
    return found
