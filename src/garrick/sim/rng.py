"""Randomness and identifiers of a world: everything follows from its seed.

Owns the derivation. Invariant: streams are independent, so that one more draw in one place changes nothing elsewhere; ``hash()`` is
never used, since it differs from process to process.
"""

from __future__ import annotations

import random
from collections import Counter
from hashlib import blake2b


def derive(seed: int, *parts: object) -> int:
    """64 bits that depend on the seed and the parts, and on nothing else."""
    text = "\0".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class SeededRandom:
    """See `garrick.ports.Random`; one per system."""

    def __init__(self, seed: int, owner: str) -> None:
        self._seed = seed
        self._owner = owner
        self._streams: dict[str, random.Random] = {}

    def stream(self, name: str) -> random.Random:
        """See Random."""
        stream = self._streams.get(name)
        if stream is None:
            seed = derive(self._seed, "stream", self._owner, name)
            stream = self._streams[name] = random.Random(seed)
        return stream


class SeededIds:
    """See `garrick.ports.Ids`; one per world."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._starts: Counter[str] = Counter()

    def incarnation(self, name: str) -> str:
        """The incarnation of the next start of the system ``name``."""
        self._starts[name] += 1
        return f"{derive(self._seed, 'incarnation', name, self._starts[name]) >> 24:010x}"
