"""How a person names an actor: by its name, by the printed form of its address, or by an unambiguous part of either.

Owns reading and ranking such references. Must not know who knows the actors. An address prints as
``system@incarnation/process/creator.counter``; the part before the first ``/`` may be left out within a system.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from garrick.address import COUNTER_BITS

EXACT, AT_BORDER, PART = range(3)
"""How well a reference fits: the whole of it, whole components of it, or just its beginning or end."""
_ADDRESS = re.compile(
    r"(?:(?P<system>[^/\s]+)/)?(?P<process>\d{1,10})/(?P<creator>[0-9a-f]{1,40})\.(?P<counter>\d{1,13})\Z"
)


class Place(NamedTuple):
    """A printed address, read; ``system`` is None when it was left out."""

    system: str | None
    process: int
    serial: int


def read_address(text: str) -> Place | None:
    """The address that is printed so; None if this is no printed address."""
    found = _ADDRESS.match(text)
    if found is None:
        return None
    serial = int(found["creator"], 16) << COUNTER_BITS | int(found["counter"])
    return Place(found["system"], int(found["process"]), serial)


def fit(reference: str, address: str, name: str | None) -> int | None:
    """How well the reference fits this actor: `EXACT`, `AT_BORDER` or `PART`; None: not at all."""
    short = address.partition("/")[2]
    if reference in (name, address, short):
        return EXACT
    if address.endswith(f"/{reference}"):
        return AT_BORDER
    if short.startswith(reference) or address.endswith(reference):
        return PART
    return PART if name is not None and name.startswith(reference) else None


def natural(address: str) -> tuple[str, int, str, int]:
    """A key that sorts printed addresses as numbers and not as text."""
    system, _, rest = address.partition("/")
    process, _, serial = rest.partition("/")
    creator, _, counter = serial.partition(".")
    return system, int(process or 0), creator.rjust(40), int(counter or 0)
