"""The Admin Port of a system that other programs can find.

Owns `AdminPort`, a Garrick actor that keeps the port taken for as long as the system lives, so that two systems can't have one and programs
that look whether something listens there see it. Who connects is disconnected at once: nothing is read, and nothing can be asked there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from garrick.actor import Actor
from thespian._status import INTERNAL

NAME = INTERNAL + "admin port"


class AdminPort(Actor):
    """See the module.

    Args:
        kind: ``tcp`` or ``udp``.
        port: its number.
    """

    def __init__(self, kind: str, port: int) -> None:
        self._socket = taken(kind, port)
        if kind == "tcp":
            threading.Thread(target=_hang_up, args=(self._socket,), name="thespian-admin-port", daemon=True).start()

    def stopping(self, reason: str) -> None:
        """See Actor."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # which also ends the thread's wait
        self._socket.close()


def taken(kind: str, port: int) -> socket.socket:
    """The port, which nobody else can have now. On all addresses of this machine that programs may probe: the loopback ones by default.

    Raises:
        OSError: somebody has it.
    """
    host = os.environ.get("THESPIAN_BASE_IPADDR") or "127.0.0.1"
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    try:
        if kind == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if kind == "tcp":
            sock.listen(16)
    except BaseException:
        sock.close()
        raise
    return sock


def _hang_up(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has been closed
        while True:
            listener.accept()[0].close()
