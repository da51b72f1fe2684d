"""`Returned`: an envelope that could not be delivered in another system comes back to the process that sent it.

Owns data only. Processes handle it in front of their runtime, exactly as an envelope that their own links hand back: the message
becomes a dead letter there, an ask fails, a spawn is refused, a watch is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from garrick.runtime.signals import Signal


@dataclass
class Returned(Signal):
    """To the control address of the sender's process.

    Attributes:
        envelope: the whole envelope, as it was sent.
        reason: ``system lost``, ``worker lost``, ``unknown``, ...
    """

    envelope: bytes
    reason: str
