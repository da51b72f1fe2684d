"""Requests for status, the answers, and their text."""

from __future__ import annotations

from thespian._status import Thespian_ActorStatus, Thespian_StatusReq, Thespian_SystemStatus, formatStatus

__all__ = ["Thespian_ActorStatus", "Thespian_StatusReq", "Thespian_SystemStatus", "formatStatus"]
