"""A customer's server: an operating-system process that answers HTTP on an address and a port of its own.

Run by path with ``python -I -S`` and one JSON argument; imports nothing of the application, because dozens of these start within
seconds. One thread, one ``poll`` loop:

* booting takes ``boot_seconds``, during which nothing answers; being told to shut down (SIGTERM) closes the port at once and
  takes ``halt_seconds``;
* it ends when its *keeper* ends (the process of the host's agent), however that ends: a machine that crashes takes its servers
  with it. The keeper is watched through a pidfd, so that no number can be mistaken for another process.

``GET /`` tells who it is, ``POST /login`` checks a password, ``PUT /<file>`` stores a file on its disk, as far as the quota allows.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys

REQUEST_LIMIT = 1 << 20
CLIENT_SECONDS = 2.0


class Halt(Exception):
    """Stop serving; ``seconds`` is how long the shutdown takes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Guest:
    """The running server."""

    def __init__(self, config: dict[str, object]) -> None:
        self.config = config
        self.directory = str(config["directory"])
        self.halt_seconds = float(str(config["halt_seconds"]))
        self.poll = select.poll()
        self.keeper = _watch(int(str(config["keeper"])), int(str(config["keeper_start"])))
        self.poll.register(self.keeper, select.POLLIN)
        # Signals arrive as bytes of a pipe, so that they wake the loop and are handled in it.
        self.signals, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self.poll.register(self.signals, select.POLLIN)
        self.listener: socket.socket | None = None

    def run(self) -> None:
        """Boot, serve, shut down."""
        try:
            self.wait(float(str(self.config["boot_seconds"])))
            self.listener = listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((str(self.config["address"]), int(str(self.config["port"]))))
            listener.listen(64)
            self._record_boot()
            self.poll.register(listener, select.POLLIN)
            while True:
                self.wait(None)
                client, _ = listener.accept()
                with client:
                    client.settimeout(CLIENT_SECONDS)
                    try:
                        self._serve(client)
                    except (OSError, ValueError, IndexError):
                        continue  # the client's trouble (gone, too slow, not speaking HTTP), not the server's
        except Halt as halt:
            if self.listener is not None:
                self.poll.unregister(self.listener)
                self.listener.close()
            self.poll.unregister(self.signals)
            if halt.seconds:
                self.poll.poll(halt.seconds * 1000)

    def wait(self, seconds: float | None) -> None:
        """Wait for a client, or ``seconds``; leaves by ``Halt`` when there is a reason to end."""
        for descriptor, _ in self.poll.poll(None if seconds is None else seconds * 1000):
            if descriptor == self.keeper:
                raise Halt(0.0)
            if descriptor == self.signals:
                os.read(self.signals, 16)
                raise Halt(self.halt_seconds)

    def _record_boot(self) -> None:
        """The server's own record that it booted, and why: the audit compares it with the host's journal."""
        line = json.dumps({"boot": self.config["boot"], "cause": self.config["cause"], "pid": os.getpid()}) + "\n"
        descriptor = os.open(f"{self.directory}/boots.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
        os.close(descriptor)

    def _serve(self, client: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            data = client.recv(65536)
            if not data:
                return
            received += data
            if len(received) > 65536:
                return
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, path = lines[0].split(" ")[:2]
        length = next((int(v) for k, _, v in (x.partition(":") for x in lines[1:]) if k.lower() == "content-length"), 0)
        if length > REQUEST_LIMIT:
            _answer(client, 413, {"error": "too large"})
            return
        while len(body) < length:
            data = client.recv(65536)
            if not data:
                return
            body += data
        _answer(client, *self._handle(method, path, body[:length]))

    def _handle(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        if (method, path) == ("GET", "/"):
            shown = {key: self.config[key] for key in ("name", "boot", "cause")}
            return 200, {**shown, "pid": os.getpid()}
        if (method, path) == ("POST", "/login"):
            return (200, {"login": "ok"}) if self._password_is(body) else (403, {"error": "wrong password"})
        if method == "PUT" and path.strip("/").isalnum():
            disk = f"{self.directory}/disk"
            used = sum(entry.stat().st_size for entry in os.scandir(disk))
            if used + len(body) > int(str(self.config["quota"])):
                return 507, {"error": "disk full"}
            with open(f"{disk}/{path.strip('/')}", "wb") as file:
                file.write(body)
            return 201, {"stored": len(body)}
        return 404, {"error": "there is no such thing here"}

    def _password_is(self, typed: bytes) -> bool:
        # Imported when somebody logs in: they would double the time that a server needs to start.
        import hashlib
        import hmac

        try:
            with open(f"{self.directory}/password", encoding="ascii") as file:
                _, n, r, p, salt, digest = file.read().strip().split("$")
        except FileNotFoundError:
            return False
        derived = hashlib.scrypt(typed, salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), dklen=len(digest) // 2)
        return hmac.compare_digest(derived, bytes.fromhex(digest))


def _answer(client: socket.socket, status: int, content: dict[str, object]) -> None:
    body = json.dumps(content).encode() + b"\n"
    head = f"HTTP/1.1 {status} {'OK' if status < 300 else 'No'}\r\nContent-Type: application/json\r\n"
    client.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def _watch(pid: int, start: int) -> int:
    """A descriptor that becomes readable when this very process ends; a process that is gone ends us at once."""
    try:
        descriptor = os.pidfd_open(pid)
        if _start_ticks(pid) == start:
            return descriptor
    except OSError:
        pass
    sys.exit(3)


def _start_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return int(file.read().rpartition(")")[2].split()[19])


if __name__ == "__main__":
    Guest(json.loads(sys.argv[1])).run()
