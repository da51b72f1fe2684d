"""The name by which documentation calls `thespian.local_importlib`."""

from __future__ import annotations

from thespian.local_importlib import import_module

__all__ = ["import_module"]
