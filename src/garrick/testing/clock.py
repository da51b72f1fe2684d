"""`ManualClock`: the time of a simulated system, in the hands of a test."""

from __future__ import annotations

from garrick.errors import InvalidArgument
from garrick.sim.units import Duration
from garrick.sim.world import World, world_of
from garrick.system import ActorSystem


class ManualClock:
    """Time that passes when the test says so; everything that is due meanwhile happens.

    Args:
        system: a simulated system, or a world.

    Raises:
        InvalidArgument: the system is not simulated.
    """

    def __init__(self, system: ActorSystem | World) -> None:
        world = system if isinstance(system, World) else world_of(system)
        if world is None:
            raise InvalidArgument(f"{system!r} lives in real time", hint='use base "sim"')
        self._world = world

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._world.now

    def advance(self, duration: Duration) -> None:
        """Let so much time pass: seconds, or text such as ``"5min"``."""
        self._world.time_passes(duration)
