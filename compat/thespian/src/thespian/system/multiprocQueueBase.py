"""``multiprocQueueBase``: a process for every actor; the system belongs to the program and ends with it."""

from __future__ import annotations

from typing import ClassVar

from thespian._multiprocess import OwnedBase


class ActorSystemBase(OwnedBase):
    """See the module; and `thespian._multiprocess.OwnedBase`."""

    name: ClassVar[str] = "multiprocQueueBase"
    version: ClassVar[int] = 1
