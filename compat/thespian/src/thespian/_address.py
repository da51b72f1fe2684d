"""`ActorAddress`: Garrick's address as programs written for Thespian see it.

Owns the wrapping and the printed form. Must not know systems or actors. Invariant: two are equal, and hash alike, exactly if what they wrap
does, however they were obtained.
"""

from __future__ import annotations

from typing import Any

from garrick.address import COUNTER_BITS, Address

PREFIX = "thespian-"
"""Names of the systems that are made here begin with it: ``thespian-<kind>-<port or other distinction>``."""
TRANSPORTS = {"tcp": "T", "udp": "UDP"}


class ActorAddress:
    """An opaque handle of an actor; compare it, keep it, use it as a key, send it. Programs don't make any.

    Args:
        aaddr: the raw value.
    """

    def __init__(self, aaddr: Any) -> None:
        self._raw = aaddr

    @property
    def addressDetails(self) -> Any:
        """The raw value."""
        return self._raw

    @property
    def actorAddressString(self) -> str:
        """The raw value as text."""
        return self._raw if isinstance(self._raw, str) else printed(self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorAddress) and bool(self._raw == other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorAddress, (self._raw,)

    def __str__(self) -> str:
        return "ActorAddr-" + self.actorAddressString

    __repr__ = __str__


def printed(raw: Any) -> str:
    """A raw address as text: ``(T|:1900)~7.2.1`` is an actor of the system at port 1900."""
    if not isinstance(raw, Address) or not raw.system.startswith(PREFIX):
        return str(raw)
    kind, _, distinction = raw.system.partition("@")[0].removeprefix(PREFIX).partition("-")
    creator, counter = raw.serial >> COUNTER_BITS, raw.serial & ((1 << COUNTER_BITS) - 1)
    number = f"{raw.process}.{creator}.{counter}" if raw.serial or raw.process else ""
    if kind in TRANSPORTS:
        return f"({TRANSPORTS[kind]}|:{distinction})" + (number and f"~{number}")
    if kind == "queue":
        return "Q.ThespianQ" + (number and f".{number}")
    return "/A" + (number and f"~{number}")


def actor_address(address: Address[Any]) -> ActorAddress:
    """Garrick's address, wrapped."""
    return ActorAddress(address)
