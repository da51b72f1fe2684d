"""An actor that knows which process has imported this module."""

from __future__ import annotations

import os
from typing import Any

from garrick import Actor, Address

IMPORTED_BY = os.getpid()


class LoadedIn(Actor):
    """Says so."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, IMPORTED_BY)
