"""Memory for large messages: as fast to fill as the machine allows.

Owns nothing. Fresh memory costs more than the copy into it (64 MB: 6 ms for the copy, 35 ms with 16,000 page faults), so it is asked
for in huge pages where the kernel has them, and is not cleared first. Where `ctypes` or the call is missing, it is a plain bytearray.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

HUGE_FROM: Final = 4 * 1024 * 1024
"""Bytes from which huge pages (2 MB) are worth asking for."""
_PAGE: Final = mmap.PAGESIZE


def allocate(size: int) -> bytearray:
    """A bytearray with any content, which the caller must overwrite as a whole before anybody else sees it.

    Raises:
        MemoryError: there is none.
    """
    if size < HUGE_FROM:
        return bytearray(size)
    make = _maker()
    if make is None:
        return bytearray(size)
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, ValueError, OverflowError) as error:
        # CPython complains on the standard error output when the call below finds none.
        raise MemoryError(f"{size} bytes") from error
    return make(size)


@lru_cache(maxsize=1)
def _maker() -> Callable[[int], bytearray] | None:
    try:
        import ctypes  # late: most processes never have a large message

        raw: Any = ctypes.pythonapi.PyByteArray_FromStringAndSize
        raw.restype, raw.argtypes = ctypes.py_object, (ctypes.c_char_p, ctypes.c_ssize_t)
        advise: Any = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        huge = mmap.MADV_HUGEPAGE
    except (ImportError, AttributeError, OSError):
        return None

    def make(size: int) -> bytearray:
        made: bytearray = raw(None, size)
        start = ctypes.addressof(ctypes.c_char.from_buffer(made))
        first = -(-start // _PAGE) * _PAGE
        advise(
            first, (start + size - first) // _PAGE * _PAGE, huge
        )  # advice: that it fails changes nothing but the time
        return made

    return make


__all__ = ["HUGE_FROM", "allocate"]
