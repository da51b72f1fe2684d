"""`Ways`: what becomes of what sets out in the memory network.

Owns the port. The simulator has the implementation with faults; without one, frames take their latency and arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Ways(Protocol):
    """Decides when, whether and how often something arrives. The hub's own name is empty."""

    def carry(self, source: str, target: str, frame: bytes, arrive: Callable[[bytes], None]) -> None:
        """A frame from one system to another: ``arrive`` may be called later, never, twice, or with less."""
        ...

    def tell(self, source: str, target: str, arrive: Callable[[], None]) -> None:
        """A message between a system and the hub; what the system sends arrives once and in order, unless the way is cut."""
        ...

    def tell_all(self, targets: Sequence[str], arrive: Callable[[str], None]) -> None:
        """A message from the hub to many systems: ``arrive`` is called with the name of each that gets it, as by `tell`."""
        ...

    def is_open(self, source: str, target: str) -> bool:
        """Whether something that is sent now can arrive."""
        ...
