"""The name by which documentation calls where the generation of the API stands."""

from __future__ import annotations

from thespian._capabilities import ThespianGeneration

__all__ = ["ThespianGeneration"]
