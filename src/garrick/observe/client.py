"""The asking side of the management socket, without asyncio: for the command line and for scripts.

Owns one blocking request. Must not know what methods there are.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from garrick.errors import ManagementError, NoSuchSystem, NotAuthorised
from garrick.observe.management import MAX_ANSWER, SOCKET, encode_request


def request(
    directory: Path | str, method: str, params: Mapping[str, Any] | None = None, *, timeout: float = 5.0
) -> Any:
    """Ask the system whose run directory this is.

    Args:
        directory: the run directory.
        method: for example ``status``.
        params: of the method.
        timeout: seconds for every wait.

    Raises:
        NoSuchSystem: nobody listens there (any more).
        NotAuthorised: the socket belongs to another user.
        TimeoutError: no answer in time.
        ManagementError: the system refused the request.
    """
    path = Path(directory) / SOCKET
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
        except PermissionError as error:
            raise NotAuthorised(f"{path} belongs to another user") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoSuchSystem(f"no system answers at {path}: it has ended, or has no management socket") from error
        connection.sendall(encode_request(method, params))
        line = _read_line(connection, path)
    answer = json.loads(line)
    if "error" in answer:
        said = answer["error"]
        raise ManagementError(said["message"], code=said["code"], hint=said.get("hint"))
    return answer["result"]


def _read_line(connection: socket.socket, path: Path) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        data = connection.recv(256 * 1024)
        if not data:
            raise NoSuchSystem(f"the system at {path} ended while it answered")
        received += data
        if len(received) > MAX_ANSWER:
            raise ManagementError(f"the answer is longer than {MAX_ANSWER} bytes")
    return bytes(received)
