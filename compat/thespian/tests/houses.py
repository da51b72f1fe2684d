"""Bases, ports, and the processes of a system."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import psutil

from thespian.actors import ActorSystem

BASES = ["simpleSystemBase", "multiprocTCPBase", "multiprocUDPBase", "multiprocQueueBase"]
PROCESSES = BASES[1:]

Start = Callable[..., ActorSystem]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def gone(pids: list[psutil.Process], seconds: float = 10.0) -> list[psutil.Process]:
    """Those that still run after a while."""
    return [p for p in psutil.wait_procs(pids, seconds)[1] if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def processes_of(system: ActorSystem) -> list[psutil.Process]:
    base: Any = system._systemBase
    if base is None or base.in_program:
        return []
    try:
        admin = psutil.Process(base._node.admin_pid)
    except psutil.NoSuchProcess:
        return []
    return [admin, *admin.children(recursive=True)]
