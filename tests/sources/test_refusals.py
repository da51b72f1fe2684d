"""Everything that can be wrong with a bundle is refused, each with its own code, and the archive is only looked at when it is trusted."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrick.errors import REFUSALS, BundleRefused
from garrick.sources import keys, verify
from garrick.sources.container import MAGIC, Limits, pack, read, statement, write
from garrick.sources.manifest import File, Manifest, canonical
from garrick.sources.trust import Trust

from .making import ANN, BEN, EVE, NOW, id_of, made, signed, trust, trusted


def code_of(data: bytes, trusting: Trust | None = None, *, limits: Limits | None = None, now: float = NOW) -> str:
    with pytest.raises(BundleRefused) as caught:
        verify.verify(data, trusting or trust(ANN), now, keys.check, limits)
    assert caught.value.hint
    return caught.value.code


@pytest.fixture
def bundle(tmp_path: Path) -> bytes:
    return signed(made(tmp_path), ANN)


@pytest.fixture
def no_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive must not be opened."""

    def opened(*_: Any) -> None:
        raise AssertionError("the archive was opened")

    monkeypatch.setattr(verify, "members", opened)


def test_a_bundle_with_a_trusted_signature_is_accepted(bundle: bytes) -> None:
    found = verify.verify(bundle, trust(ANN), NOW, keys.check)
    assert found.manifest.name == "bank"
    assert found.signers == ("ann",)
    assert found.contents["app/model.py"] == b"VERSION = 1\n"
    assert found.hash == hashlib.sha256(b"garrick-bundle-v1\0" + found.manifest.text().encode()).hexdigest()


# --- the header ------------------------------------------------------------------------------------------------------


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "big")
    start = len(MAGIC) + 4
    return json.loads(data[start : start + size]), data[start + size :]


def with_header(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    header, archive = header_of(data)
    change(header)
    text = json.dumps(header).encode()
    return MAGIC + len(text).to_bytes(4, "big") + text + archive


@pytest.mark.usefixtures("no_zip")
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"PK\x03\x04" + data,
        lambda data: data[:9],
        lambda data: data[:60],
        lambda data: data[:10] + b"{" * 50 + data[60:],
        lambda data: with_header(data, lambda header: header.update(more=1)),
        lambda data: with_header(data, lambda header: header.update(manifest=1)),
        lambda data: with_header(data, lambda header: header.update(manifest="\ud800")),
        lambda data: with_header(data, lambda header: header.update(signatures={})),
        lambda data: with_header(data, lambda header: header["signatures"].append({"key": "x"})),
        lambda data: with_header(data, lambda header: header["signatures"][0].update(signature="xy")),
        lambda data: with_header(data, lambda header: header["signatures"][0].update(expires=True)),
    ],
)
def test_what_does_not_begin_as_a_bundle(bundle: bytes, change: Callable[[bytes], bytes]) -> None:
    assert code_of(change(bundle)) == "GAR-7101"


@pytest.mark.usefixtures("no_zip")
def test_a_large_header_is_refused_before_it_is_read(bundle: bytes) -> None:
    assert code_of(bundle, limits=Limits(header=100)) == "GAR-7102"
    assert code_of(MAGIC + b"\xff\xff\xff\xff" + b"{") == "GAR-7102"
    assert code_of(bundle, limits=Limits(total=100)) == "GAR-7102"
    many = with_header(bundle, lambda header: header.update(signatures=header["signatures"] * 33))
    assert code_of(many) == "GAR-7102"


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_zip")
def test_signatures(bundle: bytes, tmp_path: Path) -> None:
    bare = made(tmp_path)
    assert code_of(bare) == "GAR-7103"
    assert code_of(bundle, Trust()) == "GAR-7104"
    assert code_of(signed(bare, EVE)) == "GAR-7104"
    opened = read(bundle, Limits())
    (signature,) = opened.signatures
    for other in (
        write(opened.text.replace('"1.0"', '"1.1"'), [signature], opened.archive),
        write(opened.text, [dataclasses.replace(signature, expires=2**40)], opened.archive),
        write(opened.text, [dataclasses.replace(signature, rollback=True)], opened.archive),
        write(opened.text, [dataclasses.replace(signature, signature=bytes(64))], opened.archive),
        write(opened.text, [dataclasses.replace(signature, signature=b"")], opened.archive),
    ):
        assert code_of(other) == "GAR-7105"


@pytest.mark.usefixtures("no_zip")
def test_a_signature_of_eve_with_the_name_of_ann_is_wrong(tmp_path: Path) -> None:
    opened = read(signed(made(tmp_path), EVE), Limits())
    (signature,) = opened.signatures
    forged = write(opened.text, [dataclasses.replace(signature, key=id_of(ANN))], opened.archive)
    assert code_of(forged) == "GAR-7105"


@pytest.mark.usefixtures("no_zip")
def test_too_few_keys_stand_for_it(bundle: bytes, tmp_path: Path) -> None:
    two = dataclasses.replace(trust(ANN, BEN), thresholds={"ba*": 2, "*": 1})
    assert code_of(bundle, two) == "GAR-7106"
    assert code_of(signed(made(tmp_path), ANN, EVE), two) == "GAR-7106"
    opened = read(bundle, Limits())
    twice = write(opened.text, opened.signatures * 2, opened.archive)
    assert code_of(twice, two) == "GAR-7106"


def test_enough_keys_stand_for_it(tmp_path: Path) -> None:
    two = dataclasses.replace(trust(ANN, BEN), thresholds={"bank": 2})
    assert verify.verify(signed(made(tmp_path), BEN, ANN, EVE), two, NOW, keys.check).signers in {
        ("ann", "ben"),
        ("ben", "ann"),
    }


@pytest.mark.usefixtures("no_zip")
def test_keys_stand_for_their_groups_and_times_only(bundle: bytes) -> None:
    assert code_of(bundle, Trust(trusted(ANN, "shop", "bank-*"))) == "GAR-7107"
    assert code_of(bundle, Trust(trusted(ANN, valid_from=int(NOW) + 1))) == "GAR-7108"
    assert code_of(bundle, Trust(trusted(ANN, valid_until=int(NOW)))) == "GAR-7108"
    assert code_of(bundle, Trust(trusted(ANN, revoked="lost"))) == "GAR-7109"


@pytest.mark.usefixtures("no_zip")
def test_signatures_expire(tmp_path: Path) -> None:
    short = signed(made(tmp_path), ANN, expires=int(NOW) + 10)
    assert code_of(short, now=NOW + 10) == "GAR-7110"


def test_renewed_signatures_leave_the_identity_alone(tmp_path: Path) -> None:
    short = signed(made(tmp_path), ANN, expires=int(NOW) + 10)
    longer = signed(short, ANN, expires=int(NOW) + 20)
    assert verify.verify(longer, trust(ANN), NOW + 15, keys.check).hash == read(short, Limits()).hash


def test_an_older_version_needs_a_signature_that_says_so(tmp_path: Path) -> None:
    seen = dataclasses.replace(trust(ANN, BEN), highest={"bank": "1.10", "shop": "3.0"})
    bare = made(tmp_path, version="1.9")
    assert code_of(signed(bare, ANN), seen) == "GAR-7111"
    assert verify.verify(signed(bare, ANN, rollback=True), seen, NOW, keys.check).manifest.version == "1.9"
    two = dataclasses.replace(seen, thresholds={"*": 2})
    assert code_of(signed(signed(bare, ANN, rollback=True), BEN), two) == "GAR-7111"
    assert verify.verify(signed(made(tmp_path, version="1.10.0"), ANN), seen, NOW, keys.check).signers == ("ann",)


# --- the manifest ----------------------------------------------------------------------------------------------------


def about(text: str, archive: bytes = b"") -> bytes:
    """A bundle with this manifest, well signed."""
    key = id_of(ANN)
    opened = keys.sign(read(write(text, (), archive), Limits()), "ann", ANN)
    assert keys.check(
        keys.public_of("ann", ANN).public, opened.signatures[0].signature, statement(text, key, None, rollback=False)
    )
    return write(opened.text, opened.signatures, opened.archive)


def manifest(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "files": [["a.py", 0, hashlib.sha256(b"").hexdigest()]],
        "format": 1,
        "isolation": "shared",
        "name": "bank",
        "native": False,
        "python": "3.11",
        "version": "1.0",
    }
    return {**value, **changes}


@pytest.mark.usefixtures("no_zip")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        json.dumps(manifest()),
        canonical(manifest()) + "\n",
        canonical(manifest()).replace('{"files"', '{"format":1,"files"'),
        canonical(manifest()).replace('"version"', '"versio\\u006e"'),
        "1" * 5000,
        "NaN",
    ],
    ids=["empty", "open", "deep", "spaces", "newline", "twice", "escapes", "long number", "nan"],
)
def test_manifests_in_another_form(text: str) -> None:
    assert code_of(about(text)) == "GAR-7112"


def entry(path: str) -> list[Any]:
    return [path, 0, hashlib.sha256(b"").hexdigest()]


@pytest.mark.usefixtures("no_zip")
@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": True},
        {"more": 1},
        {"name": "Bank"},
        {"name": "../bank"},
        {"name": "bank\n"},
        {"version": "1.0-final"},
        {"version": 1},
        {"python": "2.7"},
        {"isolation": "none"},
        {"native": 0},
        {"native": True},
        {"files": {}},
        {"files": []},
        {"files": [entry("readme.txt")]},
        {"files": [["a.py", -1, "0" * 64]]},
        {"files": [["a.py", True, "0" * 64]]},
        {"files": [["a.py", 0, "0" * 63]]},
        {"files": [["a.py", 0, "A" * 64]]},
        {"files": [entry("b.py"), entry("a.py")]},
        {"files": [entry("a.py"), entry("lib/_speed.so")]},
        {"files": [entry("a.py"), entry("lib/_speed.so")], "native": True},
    ],
    ids=str,
)
def test_manifests_that_say_what_none_says(changes: dict[str, Any]) -> None:
    assert code_of(about(canonical(manifest(**changes)))) == "GAR-7113"


UNSAFE = [
    "../a.py",
    "/a.py",
    "a/../../b.py",
    "./a.py",
    "a//b.py",
    "a/",
    "C:/a.py",
    "a\\b.py",
    "a\0.py",
    "a\n.py",
    "a\u202e.py",
    "u\u0308.py",
    "a./b.py",
    "x" * 256,
    "__pycache__/a.py",
    "a.pyc",
]


@pytest.mark.usefixtures("no_zip")
@pytest.mark.parametrize("path", UNSAFE, ids=ascii)
def test_signed_paths_that_lead_elsewhere(path: str) -> None:
    paths = sorted([path, "m.py"])
    assert code_of(about(canonical(manifest(files=[entry(each) for each in paths])))) == "GAR-7114"


@pytest.mark.usefixtures("no_zip")
@pytest.mark.parametrize(
    ("paths", "code"),
    [(["A.py", "a.py"], "GAR-7114"), (["a.py", "a.py/b.py"], "GAR-7114"), (["a.py", "a.py"], "GAR-7117")],
)
def test_signed_paths_that_meet(paths: list[str], code: str) -> None:
    assert code_of(about(canonical(manifest(files=[entry(each) for each in paths])))) == code


# --- the archive -----------------------------------------------------------------------------------------------------


def with_archive(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    opened = read(data, Limits())
    return write(opened.text, opened.signatures, change(opened.archive))


def zipped(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


GOOD = [
    ("app/__init__.py", b"from app.model import VERSION\n"),
    ("app/data/words.txt", b"one two\n"),
    ("app/model.py", b"VERSION = 1\n"),
]


def flip(archive: bytes, part: bytes) -> bytes:
    at = archive.index(part)
    return archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1 :]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (lambda good: b"", "GAR-7115"),
        (lambda good: good[:-30], "GAR-7115"),
        (lambda good: flip(good, b"VERSION = 1"), "GAR-7115"),  # the sum of the archive does not fit any more
        (lambda good: zipped(GOOD, zipfile.ZIP_DEFLATED), "GAR-7115"),
        (lambda good: pack({**dict(GOOD), "app/evil.py": b"evil"}), "GAR-7116"),
        (lambda good: pack(dict(GOOD[1:])), "GAR-7116"),
        (lambda good: pack({**dict(GOOD), "../evil.py": b"evil"}), "GAR-7114"),
        (lambda good: zipped([*GOOD, ("/etc/passwd", b"evil")]), "GAR-7114"),
        (lambda good: zipped([*GOOD, GOOD[0]]), "GAR-7117"),
        (lambda good: pack({**dict(GOOD), "app/model.py": b"VERSION = 2\n"}), "GAR-7118"),
        (lambda good: pack({**dict(GOOD), "app/model.py": b"VERSION = 1\n" * 9}), "GAR-7118"),
        (lambda good: good + b"more", "GAR-7119"),
        (lambda good: b"more" + good, "GAR-7119"),
        (lambda good: zipped(GOOD), "GAR-7119"),  # the same files with times of their own
        (lambda good: good[:-2] + b"\x04\0more", "GAR-7119"),
    ],
)
def test_archives_that_are_not_what_was_signed(bundle: bytes, archive: Callable[[bytes], bytes], code: str) -> None:
    assert code_of(with_archive(bundle, archive)) == code


def test_sizes_of_files_are_limited(bundle: bytes) -> None:
    assert code_of(bundle, limits=Limits(file=10)) == "GAR-7102"
    assert code_of(bundle, limits=Limits(files=2)) == "GAR-7102"
    bomb = Manifest("bank", "1.0", "3.11", "shared", False, (File("a.py", 2**60, "0" * 64),))
    assert code_of(about(bomb.text(), pack({"a.py": b""}))) == "GAR-7102"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_changed_byte_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is changed, cut off or added: refused with a code, never accepted and never another error."""
    bundle = BUNDLE or _fill(tmp_path_factory)
    at = data.draw(st.integers(0, len(bundle) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "insert"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    if kind == "change":
        other = bundle[:at] + byte + bundle[at + 1 :]
    elif kind == "cut":
        other = bundle[:at]
    else:
        other = bundle[:at] + byte + bundle[at:]
    accepted, code = None, ""
    try:
        accepted = verify.verify(other, trust(ANN), NOW, keys.check)
    except BundleRefused as error:
        code = error.code
    if accepted is None:
        assert code in REFUSALS
    else:  # nothing was changed, or only the spelling of the header
        assert accepted == verify.verify(bundle, trust(ANN), NOW, keys.check)
        assert header_of(other) == header_of(bundle)


BUNDLE = b""


def _fill(factory: pytest.TempPathFactory) -> bytes:
    global BUNDLE  # noqa: PLW0603
    BUNDLE = signed(made(factory.mktemp("bundle")), ANN)
    return BUNDLE
