"""The simulated disk, and what Garrick writes by a disk that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrick.disk import Disk, RealDisk, replace_file
from garrick.errors import InvalidArgument
from garrick.sim.choices import Choices
from garrick.sim.disk import SimDisk
from garrick.sim.world import World

OLD, NEW = b"the old one" * 10, b"the new one" * 20


def disks(seed: int = 0) -> SimDisk:
    return SimDisk(Choices(seed), "s")


@pytest.fixture(params=["sim", "real"])
def disk(request: pytest.FixtureRequest) -> Disk:
    return disks() if request.param == "sim" else RealDisk()


def test_files(disk: Disk, tmp_path: Path) -> None:
    one, two = f"{tmp_path}/one", f"{tmp_path}/two"
    disk.create(one, b"a")
    disk.append(one, b"b")
    disk.append(two, b"c")
    with pytest.raises(FileExistsError):
        disk.create(one, b"")
    disk.sync(one)
    disk.rename(one, two)
    disk.sync_folder(str(tmp_path))
    assert disk.read(two) == b"ab"
    with pytest.raises(FileNotFoundError):
        disk.read(one)
    disk.remove(two)
    for missing in (disk.remove, disk.read, disk.sync):
        with pytest.raises(FileNotFoundError):
            missing(two)
    replace_file(disk, one, OLD)
    replace_file(disk, one, NEW)
    assert disk.read(one) == NEW


class _PowerIsGone(Exception):
    pass


class Fragile:
    """A disk whose power goes before its ``last``-th operation."""

    def __init__(self, disk: SimDisk, last: int) -> None:
        self._disk = disk
        self._left = last

    def __getattr__(self, name: str) -> Any:
        if self._left == 0:
            self._disk.crash()
            self._left = -1
        if self._left < 0:
            raise _PowerIsGone
        self._left -= 1
        return getattr(self._disk, name)


def crashes(write: Any) -> set[bytes]:
    """What is there after a crash at any point of ``write``, over what seeds say is lost."""
    found = set()
    for seed in range(40):
        for last in range(7):
            disk = disks(seed)
            replace_file(disk, "/d/f", OLD)
            try:
                write(Fragile(disk, last))
            except _PowerIsGone:
                pass
            else:
                disk.crash()
            found.add(disk.read("/d/f"))
    return found


def test_a_file_that_is_replaced_is_the_old_one_or_the_new_one() -> None:
    assert crashes(lambda disk: replace_file(disk, "/d/f", NEW)) == {OLD, NEW}


def test_a_file_that_is_not_synced_may_be_torn() -> None:
    def careless(disk: Any) -> None:
        disk.create("/d/f.new", NEW)
        disk.rename("/d/f.new", "/d/f")
        disk.sync_folder("/d")

    found = crashes(careless)
    assert OLD in found
    assert any(NEW.startswith(torn) for torn in found - {NEW})


def test_what_was_replaced_stays_replaced() -> None:
    for seed in range(20):
        disk = disks(seed)
        replace_file(disk, "/d/f", OLD)
        replace_file(disk, "/d/f", NEW)
        disk.crash()
        assert disk.read("/d/f") == NEW


def test_names_that_were_not_synced_may_be_lost() -> None:
    found = set()
    for seed in range(20):
        disk = disks(seed)
        disk.create("/d/f", b"x")
        disk.sync("/d/f")
        disk.crash()
        try:
            found.add(disk.read("/d/f"))
        except FileNotFoundError:
            found.add(b"")
    assert found == {b"", b"x"}


def test_a_full_disk_keeps_the_old_file() -> None:
    disk = disks()
    replace_file(disk, "/d/f", OLD)
    disk.fill(len(NEW) - 1)
    with pytest.raises(OSError, match="full"):
        replace_file(disk, "/d/f", NEW)
    assert disk.read("/d/f") == OLD
    with pytest.raises(FileNotFoundError):
        disk.read("/d/f.new")
    disk.fill(None)
    replace_file(disk, "/d/f", NEW)
    assert disk.read("/d/f") == NEW
    with pytest.raises(InvalidArgument):
        disk.fill(-1)


def test_the_disk_of_a_system_survives_its_crash() -> None:
    with World(1) as world:
        world.systems(2)
        disk = world.disk("s1")
        replace_file(disk, "/d/f", OLD)
        disk.append("/d/f", b"and what was not synced" * 100)
        world.crash("s1")
        world.restart("s1")
        assert world.disk("s1") is disk
        assert disk.read("/d/f").startswith(OLD)
        world.crash("s1", keep=())
        with pytest.raises(FileNotFoundError):
            world.disk("s1").read("/d/f")
