"""Times, rates, probabilities and sizes as a person writes them: ``"200us"``, ``"1/10min"``, ``0.01``, ``"1MB/s"``.

Owns the notation. Everything becomes a whole number (nanoseconds, parts per million, bytes per second), so that nothing depends on the
order of sums.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

from garrick.errors import InvalidArgument

Duration: TypeAlias = str | float
"""Seconds, or text: a number and one of ``ns us ms s min h d``."""
Span: TypeAlias = Duration | tuple[Duration, Duration]
"""From and to; one value is both. As text: ``"2s..20s"``."""

_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_BYTES: Final = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_QUANTITY: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
MILLION: Final = 1_000_000


def nanoseconds(duration: Duration) -> int:
    """A duration in nanoseconds.

    Raises:
        InvalidArgument: it is none.
    """
    if isinstance(duration, str):
        number, unit = _quantity(duration)
        if unit not in _NS:
            raise _unknown(duration, "a duration", f"a number and one of {', '.join(_NS)}, such as 200ms")
        return round(number * _NS[unit])
    return round(duration * _NS["s"])


def span(value: Span) -> tuple[int, int]:
    """From and to, in nanoseconds.

    Raises:
        InvalidArgument: it is none, or it ends before it begins.
    """
    if isinstance(value, str) and ".." in value:
        first, _, last = value.partition("..")
        low, high = nanoseconds(first), nanoseconds(last)
    elif isinstance(value, tuple):
        low, high = nanoseconds(value[0]), nanoseconds(value[1])
    else:
        low = high = nanoseconds(value)
    if not 0 <= low <= high:
        raise _unknown(value, "a span of time", "two durations, the shorter one first, such as 2s..20s")
    return low, high


def per_million(probability: float) -> int:
    """A probability in parts per million.

    Raises:
        InvalidArgument: it is not between 0 and 1.
    """
    if not 0 <= probability <= 1:
        raise _unknown(probability, "a probability", "a number from 0 to 1")
    return round(probability * MILLION)


def bytes_per_second(rate: str | int) -> int:
    """A bandwidth in bytes per second.

    Raises:
        InvalidArgument: it is none, or 0.
    """
    if isinstance(rate, int):
        result = rate
    else:
        number, unit = _quantity(rate.strip().removesuffix("/s"))
        result = round(number * _BYTES.get(unit, 0))
    if result < 1:
        raise _unknown(rate, "a bandwidth", f"a number and one of {', '.join(_BYTES)}, such as 1MB/s")
    return result


class Rate(NamedTuple):
    """How often something happens to each of those that it can happen to, and how long it lasts."""

    period: int
    """Mean nanoseconds between two of them."""
    lasts: tuple[int, int]
    """Nanoseconds, from and to; (0, 0) if it has no length."""


def rate(text: str) -> Rate:
    """``"1/10min"``, ``"3/h"``, ``"1/5min:2s..20s"``.

    Raises:
        InvalidArgument: it is none.
    """
    often, _, lasts = text.partition(":")
    count, slash, per = often.partition("/")
    per = per.strip()
    try:
        period = nanoseconds(per if per[:1].isdigit() else f"1{per}") // int(count)
    except (ValueError, ZeroDivisionError):
        period = 0
    if not slash or period < 1:
        raise _unknown(
            text, "a rate", "how often per time, such as 1/10min, and perhaps how long, such as 1/5min:2s..20s"
        )
    return Rate(period, span(lasts.strip()) if lasts else (0, 0))


def _quantity(text: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return 0.0, "?"
    return float(match[1]), match[2]


def _unknown(value: object, what: str, hint: str) -> InvalidArgument:
    return InvalidArgument(f"{value!r} is not {what}", hint=hint)
