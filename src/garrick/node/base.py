"""`Node`: what every base gives to `garrick.system.ActorSystem`."""

from __future__ import annotations

from typing import Protocol

from garrick.runtime.runtime import Runtime


class Node(Protocol):
    """A running system as the calling program holds it.

    Attributes:
        name: of the system.
        runtime: the runtime in this process, through which the program sends, asks and spawns.
    """

    name: str
    runtime: Runtime

    def stop(self, grace: float) -> list[str]:
        """End the system (or this program's part of it, if it only attached).

        Args:
            grace: seconds that actors get to end by themselves.

        Returns:
            What had to be abandoned, each as text.
        """
        ...
