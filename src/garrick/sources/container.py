r"""A bundle as bytes: a header with the manifest and its signatures, then the files as a plain zip archive.

::

    bundle := "SRCB1\n" | length of the header (4 bytes, big-endian) | header | zip
    header := {"manifest": text, "signatures": [{"key", "expires", "rollback", "signature"} ...]}

Owns both directions. Must not know keys or files. Invariants:

* Reading the header never touches the archive; `members` is only called after the signatures have been checked.
* The archive is stored, not compressed, and made here to the last byte, so a bundle is the same whatever library wrote it, nothing in it
  can be a bomb, and nothing can hide between its files.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from garrick.errors import BundleRefused
from garrick.sources.manifest import Manifest, canonical, check_paths, identity

MAGIC: Final = b"SRCB1\n"
STATEMENT: Final = b"garrick-bundle-signature-v1\0"
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_DATE: Final = (1980 - 1980) << 9 | 1 << 5 | 1
_UTF8: Final = 0x800
_MODE: Final = 0o100444 << 16
_HEX: Final = re.compile(r"[0-9a-f]*\Z")


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest that is read; bytes, and a number of files."""

    header: int = 8 * 2**20
    file: int = 64 * 2**20
    total: int = 512 * 2**20
    files: int = 50_000
    signatures: int = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """What the holder of a key says of a bundle.

    Attributes:
        key: the identity of the key.
        expires: seconds since 1970 after which this does not count any more; None: never.
        rollback: whether the bundle may follow a newer version.
        signature: of all that and the manifest.
    """

    key: str
    expires: int | None
    rollback: bool
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose archive has not been looked at. Nothing in it is trusted yet."""

    text: str
    """Of the manifest."""
    signatures: tuple[Signature, ...]
    archive: bytes = field(repr=False)

    @property
    def hash(self) -> str:
        """The identity of the bundle."""
        return identity(self.text)


def statement(text: str, key: str, expires: int | None, rollback: bool) -> bytes:
    """The bytes that a signature is made over."""
    head = canonical({"expires": expires, "key": key, "rollback": rollback})
    return b"\0".join((STATEMENT[:-1], head.encode(), text.encode()))


def write(text: str, signatures: Sequence[Signature], archive: bytes) -> bytes:
    """A bundle."""
    entries = [
        {"expires": each.expires, "key": each.key, "rollback": each.rollback, "signature": each.signature.hex()}
        for each in sorted(signatures, key=lambda each: each.key)
    ]
    header = canonical({"manifest": text, "signatures": entries}).encode()
    return b"".join((MAGIC, len(header).to_bytes(4, "big"), header, archive))


def read(data: bytes, limits: Limits) -> Opened:
    """Take the header off.

    Raises:
        BundleRefused: it has none, or it is too large.
    """
    start = len(MAGIC) + 4
    if len(data) < start or not data.startswith(MAGIC):
        raise BundleRefused("this is not a bundle: it does not begin as one", code="GAR-7101")
    size = int.from_bytes(data[len(MAGIC) : start], "big")
    if size > limits.header:
        raise BundleRefused(f"the header has {size} bytes, more than {limits.header}", code="GAR-7102")
    if len(data) > start + size + limits.total:
        raise BundleRefused(f"the archive has more than {limits.total} bytes", code="GAR-7102")
    if len(data) < start + size:
        raise BundleRefused("this is not a bundle: it ends within its header", code="GAR-7101")
    try:
        header = json.loads(data[start : start + size].decode())
    except (ValueError, RecursionError):
        raise BundleRefused("this is not a bundle: its header is no JSON", code="GAR-7101") from None
    if (
        not isinstance(header, dict)
        or set(header) != {"manifest", "signatures"}
        or not isinstance(header["manifest"], str)
    ):
        raise BundleRefused("this is not a bundle: its header has other fields", code="GAR-7101")
    text = header["manifest"]
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise BundleRefused("this is not a bundle: its manifest is no text", code="GAR-7101")
    return Opened(text, _signatures(header["signatures"], limits), data[start + size :])


def _signatures(value: Any, limits: Limits) -> tuple[Signature, ...]:
    if not isinstance(value, list):
        raise BundleRefused("this is not a bundle: its signatures are no list", code="GAR-7101")
    if len(value) > limits.signatures:
        raise BundleRefused(f"it has more than {limits.signatures} signatures", code="GAR-7102")
    found = []
    for each in value:
        match each:
            case {
                "key": str(key),
                "expires": int() | None as expires,
                "rollback": bool(rollback),
                "signature": str(text),
            } if len(each) == 4 and not isinstance(expires, bool) and _HEX.match(text) and len(text) % 2 == 0:
                found.append(Signature(key, expires, rollback, bytes.fromhex(text)))
            case _:
                raise BundleRefused("this is not a bundle: a signature has another form", code="GAR-7101")
    return tuple(found)


# --- the archive -----------------------------------------------------------------------------------------------------


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The archive of these files: the same bytes for the same files, on every Python."""
    parts: list[bytes] = []
    central: list[bytes] = []
    at = 0
    for path in sorted(contents):
        content, name = contents[path], path.encode()
        sums = (zlib.crc32(content), len(content), len(content))
        parts += (_LOCAL.pack(b"PK\x03\x04", 20, _UTF8, 0, 0, _DATE, *sums, len(name), 0), name, content)
        central.append(
            _CENTRAL.pack(b"PK\x01\x02", 0x0314, 20, _UTF8, 0, 0, _DATE, *sums, len(name), 0, 0, 0, 0, _MODE, at)
        )
        central.append(name)
        at += _LOCAL.size + len(name) + len(content)
    table = b"".join(central)
    count = len(contents)
    return b"".join((*parts, table, _END.pack(b"PK\x05\x06", 0, 0, count, count, len(table), at, 0)))


def members(manifest: Manifest, archive: bytes, limits: Limits) -> dict[str, bytes]:
    """The files of a bundle whose manifest is trusted: exactly those that it names, with exactly that content.

    Raises:
        BundleRefused: with the first difference.
    """
    if len(manifest.files) > limits.files:
        raise BundleRefused(f"it has {len(manifest.files)} files, more than {limits.files}", code="GAR-7102")
    wanted = {file.path: file for file in manifest.files}
    for file in manifest.files:
        if file.size > limits.file:
            raise BundleRefused(f"{file.path} has {file.size} bytes, more than {limits.file}", code="GAR-7102")
    if sum(file.size for file in manifest.files) > limits.total:
        raise BundleRefused(f"its files have more than {limits.total} bytes", code="GAR-7102")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            _compare(entries, set(wanted))
            contents = {entry.filename: _content(opened, entry, wanted[entry.filename].size) for entry in entries}
    except (
        zipfile.BadZipFile,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise BundleRefused(f"the archive is damaged: {error}", code="GAR-7115") from None
    for path, content in contents.items():
        if len(content) != wanted[path].size or hashlib.sha256(content).hexdigest() != wanted[path].digest:
            raise BundleRefused(f"{path} is not the file that was signed", code="GAR-7118")
    if pack(contents) != archive:
        raise BundleRefused("the archive holds bytes that belong to none of its files", code="GAR-7119")
    return contents


def _compare(entries: Sequence[zipfile.ZipInfo], wanted: set[str]) -> None:
    names = [entry.orig_filename for entry in entries]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise BundleRefused(f"{twice[0]!r} is there twice", code="GAR-7117")
    extra = sorted(set(names) - wanted)
    if extra:
        check_paths(extra)
        raise BundleRefused(f"{extra[0]!r} is there and was not signed", code="GAR-7116")
    missing = sorted(wanted - set(names))
    if missing:
        raise BundleRefused(f"{missing[0]!r} was signed and is missing", code="GAR-7116")


def _content(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int) -> bytes:
    if entry.compress_type != zipfile.ZIP_STORED:
        raise BundleRefused(f"{entry.filename!r} is compressed, and files of bundles are not", code="GAR-7115")
    if entry.file_size != size:
        raise BundleRefused(f"{entry.filename!r} has {entry.file_size} bytes, and {size} were signed", code="GAR-7118")
    with opened.open(entry) as stream:
        return stream.read(size + 1)
