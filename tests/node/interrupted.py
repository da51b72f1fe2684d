"""A program that starts a system, asks, and stops it; says on standard output how far it is. It is interrupted by its test."""

from __future__ import annotations

import sys
import time
from typing import Any

from garrick import Actor, ActorSystem, Address


class Echo(Actor):
    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "block":
            time.sleep(0.05)
        if sender is not None:
            self.send(sender, message)


def main(base: str) -> None:
    print("begin", flush=True)
    with ActorSystem(base) as system:
        echoes = [system.spawn(Echo) for _ in range(3)]
        for number in range(10):
            for echo in echoes:
                system.ask(echo, number)
        system.ask(echoes[0], "block")
    print("end", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
