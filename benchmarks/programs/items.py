"""What the programs for large and many messages send: messages of their own classes, and an array.

A module of its own, so that every process finds the classes by the same name.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

KILOBYTES_64 = bytes(range(256)) * 256
MARKS = (17, 23)


@dataclass(frozen=True)
class Reading:
    """A message as users write them: a few fields of common types."""

    index: int
    sensor: str
    value: float
    valid: bool


class Array:
    """Memory that hands its buffer to pickle as NumPy's arrays do: it may travel beside the pickle (protocol 5)."""

    def __init__(self, data: Any) -> None:
        self.data = memoryview(data)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol >= 5:
            return Array, (pickle.PickleBuffer(self.data),)
        return Array, (bytes(self.data),)

    def signature(self) -> tuple[int, int, int]:
        """Its size, and bytes from two places of it: whoever has the array can say them, and nobody else."""
        return len(self.data), self.data[1], self.data[-1]


def array(size: int) -> Array:
    """An array of so many bytes, each page of it written."""
    data = bytearray(size)
    data[::4096] = bytes([1]) * len(data[::4096])
    data[1], data[-1] = MARKS
    return Array(data)


def item(kind: str, index: int) -> Any:
    """One message of a flood."""
    if kind == "dataclasses":
        return Reading(index, "outside", 12.5, valid=True)
    return index, KILOBYTES_64


def weight(message: Any) -> int:
    """What the receiver adds up, so that it has looked at every message."""
    if isinstance(message, Reading):
        return message.index
    index, data = message
    return int(index) + len(data) - len(KILOBYTES_64)
