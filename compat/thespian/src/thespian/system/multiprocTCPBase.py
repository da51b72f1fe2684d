"""``multiprocTCPBase``: a process for every actor; the system is found by its Admin Port and goes on when the program ends."""

from __future__ import annotations

from typing import ClassVar

from thespian._multiprocess import DetachedBase


class ActorSystemBase(DetachedBase):
    """See the module; and `thespian._multiprocess.DetachedBase`."""

    name: ClassVar[str] = "multiprocTCPBase"
    kind: ClassVar[str] = "tcp"
    default_port: ClassVar[int] = 1900
    version: ClassVar[int] = 2
    watches: ClassVar[bool] = True
