"""Compiled code by the digest of its source, so that no process compiles a file twice.

Owns the files ``<folder>/<tag of the Python>/<digest>``. A damaged or missing one only costs time. Must not know bundles. Whoever can write
there can run code as this user; the folder is therefore private, like the store around it.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import threading
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

_TAG = f"{sys.implementation.cache_tag}-{MAGIC_NUMBER.hex()}-{sys.flags.optimize}"


class CodeCache:
    """Compiled files.

    Args:
        folder: where they are kept; None: nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / _TAG if folder is not None else None

    def code(self, digest: str, source: Callable[[], bytes], filename: str) -> CodeType:
        """The code of a file.

        Args:
            digest: of its source.
            source: reads it; only called when it was not compiled before.
            filename: shows up in tracebacks.
        """
        found = self._read(digest)
        if found is None:
            found = compile(source(), filename, "exec", dont_inherit=True)
            self._write(digest, found)
        return found if found.co_filename == filename else _renamed(found, filename)

    def _read(self, digest: str) -> CodeType | None:
        if self._folder is None:
            return None
        try:
            data = (self._folder / digest).read_bytes()
            if hashlib.sha256(data[32:]).digest() != data[:32]:
                return None
            code = marshal.loads(data[32:])  # noqa: S302 - written by this user, for this very Python
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return code if isinstance(code, CodeType) else None

    def _write(self, digest: str, code: CodeType) -> None:
        if self._folder is None or sys.dont_write_bytecode:
            return
        data = marshal.dumps(code)
        temporary = self._folder / f".{digest}.{os.getpid()}.{threading.get_ident()}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.replace(self._folder / digest)
        except OSError:  # a full or read-only disk costs time only
            temporary.unlink(missing_ok=True)


def _renamed(code: CodeType, filename: str) -> CodeType:
    constants = tuple(_renamed(each, filename) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
