"""What a bundle is: its canonical manifest, from which its identity follows.

Owns the fields, their checks, the canonical form and the hash. Must not know zip files, signatures or times. Invariants:

* One content has one text: keys sorted, no spaces, files in the order of their paths. A text in any other form is refused.
* The identity is SHA-256 over that text. It holds no build time, so the same tree has the same identity wherever it is built.
* Every path is relative, has no ``..`` and means the same file on every file system.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from garrick.errors import BundleRefused

DOMAIN: Final = b"garrick-bundle-v1\0"
FORMAT: Final = 1
Isolation = Literal["shared", "process"]
_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
_VERSION: Final = re.compile(
    r"(?P<release>\d{1,9}(?:\.\d{1,9}){0,7})(?:(?P<pre>a|b|rc)(?P<number>\d{1,9}))?(?:\.dev(?P<dev>\d{1,9}))?\Z"
)
_PYTHON: Final = re.compile(r"3\.\d{1,2}\Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_FIELDS: Final = {"files", "format", "isolation", "name", "native", "python", "version"}
_ORDER: Final = {"a": 0, "b": 1, "rc": 2, None: 3}


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle."""

    path: str
    size: int
    digest: str
    """SHA-256, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is.

    Attributes:
        name: of the group of versions that it belongs to.
        version: such as ``1.4``, ``2.0rc1`` or ``2.0.dev3``.
        python: the oldest Python that it runs on, such as ``3.11``.
        isolation: ``process`` when its actors need processes of their own.
        native: whether compiled extensions are in it.
        files: sorted by path.
        uses: top-level names that mean those of other bundles, and the hashes of these; sorted.
    """

    name: str
    version: str
    python: str
    isolation: Isolation
    native: bool
    files: tuple[File, ...]
    uses: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """The canonical form."""
        return canonical(
            {
                **({"uses": dict(self.uses)} if self.uses else {}),
                "files": [[file.path, file.size, file.digest] for file in self.files],
                "format": FORMAT,
                "isolation": self.isolation,
                "name": self.name,
                "native": self.native,
                "python": self.python,
                "version": self.version,
            }
        )

    @property
    def hash(self) -> str:
        """The identity of the bundle, in hexadecimal."""
        return identity(self.text())


def canonical(value: Any) -> str:
    """The one text of a value of JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def identity(text: str) -> str:
    """The hash of a manifest's text, in hexadecimal."""
    return hashlib.sha256(DOMAIN + text.encode()).hexdigest()


def parse(text: str) -> Manifest:
    """The manifest of a text.

    Raises:
        BundleRefused: it is not canonical, or says what no manifest says.
    """
    try:
        value = json.loads(text)
        same = canonical(value) == text
        text.encode()  # lone surrogates are no text
    except (ValueError, RecursionError) as error:
        raise BundleRefused(f"the manifest is no JSON: {error}", code="GAR-7112") from None
    if not same:
        raise BundleRefused("the manifest is JSON, but not in its canonical form", code="GAR-7112")
    if not isinstance(value, dict) or set(value) - {"uses"} != _FIELDS:
        raise _wrong(f"its fields are not {', '.join(sorted(_FIELDS))}")
    if value["format"] != FORMAT or isinstance(value["format"], bool):
        raise _wrong(f"its format is {value['format']!r}, and this version of Garrick reads {FORMAT}")
    manifest = Manifest(
        _text(value, "name", _NAME),
        _text(value, "version", _VERSION),
        _text(value, "python", _PYTHON),
        value["isolation"],
        value["native"],
        _files(value["files"]),
        _uses(value["uses"]) if "uses" in value else (),
    )
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Refuse what contradicts itself.

    Raises:
        BundleRefused: with the reason.
    """
    for field, pattern in (("name", _NAME), ("version", _VERSION), ("python", _PYTHON)):
        _text({field: getattr(manifest, field)}, field, pattern)
    if manifest.isolation not in {"shared", "process"}:
        raise _wrong(f"isolation is {manifest.isolation!r}, not 'shared' or 'process'")
    if not isinstance(manifest.native, bool):
        raise _wrong("native is neither true nor false")
    if manifest.native and manifest.isolation != "process":
        raise _wrong("compiled extensions need isolation 'process'")
    if any(is_native(file.path) for file in manifest.files) != manifest.native:
        raise _wrong("native does not say whether compiled extensions are among the files")
    if not any(file.path.endswith((".py", ".so", ".pyd")) for file in manifest.files):
        raise _wrong("there is no module in it")
    if [file.path for file in manifest.files] != sorted(file.path for file in manifest.files):
        raise _wrong("the files are not in the order of their paths")
    check_paths(file.path for file in manifest.files)
    if list(manifest.uses) != sorted(manifest.uses):
        raise _wrong("what it uses is not in order")
    for top, digest in manifest.uses:
        if not top.isidentifier() or not _DIGEST.match(digest):
            raise _wrong(f"{top!r}: {digest!r} is no use of another bundle")
        if any(file.path in (f"{top}.py", f"{top}/__init__.py") for file in manifest.files):
            raise _wrong(f"{top!r} is in it, and in another bundle that it uses")


def is_native(path: str) -> bool:
    """Whether a file is a compiled extension or a library for one."""
    name = path.rpartition("/")[2]
    return name.endswith((".so", ".pyd", ".dll", ".dylib")) or ".so." in name


def check_paths(paths: Iterable[str]) -> None:
    """Refuse paths that lead outside, or that mean different files on different file systems.

    Raises:
        BundleRefused: with the path.
    """
    seen: dict[str, str] = {}
    for path in paths:
        reason = _unsafe(path)
        if reason:
            raise BundleRefused(f"the path {path!r} {reason}", code="GAR-7114")
        folded = path.casefold()
        if folded in seen:
            reason = "is there twice" if seen[folded] == path else f"differs from {seen[folded]!r} only in case"
            raise BundleRefused(f"the path {path!r} {reason}", code="GAR-7117" if seen[folded] == path else "GAR-7114")
        seen[folded] = path
    for folded, path in seen.items():
        above = folded.rpartition("/")[0]
        while above:
            if above in seen:
                raise BundleRefused(f"{seen[above]!r} is a file, and {path!r} is in it", code="GAR-7114")
            above = above.rpartition("/")[0]


def _unsafe(path: str) -> str | None:
    parts = path.split("/")
    if path.startswith("/") or "" in parts or "." in parts or ".." in parts:
        return "is not a plain relative path"
    if "\\" in path or ":" in path or any(unicodedata.category(each)[0] == "C" for each in path):
        return "has characters that some systems take for something else"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in Unicode's normal form NFC"
    if len(path.encode()) > 1000 or any(len(part.encode()) > 255 for part in parts):
        return "is too long"
    if "__pycache__" in parts or path.endswith((".pyc", ".pyo")):
        return "is compiled code, which the host makes by itself"
    if any(part.endswith((" ", ".")) for part in parts):
        return "ends in a character that some systems drop"
    return None


def version_key(version: str) -> tuple[Any, ...]:
    """What versions are ordered by: 1.9 < 1.10.dev1 < 1.10rc1 < 1.10 = 1.10.0.

    Raises:
        BundleRefused: it is no version.
    """
    found = _VERSION.match(version)
    if found is None:
        raise _wrong(f"{version!r} is no version such as 1.4, 2.0rc1 or 2.0.dev3")
    release = [int(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    # A development version comes before everything that it leads to: 2.0.dev3 before 2.0a1, and 2.0a1.dev1 before 2.0a1.
    stage = -1 if found["dev"] and not found["pre"] else _ORDER[found["pre"]]
    return tuple(release), stage, int(found["number"] or 0), int(found["dev"]) if found["dev"] else float("inf")


def _text(value: dict[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    found = value[field]
    if not isinstance(found, str) or not pattern.match(found):
        raise _wrong(f"its {field} {found!r} is not of the form {pattern.pattern}")
    return found


def _files(value: Any) -> tuple[File, ...]:
    if not isinstance(value, list):
        raise _wrong("files is no list")
    files = []
    for each in value:
        match each:
            case [str(path), int(size), str(digest)] if (
                size >= 0 and not isinstance(size, bool) and _DIGEST.match(digest)
            ):
                files.append(File(path, size, digest))
            case _:
                raise _wrong("an entry of files is not [path, size, SHA-256]")
    return tuple(files)


def _uses(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) for each in value.values()):
        raise _wrong("uses is no object of hashes, or empty")
    return tuple(sorted(value.items()))


def _wrong(what: str) -> BundleRefused:
    return BundleRefused(f"the manifest is wrong: {what}", code="GAR-7113")
