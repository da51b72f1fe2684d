"""Deterministic simulation: the real runtime and the real admin, in virtual time, one event after the other.

``ActorSystem("sim")`` is one system on a world of its own: the sequential base for debugging. `World` holds several; `explore` runs a
scenario in worlds of many seeds, and makes of a failure the smallest run that fails in the same way.
"""

from garrick.sim.border import boundary
from garrick.sim.goals import reached, sometimes
from garrick.sim.world import World

from garrick.sim.explore import Report, explore  # isort: skip
from garrick.sim.sim_test import sim_test  # isort: skip

__all__ = ["Report", "World", "boundary", "explore", "reached", "sim_test", "sometimes"]
