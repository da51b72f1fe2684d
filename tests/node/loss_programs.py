"""What children of `multiprocessing` do with systems."""

from __future__ import annotations

import os
from multiprocessing.queues import Queue

from garrick import ActorSystem
from tests.node.actors import Victim


def attach(queue: Queue[str]) -> None:
    """Use the system of the parent."""
    system = ActorSystem.attach("a")
    victim = system.lookup("v")
    assert victim is not None
    queue.put(system.ask(victim, "answered"))
    system.stop()


def start(queue: Queue[str]) -> None:
    """Have a system of one's own."""
    with ActorSystem(name=f"child-{os.getpid()}", workers=1) as system:
        queue.put(system.ask(system.spawn(Victim), "answered"))
