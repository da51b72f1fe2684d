"""One look at a customer's server from outside: connect to its port, ask who it is.

Used by steps of the application server and by hosts alike. No retries: whoever waits for something decides how long.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said of itself."""

    name: str
    boot: int
    cause: str
    pid: int


def probe(address: str, port: int, *, seconds: float = 1.0) -> Answer | None:
    """The server's answer, or None when nobody answers within ``seconds``."""
    try:
        status, content = request("GET", address, port, "/", seconds=seconds)
    except (OSError, http.client.HTTPException):
        return None
    return Answer(**content) if status == 200 else None


def request(
    method: str, address: str, port: int, path: str, body: bytes | None = None, *, seconds: float = 1.0
) -> tuple[int, dict[str, Any]]:
    """One HTTP request; status and JSON content.

    Raises:
        OSError: nobody answers.
        http.client.HTTPException: what answers does not speak HTTP.
    """
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
