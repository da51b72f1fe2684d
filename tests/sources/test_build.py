"""The same tree makes the same bundle, and what can't be in one is named."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

import garrick
from garrick.errors import BuildFailed
from garrick.sources.build import build
from garrick.sources.container import Limits, members, read
from garrick.sources.difference import difference
from garrick.sources.manifest import Manifest, parse, version_key

from .making import APP, PYTHONS, made, tree


def manifest_of(data: bytes) -> Manifest:
    return parse(read(data, Limits()).text)


def paths(data: bytes) -> list[str]:
    return [file.path for file in manifest_of(data).files]


def test_a_folder_a_package_and_a_module(tmp_path: Path) -> None:
    tree(
        tmp_path, {**APP, "six.py": "", ".git/config": "", "app/__pycache__/x.pyc": "", ".hidden.py": "", "old.pyc": ""}
    )
    assert paths(build([tmp_path], "bank", "1.0")) == [
        "app/__init__.py",
        "app/data/words.txt",
        "app/model.py",
        "six.py",
    ]
    assert paths(build([tmp_path / "app"], "bank", "1.0"))[0] == "app/__init__.py"
    assert paths(build([tmp_path / "six.py"], "bank", "1.0")) == ["six.py"]
    opened = read(build([tmp_path], "bank", "1.0"), Limits())
    assert members(parse(opened.text), opened.archive, Limits())["app/model.py"] == b"VERSION = 1\n"


def test_neither_times_nor_modes_nor_places_matter(tmp_path: Path) -> None:
    first = made(tmp_path / "first")
    tree(tmp_path / "second", dict(reversed(APP.items())))
    os.utime(tmp_path / "second/app/model.py", (1, 1))
    os.chmod(tmp_path / "second/app/model.py", 0o755)
    assert build([tmp_path / "second"], "bank", "1.0") == first


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_every_python_makes_the_same_bytes(python: str, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from garrick.sources.build import build; "
        "sys.stdout.buffer.write(build([pathlib.Path(sys.argv[1])], 'bank', '1.0'))"
    )
    place = str(Path(garrick.__file__).parents[1])
    expected = made(tmp_path, {**APP, "app/größe.py": "g = 'ß'\n"})
    done = subprocess.run(
        [python, "-S", "-c", program, str(tmp_path)],
        capture_output=True,
        timeout=50,
        check=False,
        env={"PYTHONPATH": place, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout == expected, done.stderr.decode()


def test_wheels_are_laid_flat(tmp_path: Path) -> None:
    wheel = tmp_path / "lib-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lib/__init__.py", "x = 1\n")
        archive.writestr("lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\n")
        archive.writestr("lib-1.data/purelib/more.py", "")
        archive.writestr("lib-1.data/scripts/tool", "")
    data = build([], "bank", "1.0", wheels=[wheel])
    assert paths(data) == ["lib-1.dist-info/METADATA", "lib/__init__.py", "more.py"]
    assert (manifest_of(data).native, manifest_of(data).isolation) == (False, "shared")


def test_compiled_extensions_need_processes_of_their_own(tmp_path: Path) -> None:
    data = made(tmp_path, {**APP, "app/_fast.cpython-311-x86_64-linux-gnu.so": ""})
    assert (manifest_of(data).native, manifest_of(data).isolation) == (True, "process")


def test_what_makes_no_bundle(tmp_path: Path) -> None:
    first = tree(tmp_path / "first", APP)
    with pytest.raises(BuildFailed, match="other content"):
        build([first, tree(tmp_path / "second", {"app/model.py": "VERSION = 2\n"})], "bank", "1.0")
    with pytest.raises(BuildFailed, match="no module"):
        build([tree(tmp_path / "third", {"readme.txt": ""})], "bank", "1.0")
    with pytest.raises(BuildFailed, match="version"):
        build([first], "bank", "one")
    with pytest.raises(BuildFailed, match="neither"):
        build([tmp_path / "nowhere"], "bank", "1.0")
    with pytest.raises(BuildFailed, match="no wheel"):
        build([], "bank", "1.0", wheels=[first / "app/model.py"])
    (first / "app/link.py").symlink_to("/etc/passwd")
    with pytest.raises(BuildFailed, match="is a link"):
        build([first], "bank", "1.0")


def test_differences(tmp_path: Path) -> None:
    old = manifest_of(made(tmp_path / "old"))
    more = {"app/__init__.py": "", "app/model.py": APP["app/model.py"], "app/new.py": ""}
    new = manifest_of(made(tmp_path / "new", more, version="2.0"))
    found = difference(old, new)
    assert found.fields == {"version": ("1.0", "2.0")}
    assert (found.added, found.removed, found.changed) == (
        ("app/new.py",),
        ("app/data/words.txt",),
        ("app/__init__.py",),
    )


def test_versions_are_ordered() -> None:
    order = ["0.9", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0.1", "1.9", "1.10", "2"]
    keys = [version_key(each) for each in order]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)
    assert version_key("1.0.0") == version_key("1")
