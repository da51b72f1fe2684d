"""Where the files of a loaded bundle are: unpacked on disk, or in memory.

Owns reading them. Must not know imports. Invariant: what is read has the digest that was signed, each time.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from garrick.errors import SourceDamaged
from garrick.sources.index import Index
from garrick.sources.manifest import Manifest


class Storage(Protocol):
    """The files of one bundle.

    Attributes:
        manifest: of the bundle.
        index: of its files.
        root: what the paths of its modules begin with; absolute.
    """

    manifest: Manifest
    index: Index
    root: str

    def read(self, path: str) -> bytes:
        """The content of a file; FileNotFoundError if it is not in the bundle."""
        ...

    def resource(self, path: str) -> Any:
        """A file or folder as what `importlib.resources` gives."""
        ...


class Folder:
    """A bundle that is unpacked.

    Args:
        manifest: of the bundle.
        root: the folder of its files.
    """

    def __init__(self, manifest: Manifest, root: Path) -> None:
        self.manifest = manifest
        self.index = Index(manifest)
        self.root = os.path.abspath(root)

    def read(self, path: str) -> bytes:
        """See `Storage`."""
        if path not in self.index.digests:
            raise FileNotFoundError(path)
        with open(os.path.join(self.root, path), "rb") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != self.index.digests[path]:
            raise SourceDamaged(f"{os.path.join(self.root, path)} is not the file that was signed")
        return content

    def resource(self, path: str) -> Any:
        """See `Storage`."""
        return Path(self.root, path)


class Memory:
    """A bundle that is only in memory.

    Args:
        manifest: of the bundle.
        contents: all its files.
        root: a place that does not exist, for the names of its files.
    """

    def __init__(self, manifest: Manifest, contents: Mapping[str, bytes], root: str) -> None:
        self.manifest = manifest
        self.index = Index(manifest)
        self.root = root
        self._contents = dict(contents)

    def read(self, path: str) -> bytes:
        """See `Storage`."""
        if path not in self._contents:
            raise FileNotFoundError(path)
        return self._contents[path]

    def resource(self, path: str) -> Any:
        """See `Storage`."""
        return Resource(self, path)


class Resource:
    """A file or folder of a bundle in memory, as `importlib.resources.abc.Traversable` describes it."""

    def __init__(self, storage: Memory, path: str) -> None:
        self._storage = storage
        self._path = path

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self._path.rpartition("/")[2]

    def iterdir(self) -> Iterator[Resource]:
        """What is in the folder."""
        return iter([self.joinpath(name) for name in sorted(self._storage.index.folders.get(self._path, ()))])

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self._path in self._storage.index.folders

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._path in self._storage.index.digests

    def joinpath(self, *parts: str) -> Resource:
        """Something below."""
        path = "/".join(part for part in (self._path, *parts) if part)
        return Resource(self._storage, path)

    __truediv__ = joinpath

    def read_bytes(self) -> bytes:
        """The content."""
        return self._storage.read(self._path)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The content as text; UTF-8 unless said otherwise."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        """The content as a stream, for reading."""
        if mode not in {"r", "rb"}:
            raise ValueError("bundles are only read")
        stream = io.BytesIO(self.read_bytes())
        return stream if mode == "rb" else io.TextIOWrapper(stream, *arguments, **{"encoding": "utf-8", **options})

    def __str__(self) -> str:
        return f"{self._storage.root}/{self._path}"
