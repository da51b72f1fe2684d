"""A database that can be cut off, and the probe for it."""

from __future__ import annotations

import contextlib
import socket
import threading


def asks(port: int) -> bool:
    """The probe: whether the database answers over this port."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as database:
        database.settimeout(1)
        database.sendall(b"SELECT 1\n")
        return database.recv(16) == b"1\n"


class Database:
    """A server that answers every line with 1."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    client.settimeout(1)
                    if client.recv(64):
                        client.sendall(b"1\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


class Proxy(Database):
    """The way of one host to the database; it can be cut."""

    def __init__(self, database: int) -> None:
        self.database = database
        self.cut = False
        super().__init__()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    client.settimeout(1)
                    line = client.recv(64)
                    if not self.cut:
                        with socket.create_connection(("127.0.0.1", self.database), timeout=1) as there:
                            there.sendall(line)
                            client.sendall(there.recv(64))
