"""What becomes of objects that one actor of a process gives to another one: passed as they are, or copied as between processes.

Owns the two fidelities. How it is copied says `garrick.runtime.copying`: what can't be pickled can't be sent, and nobody changes what
somebody else has.
"""

from __future__ import annotations

from typing import Final

from garrick.errors import InvalidArgument

OBJECTS: Final = "objects"
PICKLE: Final = "pickle"


def copies(fidelity: str) -> bool:
    """Whether objects are copied.

    Raises:
        InvalidArgument: there is no such fidelity.
    """
    if fidelity not in (OBJECTS, PICKLE):
        raise InvalidArgument(f"fidelity={fidelity!r}", hint=f"{OBJECTS!r}, or {PICKLE!r}: what is sent is copied")
    return fidelity == PICKLE
