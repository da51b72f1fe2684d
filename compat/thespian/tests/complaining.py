"""Actors of `test_complaints`, written as for the library that they complain of."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorTypeDispatcher, ChildActorExited, WakeupMessage


class Child(Actor):
    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "pid":
            self.send(sender, os.getpid())


class Parent(ActorTypeDispatcher):
    def __init__(self) -> None:
        super().__init__()
        self.child: Any = None
        self.exited: list[str] = []

    def receiveMsg_str(self, message: str, sender: Any) -> None:
        if message == "adopt":
            self.child = self.createActor(Child)
            self.send(sender, self.child)
        elif message == "exited":
            self.send(sender, self.exited)

    def receiveMsg_ChildActorExited(self, message: ChildActorExited, sender: Any) -> None:
        self.exited.append(str(message.childAddress))


class Block:
    def __init__(self, number: int, size: int) -> None:
        self.number, self.data = number, bytes(size)


class Worker(Actor):
    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Block):
            self.send(sender, message)


class Coordinator(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[int] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            workers, size = message
            for number in range(workers):
                self.send(self.createActor(Worker), Block(number, size))
        elif isinstance(message, Block):
            self.done.append(message.number)
        elif message == "progress":
            self.send(sender, len(self.done))


class Agent(Actor):
    def receiveMessage(self, message: Any, sender: Any) -> None:
        if not isinstance(message, ActorExitRequest):
            self.send(sender, ("state", message))


class Registrar(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.agents: list[Any] = []
        self.states: list[int] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            if not self.agents:
                self.agents = [self.createActor(Agent) for _ in range(20)]
            for number in range(message):
                self.send(self.agents[number % 20], number)
        elif isinstance(message, tuple):
            self.states.append(message[1])
        elif message == "progress":
            self.send(sender, len(self.states))


class Ticker(Actor):
    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.sink, self.period, self.left = message
            self.number = 0
            self.wakeupAfter(timedelta(seconds=self.period))
        elif isinstance(message, WakeupMessage):
            self.send(self.sink, (str(self.myAddress), self.number))
            self.number += 1
            if self.number < self.left:
                self.wakeupAfter(timedelta(seconds=self.period))


class Sink(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self.torn = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            who, number = message
            self.torn += number != self.numbers.get(who, 0)
            self.numbers[who] = number + 1
        elif message == "progress":
            self.send(sender, (sum(self.numbers.values()), self.torn))


SIGNALS = {"kill -9": signal.SIGKILL, "segmentation fault": signal.SIGSEGV, "kill": signal.SIGTERM}
