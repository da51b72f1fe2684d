"""`Choices`: the one authority of everything in a world that could also have gone otherwise, except the order of events.

Owns labelled choices: each has a kind (``"net.drop"``) and a key that says which one of its kind it is (``("s1", "s2", 4)``, the fourth
frame from s1 to s2). Must not know what is chosen. Invariants:

* A value depends on the seed, the kind and the key, and on nothing else: one choice more or less moves no other one.
* 0 is the benign value of every kind: no fault, the shortest delay. Any choice may be forced to 0, or to a value of its own.
* One label is drawn once: callers count, and put the count into the key.

The order of events is `garrick.sim.kernel`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TypeAlias

from garrick.errors import InvalidArgument

Key: TypeAlias = tuple[str | int, ...]
Label: TypeAlias = tuple[str, Key]
"""``(kind, key)``"""
Draw: TypeAlias = tuple[str, Key, int]
"""``(kind, key, value)``: an entry of the tape."""

MILLION = 1_000_000
_RANGE = 1 << 64


class Choices:
    """See the module.

    Args:
        seed: of the world.
        overrides: values that are taken whatever the seed says, by label.
        benign: what has no override is 0, whatever the seed says.
        taped: keep every choice on the `tape`.
    """

    __slots__ = ("_off", "_overrides", "_rates", "benign", "made", "seed", "tape")

    def __init__(
        self,
        seed: int = 0,
        overrides: Mapping[Label, int] | None = None,
        *,
        benign: bool = False,
        taped: bool = False,
    ) -> None:
        self.seed = seed
        self.benign = benign
        self.made: dict[Label, int] = {}
        """The choices so far that are not 0. As overrides of a benign run they make the same run again."""
        self.tape: list[Draw] | None = [] if taped else None
        """All choices in their order, with the zeros."""
        self._overrides = dict(overrides or {})
        self._off: set[str] = set()
        self._rates: dict[str, int] = {}

    # --- what may be chosen ------------------------------------------------------------------------------------------------

    def turn_off(self, *kinds: str) -> None:
        """Every choice of these kinds is 0 from now on, unless an override says otherwise."""
        self._off.update(kinds)

    def turn_on(self, *kinds: str) -> None:
        """Undo `turn_off`."""
        self._off.difference_update(kinds)

    def is_off(self, kind: str) -> bool:
        """Whether all choices of the kind are 0, but those that an override gives."""
        return self.benign or kind in self._off

    def rate(self, kind: str, per_million: int) -> None:
        """`choose` and `between` of the kind are other than 0 only so often, from now on; then all other values are equally likely."""
        if not 0 <= per_million <= MILLION:
            raise InvalidArgument(f"a rate of {per_million} per million", hint=f"rates are 0 to {MILLION}")
        self._rates[kind] = per_million

    # --- choosing ------------------------------------------------------------------------------------------------------------

    def choose(self, kind: str, key: Key, bound: int) -> int:
        """One of ``range(bound)``: equally likely, unless the kind has a `rate` or is off.

        Args:
            kind: what is chosen.
            key: which choice of that kind it is.
            bound: above all values, at least 1. An override that is not below it counts as the highest value.
        """
        value = self._overrides.get((kind, key))
        if value is not None:
            return self._take(kind, key, min(value, bound - 1))
        if self.benign or kind in self._off or bound <= 1:
            return self._take(kind, key, 0)
        drawn = self._draw(kind, key)
        rate = self._rates.get(kind)
        if rate is None:
            return self._take(kind, key, drawn * bound // _RANGE)
        if drawn % MILLION >= rate:
            return self._take(kind, key, 0)
        return self._take(kind, key, 1 + drawn // MILLION % (bound - 1))

    def chance(self, kind: str, key: Key, per_million: int) -> bool:
        """Whether something with that probability happens; False when the kind is off."""
        value = self._overrides.get((kind, key))
        if value is None:
            possible = per_million > 0 and not self.benign and kind not in self._off
            value = int(possible and self._draw(kind, key) % MILLION < per_million)
        return self._take(kind, key, min(value, 1)) == 1

    def scripted(self, kind: str, key: Key) -> bool:
        """Whether something happens that the program asks for: yes, unless an override or `benign` says 0."""
        value = self._overrides.get((kind, key))
        if value is None:
            value = int(not self.benign and kind not in self._off)
        return self._take(kind, key, min(value, 1)) == 1

    def between(self, kind: str, key: Key, low_ns: int, high_ns: int) -> int:
        """A whole number from ``low_ns``, the benign one, to ``high_ns``, both included."""
        return low_ns + self.choose(kind, key, high_ns - low_ns + 1)

    def _draw(self, kind: str, key: Key) -> int:
        """64 bits. `ascii` of numbers and strings is the same text in every process and every version of Python."""
        text = ascii((self.seed, kind, key))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")

    def _take(self, kind: str, key: Key, value: int) -> int:
        if value:
            self.made[kind, key] = value
        if self.tape is not None:
            self.tape.append((kind, key, value))
        return value
