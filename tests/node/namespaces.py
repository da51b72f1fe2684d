"""Hosts for tests: network namespaces with a cable between them that can be cut, addresses of their own, and a file of names.

Everything is made here and removed here; names carry the pid, so that several test runs do not meet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

_numbers = count(1)


def why_not() -> str:
    """Why namespaces can't be had here; empty: they can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if shutil.which("ip") is None:
        return "there is no command `ip` (apt-get install iproute2)"
    name = f"garrick-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"network namespaces can't be made here: {tried.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


class TwoHosts:
    """Two namespaces and a cable; `near` has 10.231.0.1 and `far` 10.231.0.2."""

    def __init__(self) -> None:
        tag = f"{os.getpid()}-{next(_numbers)}"
        self.near, self.far = f"garrick-{tag}-near", f"garrick-{tag}-far"

    def __enter__(self) -> Self:
        try:
            for host in (self.near, self.far):
                _ip("netns", "add", host)
            _ip("-n", self.near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.far)
            for host, address in ((self.near, "10.231.0.1"), (self.far, "10.231.0.2")):
                _ip("-n", host, "link", "set", "lo", "up")
                _ip("-n", host, "addr", "add", f"{address}/24", "dev", "cable")
                _ip("-n", host, "link", "set", "cable", "up")
            self.names("10.231.0.1")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.remove()

    def remove(self) -> None:
        for host in (self.near, self.far):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", host)
            shutil.rmtree(Path("/etc/netns") / host, ignore_errors=True)
        with contextlib.suppress(OSError):
            Path("/etc/netns").rmdir()  # unless others have something there

    def names(self, engine: str) -> None:
        """The address that both hosts know under the name ``engine.test``; processes that run see the change too."""
        for host in (self.near, self.far):
            folder = Path("/etc/netns") / host
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "hosts").open("w") as file:  # in place: the file itself is mounted
                file.write(f"127.0.0.1 localhost\n{engine} engine.test\n")

    def unplug(self) -> None:
        """The far end is pulled out: both cards lose the carrier."""
        _ip("-n", self.far, "link", "set", "cable", "down")

    def plug(self) -> None:
        """Undo `unplug`."""
        _ip("-n", self.far, "link", "set", "cable", "up")

    def move(self, host: str, old: str, new: str) -> None:
        """A host gets another address."""
        _ip("-n", host, "addr", "del", f"{old}/24", "dev", "cable")  # first: it would take a second one along
        _ip("-n", host, "addr", "add", f"{new}/24", "dev", "cable")

    @staticmethod
    def on(host: str, command: list[str]) -> list[str]:
        """The command that runs a command on a host."""
        return ["ip", "netns", "exec", host, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
