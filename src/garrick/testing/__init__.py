"""For tests of programs with actors: probes, manual time, and a plugin for pytest (`garrick.testing.plugin`).

The plugin is found by pytest itself where Garrick is installed; see ``docs/how-to/test-with-simulation.md``.
"""

from garrick.testing.clock import ManualClock
from garrick.testing.probe import Probe

__all__ = ["ManualClock", "Probe"]
