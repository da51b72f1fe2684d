"""Whole systems for tests, as the hosts of an installation run them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.errors import NoCapableSystem
from tests.node.convention_actors import Where

ROOT = Path(__file__).resolve().parents[2]


class Systems:
    """Systems of one convention, each a program of its own.

    Args:
        folder: for keys and credentials.
        urls: where the servers of the convention are reached.
        routes: where they reach one another, if there are several.
    """

    def __init__(self, folder: Path, urls: Sequence[str], routes: Sequence[str] = ()) -> None:
        self.folder = folder
        self.keys = create_convention(folder / "keys", "test", urls, routes=routes)
        self._issuing = threading.Lock()
        self.places: dict[str, tuple[str, str]] = {}
        """Of several directory systems: the address and the route of each one's server."""
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.tag = f"{os.getpid()}-{folder.name[-6:]}"

    def start(
        self,
        name: str,
        *options: str,
        roles: list[str] | None = None,
        within: Sequence[str] = (),
        patience: float = 15,
        route: str | None = None,
    ) -> None:
        """Start a system, below the command ``within``, and wait until it has joined."""
        whole = self.name(name)
        with self._issuing:
            credentials = issue(self.keys, whole, roles or [], route=route)
        path = save_credentials(credentials, self.folder / f"{name}.json")
        command = [sys.executable, "-m", "garrick.node", "--name", whole, "--credentials", str(path), "--workers", "1"]
        process = subprocess.Popen(
            [*within, *command, "--capabilities", f"host={whole}", *options],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.processes[name] = process
        timer = threading.Timer(patience, process.kill)
        timer.start()
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        timer.cancel()
        assert line.startswith("ready"), f"{name} did not join: {line!r}"

    def start_directory(self, name: str) -> None:
        """One of several; it waits for most of the others."""
        address, route = self.places[name]
        self.start(name, "--listen", address, roles=["directory"], route=route, patience=60)

    def name(self, name: str) -> str:
        return f"{name}-{self.tag}".replace("_", "-")

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def stop(self) -> None:
        for name in list(self.processes)[::-1]:
            process = self.processes.pop(name)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail(f"{name} did not end")
            finally:
                assert process.stdout is not None
                process.stdout.close()


def until(condition: Any, timeout: float = 8.0) -> float:
    """Ask again until it is so; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + timeout
        time.sleep(0.02)
    return time.monotonic() - began


def spawn_on(system: ActorSystem, host: str, patience: float = 5) -> Any:
    """The first time the directory may not have told of the host yet."""
    end = time.monotonic() + patience
    while True:
        try:
            return system.spawn(Where, requires={"host": host}, timeout=5)
        except NoCapableSystem:
            assert time.monotonic() < end
            time.sleep(0.05)
