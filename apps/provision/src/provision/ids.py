"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562), for attempts and public ids."""

from __future__ import annotations

import secrets
import time
import uuid


def uuid7() -> str:
    """A new identifier: 48 bits of milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    high = (milliseconds & ((1 << 48) - 1)) << 80
    value = high | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
