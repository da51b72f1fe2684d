"""The version of the code that runs, which may differ from what is installed by now."""

from __future__ import annotations

__version__ = "0.1.0"
