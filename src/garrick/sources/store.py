"""Bundles on this host, by hash: unpacked once, ready to be imported by every process of the user.

Owns the layout ``<directory>/<hash>/`` with ``bundle.srcb`` and ``tree/``, and ``<directory>/code/`` (see `codecache`). Only what has been
verified is put in. Invariants:

* The directory is this user's alone (0700); files in it are read-only.
* An entry appears in one step, complete; two processes that add the same bundle do not disturb each other.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from garrick.errors import SourceConflict, SourceDamaged, SourceMissing
from garrick.sources.codecache import CodeCache
from garrick.sources.container import Limits, read
from garrick.sources.manifest import parse
from garrick.sources.private import private_folder
from garrick.sources.storage import Folder
from garrick.sources.verify import Verified

_HASH = re.compile(r"[0-9a-f]{64}\Z")


def default_directory() -> Path:
    """Where the store of this user is: ``$GARRICK_SOURCES``, else ``garrick/sources`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    given = os.environ.get("GARRICK_SOURCES")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "garrick" / "sources"


class Store:
    """The bundles of one directory.

    Args:
        directory: another one than `default_directory()`.

    Raises:
        SourceDamaged: the directory belongs to or is open to somebody else.
    """

    def __init__(self, directory: Path | None = None) -> None:
        path = directory or default_directory()
        self.directory = private_folder(path, "code", "GARRICK_SOURCES", SourceDamaged)
        self.cache = CodeCache(self.directory / "code")

    def add(self, verified: Verified, data: bytes) -> None:
        """Unpack a bundle, unless it is there already.

        Args:
            verified: what the checks gave.
            data: the bundle itself, for those who fetch it from here.
        """
        target = self.directory / verified.hash
        if target.exists():
            return
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.directory))
        try:
            for path, content in {"../bundle.srcb": data, **verified.contents}.items():
                file = temporary / "tree" / path
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.write_bytes(content)
                file.chmod(0o400)
            with contextlib.suppress(FileExistsError, OSError):  # somebody else was faster
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if not target.exists():
            raise SourceDamaged(f"{target} could not be written", hint="is the disk full, or read-only?")

    def hashes(self) -> list[str]:
        """All bundles that are here."""
        return sorted(entry.name for entry in self.directory.iterdir() if _HASH.match(entry.name))

    def find(self, prefix: str) -> str:
        """The hash that begins like this.

        Raises:
            SourceMissing: there is none.
            SourceConflict: there are several.
        """
        found = [each for each in self.hashes() if each.startswith(prefix)]
        if not found:
            raise SourceMissing(f"the source {prefix} is not in {self.directory}")
        if len(found) > 1:
            raise SourceConflict(f"several sources begin with {prefix}: {', '.join(found)}")
        return found[0]

    def bundle(self, digest: str) -> bytes:
        """The file of a bundle, as it was added.

        Raises:
            SourceMissing: it is not here.
        """
        try:
            return (self.directory / digest / "bundle.srcb").read_bytes()
        except FileNotFoundError:
            raise SourceMissing(f"the source {digest[:8]} is not in {self.directory}") from None

    def open(self, digest: str) -> Folder:
        """The files of a bundle.

        Raises:
            SourceMissing: it is not here.
            SourceDamaged: it is not what it was.
        """
        opened = read(self.bundle(digest), Limits())
        if opened.hash != digest:
            raise SourceDamaged(f"{self.directory / digest} holds another bundle")
        return Folder(parse(opened.text), self.directory / digest / "tree")

    def remove(self, digest: str) -> None:
        """Forget a bundle, if it is here."""
        doomed = self.directory / f".old-{digest}-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            (self.directory / digest).rename(doomed)
            shutil.rmtree(doomed)
