"""Messages about conventions."""

from __future__ import annotations

from thespian._messages import ActorSystemConventionUpdate

__all__ = ["ActorSystemConventionUpdate"]
