"""Bundles from other hosts: giving them out in chunks, and getting one, once per host.

Owns the chunks, the file of what has come so far, and the lock that lets one process of the host do it for all. Must not know how another
host is asked. Invariants:

* What has come is one file of one holder, known by its digest: chunks of different files are never mixed, and what is there of it already
  is not fetched again.
* Nothing is believed of the holder: the caller verifies what it gets like any bundle.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from garrick.errors import GarrickError, SourceMissing
from garrick.sources import loading
from garrick.sources.container import Limits
from garrick.sources.store import Store

CHUNK: Final = 256 * 1024
"""Bytes that are asked for at a time."""
LOOK: Final = 0.05
"""Seconds between two looks whether another process has finished."""
KNOWN: Final = 100
"""Digests of bundle files that are remembered."""

Holder = Callable[[int], Mapping[str, Any]]
"""Asks one holder for the chunk that begins at an offset; the answer is what `chunk` gave there. Raises `GarrickError` if it can't."""

_digests: Final[dict[str, str]] = {}


def chunk(part: str, offset: int) -> dict[str, Any]:
    """A piece of a bundle that this host has.

    Args:
        part: ``h`` and the first 16 digits of its hash.
        offset: where it begins.

    Returns:
        ``size`` and ``digest`` (SHA-256) of the whole file, and ``data``; empty: it is not here.
    """
    try:
        store = next(s for s in loading.stores() if any(h.startswith(part[1:]) for h in s.hashes()))
        digest = store.find(part[1:])
        path = store.directory / digest / "bundle.srcb"
        if digest not in _digests:
            if len(_digests) >= KNOWN:
                _digests.clear()
            _digests[digest] = hashlib.sha256(path.read_bytes()).hexdigest()
        with path.open("rb") as file:
            file.seek(offset)
            return {"size": path.stat().st_size, "digest": _digests[digest], "data": file.read(CHUNK)}
    except (StopIteration, OSError, GarrickError):
        return {}


@contextlib.contextmanager
def alone(store: Store, part: str, deadline: float) -> Iterator[None]:
    """No other process of this host deals with this source meanwhile.

    Args:
        store: of the host.
        part: of the source.
        deadline: on `time.monotonic`.

    Raises:
        SourceMissing: another one has not finished in time.
    """
    with (store.directory / f".lock-{part}").open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise SourceMissing(f"another process has not fetched the source {part[1:]} in time") from None
                time.sleep(LOOK)
        yield


def fetch(part: str, holders: Iterable[Holder], store: Store, deadline: float) -> bytes:
    """The file of a bundle, from the first holder that gives all of it; to be called within `alone`.

    Args:
        part: of the source.
        holders: who may have it, in order.
        store: where what has come is kept until it is complete.
        deadline: on `time.monotonic`.

    Raises:
        SourceMissing: nobody gave it; the text says what the last one said.
    """
    limits = Limits()
    most = limits.header + limits.total + 2**20
    said = "nobody is known who may have it"
    for holder in holders:
        try:
            found = holder(0)
            if not found:
                said = "who was asked does not have it"
                continue
            size, digest = int(found["size"]), str(found["digest"])
            if not 0 < size <= most or not digest.isalnum():
                said = f"{size} bytes are no bundle"
                continue
            data = _all(part, holder, found, store, deadline)
        except GarrickError as error:
            said = str(error.args[0]) if error.args else type(error).__name__
            continue
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        said = "what came is damaged"
        _partial(store, part, digest).unlink(missing_ok=True)
    raise SourceMissing(f"the source {part[1:]} can't be fetched: {said}", name=f"{loading.PACKAGE}.{part}")


def _partial(store: Store, part: str, digest: str) -> Any:
    return store.directory / f".part-{part}-{digest[:16]}"


def _all(part: str, holder: Holder, first: Mapping[str, Any], store: Store, deadline: float) -> bytes:
    path = _partial(store, part, str(first["digest"]))
    with path.open("ab") as file:
        path.chmod(0o600)
        if file.tell() == 0:
            file.write(first["data"])
        while file.tell() < first["size"]:
            if time.monotonic() >= deadline:
                raise SourceMissing(f"{file.tell()} of {first['size']} bytes came in time; the rest is fetched later")
            found = holder(file.tell())
            if found.get("digest") != first["digest"] or not found["data"]:
                raise SourceMissing("the holder has another file now")
            file.write(found["data"])
            file.flush()
    return path.read_bytes()  # type: ignore[no-any-return]


def forget(part: str, store: Store) -> None:
    """The source is in the store, or was refused: what had come is not needed any more."""
    for path in store.directory.glob(f".part-{part}-*"):
        path.unlink(missing_ok=True)
