"""Deterministic simulation: the real runtime and the real admin, in virtual time, one event after the other.

``ActorSystem("sim")`` is one system on a world of its own: the sequential base for debugging. `garrick.sim.world.World` holds several.
"""

from garrick.sim.border import boundary
from garrick.sim.goals import reached, sometimes

__all__ = ["boundary", "reached", "sometimes"]
