"""Actors for the tests; in a module of their own, since other processes import them.

They are written as programs for this API are: without types.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from thespian.actors import (
    Actor,
    ActorExitRequest,
    ActorTypeDispatcher,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    WakeupMessage,
    requireCapability,
)


class Echo(Actor):
    def receiveMessage(self, message, sender):
        if not isinstance(message, ActorExitRequest):
            self.send(sender, message)


class Facts(Actor):
    def receiveMessage(self, message, sender):
        if message == "facts":
            self.send(
                sender, (os.getpid(), threading.current_thread() is threading.main_thread(), self.globalName, str(self))
            )
        elif message == "address":
            self.send(sender, self.myAddress)


class Raising(Actor):
    """Counts attempts by message."""

    def __init__(self):
        self.seen = []

    def receiveMessage(self, message, sender):
        if message == "seen?":
            self.send(sender, self.seen)
        elif not isinstance(message, ActorExitRequest):
            self.seen.append(message if isinstance(message, str) else list(message))
            if isinstance(message, list):
                message.append("changed")
            if message == "once" and self.seen.count("once") == 1:
                raise ValueError("only once")
            if message not in {"fine", "once"}:
                raise InterruptedError("it does not work")


class Ending(Actor):
    def receiveMessage(self, message, sender):
        if message == "sys.exit":
            sys.exit(3)
        elif message == "os._exit":
            os._exit(4)
        elif message == "pid":
            self.send(sender, os.getpid())


class Forward(Actor):
    """Makes a child of the class that it is told, tells everything that it hears, and hands messages on to the child."""

    def __init__(self):
        self.child = None
        self.heard = []
        self.log_to = None

    def receiveMessage(self, message, sender):
        if isinstance(message, tuple) and message[0] == "make":
            self.log_to = sender
            self.child = self.createActor(message[1], *message[2:])
            self.send(sender, self.child)
        elif isinstance(message, tuple) and message[0] == "make and send":
            self.log_to = sender
            self.child = self.createActor(message[1])
            for each in message[2]:
                self.send(self.child, each)
        elif isinstance(message, tuple) and message[0] == "pass":
            self.send(self.child, message[1])
        elif message == "child?":
            self.send(sender, self.child)
        elif isinstance(message, ChildActorExited):
            self.heard.append(("exited", message.childAddress == self.child, sender == self.child))
            self.send(self.log_to, self.heard[-1])
        elif isinstance(message, PoisonMessage):
            self.heard.append(("poison", message.poisonMessage, message.details))
            self.send(self.log_to, self.heard[-1])
        elif isinstance(message, ActorExitRequest):
            if self.log_to is not None:
                self.send(self.log_to, ("exiting", message.isRecursive))
        else:
            self.send(self.log_to, ("heard", message))


class LastWords(Actor):
    """Tells ``whom`` when it exits."""

    whom: Any = None

    def receiveMessage(self, message, sender):
        if isinstance(message, ActorExitRequest):
            self.send(self.whom, "last words")
        else:
            self.whom = sender
            self.send(sender, os.getpid())


class Tree(Actor):
    """A parent with a child, each of which says good-bye to ``whom``."""

    def receiveMessage(self, message, sender):
        if message == "pid":
            self.send(sender, os.getpid())
        elif message == "grow":
            self.whom = sender
            self.child = self.createActor(LastWords)
            self.send(self.child, "hello")
        elif isinstance(message, int):
            self.send(self.whom, (self.child, message))
        elif message == "last words":
            self.send(self.whom, "child's last words")
        elif isinstance(message, ChildActorExited):
            self.send(self.whom, "child exited")
        elif isinstance(message, ActorExitRequest):
            self.send(self.whom, "exiting")


class Sleeper(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, WakeupMessage):
            self.send(self.whom, (message.delayPeriod, message.payload, sender == self.myAddress))
        elif isinstance(message, list):
            self.whom = sender
            for period, payload in message:
                self.wakeupAfter(period, payload)


class LongSleeper(Actor):
    def receiveMessage(self, message, sender):
        self.wakeupAfter(timedelta(hours=1))
        self.send(sender, "asleep")


class Letters(Actor):
    """Handles dead letters."""

    whom: Any = None

    def receiveMessage(self, message, sender):
        if message == "start":
            self.whom = sender
            self.handleDeadLetters()
            self.send(sender, "started")
        elif message == "stop":
            self.handleDeadLetters(False)
            self.send(sender, "stopped")
        elif isinstance(message, DeadEnvelope):
            self.send(self.whom, (message.deadMessage, message.deadAddress))


class Unsendable(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, PoisonMessage):
            self.send(self.whom, (message.details, sender == self.target))
        elif not isinstance(message, ActorExitRequest):
            self.whom = sender
            self.target = message
            self.send(self.target, threading.Lock())


class WantsArguments(Actor):
    def __init__(self, requirements, capabilities=None):
        self.told = (capabilities, requirements)

    def receiveMessage(self, message, sender):
        self.send(sender, self.told)


class WantsMore(Actor):
    def __init__(self, something):
        self.something = something


class ActsTooEarly(Actor):
    def __init__(self):
        try:
            self.where = self.myAddress
        except AttributeError as error:
            self.where = type(error).__name__

    def receiveMessage(self, message, sender):
        self.send(sender, self.where)


class Broken(Actor):
    def __init__(self):
        raise RuntimeError("not today")


class NoActor:
    pass


@requireCapability("colour", "blue")
@requireCapability("light")
class Picky(Actor):
    @staticmethod
    def actorSystemCapabilityCheck(capabilities, requirements):
        return capabilities.get("size", 0) >= requirements.get("size", 0)

    def receiveMessage(self, message, sender):
        if isinstance(message, ActorExitRequest):
            if getattr(self, "whom", None) is not None:
                self.send(self.whom, "can't stay")
        else:
            self.whom = sender
            self.send(sender, "here")


class CheckRaises(Actor):
    @staticmethod
    def actorSystemCapabilityCheck(capabilities, requirements):
        return capabilities["not there"]


class Changer(Actor):
    def receiveMessage(self, message, sender):
        self.updateCapability(*message)
        self.send(sender, "changed")


class Named(Actor):
    """Creates actors by name."""

    def receiveMessage(self, message, sender):
        if isinstance(message, tuple):
            self.send(sender, self.createActor(message[0], globalName=message[1]))


class Base(dict):
    pass


class Derived(Base):
    pass


class Dispatching(ActorTypeDispatcher):
    def receiveMsg_Base(self, message, sender):
        self.send(sender, "Base")

    def receiveMsg_int(self, message, sender):
        self.send(sender, "int")
        return self.SUPER

    def receiveMsg_object(self, message, sender):
        self.send(sender, "object")


class DispatchingMore(Dispatching):
    def receiveMsg_Base(self, message, sender):
        self.send(sender, "more")
        return self.SUPER


class Unrecognized(ActorTypeDispatcher):
    def receiveUnrecognizedMessage(self, message, sender):
        if not isinstance(message, ActorExitRequest):
            self.send(sender, ("unrecognized", message))


class Threaded(Actor):
    """A thread of the actor sends."""

    def receiveMessage(self, message, sender):
        if message == "go":
            thread = threading.Thread(target=self.send, args=(sender, "from a thread"))
            thread.start()
            thread.join()


class Logging(Actor):
    def receiveMessage(self, message, sender):
        self.logger("of.actor").warning("said %s", message)
        self.send(sender, str(self.myAddress))


class Sums(Actor):
    def __init__(self):
        self.total = []

    def receiveMessage(self, message, sender):
        if message == "all":
            self.send(sender, self.total)
        elif isinstance(message, int):
            self.total.append(message)


class Testament(Actor):
    """Writes files when it exits."""

    path: Any = None

    def receiveMessage(self, message, sender):
        if isinstance(message, ActorExitRequest):
            open(self.path, "w").close()
        elif isinstance(message, str) and message != "noted":
            self.path, self.whom = message, sender
            if message.endswith("-child"):
                self.send(sender, "noted")
            else:
                self.send(self.createActor(Testament), message + "-child")
        elif message == "noted":
            self.send(self.whom, "noted")


class Dozing(Actor):
    """Its handler takes its time."""

    def receiveMessage(self, message, sender):
        if message == 1:
            for _ in range(1000):
                time.sleep(0.01)


class Outer:
    class Inner(Echo):
        pass
