"""Import of modules by name."""

from __future__ import annotations

from importlib import import_module

__all__ = ["import_module"]
