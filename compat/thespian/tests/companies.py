"""Actors for the tests of the modules beside ``thespian.actors``, written as programs for this API are."""

from __future__ import annotations

import multiprocessing
import os
from datetime import timedelta
from typing import Any

from thespian.actors import Actor, ActorSystemMessage, ThespianWatch, WakeupMessage, WatchMessage
from thespian.initmsgs import initializing_messages
from thespian.runcommand import Command, RunCommand
from thespian.transient import transient, transient_idle
from thespian.troupe import troupe


class Sink(Actor):
    def receiveMessage(self, message, sender):
        pass


class Parent(Actor):
    """Has a child, and a wakeup that is far away."""

    def receiveMessage(self, message, sender):
        if message == "begin":
            self.child = self.createActor(Sink)
            self.wakeupAfter(timedelta(hours=1))
            self.send(sender, self.child)
        elif message == "convention":
            self.notifyOnSystemRegistrationChanges(True)
            self.send(sender, "registered")
        elif message == "end":
            self.actorSystemShutdown()


@troupe(max_count=3, idle_count=1)
class Company(Actor):
    def receiveMessage(self, message, sender):
        if message == "bad":
            raise InterruptedError(message)
        if message == "die":
            os._exit(1)
        if message == "two steps":
            self.troupe_work_in_progress = True
            self.asker = sender
            self.wakeupAfter(0.01)
        elif isinstance(message, WakeupMessage):
            self.send(self.asker, "second step")
            self.troupe_work_in_progress = False
        elif not isinstance(message, ActorSystemMessage):
            self.send(sender, ("did", message))


@transient(timedelta(seconds=0.2))
class Mayfly(Actor):
    def receiveMessage(self, message, sender):
        if isinstance(message, WakeupMessage):
            raise TypeError("the decorator's own wakeup")
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, message)


@transient_idle(timedelta(seconds=0.2))
class Bored(Actor):
    def receiveMessage(self, message, sender):
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, message)


@initializing_messages([("number", int, True), ("text", str)], initdone="begun")
class Prepared(Actor):
    def begun(self):
        self.is_ready = True

    def receiveMessage(self, message, sender):
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, (self.number, self.text, self.is_ready, self.number_sender == sender, message))


@initializing_messages([("number", int)], init_passthru=True)
class Open(Actor):
    def receiveMessage(self, message, sender):
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, (getattr(self, "number", None), message))


class Watching(Actor):
    """Watches a pipe and a regular file."""

    def receiveMessage(self, message: Any, sender: Any) -> Any:
        if message == "pipe":
            self.asker = sender
            self.reading, self.writing = os.pipe()
            self.send(sender, "watching")
            return ThespianWatch([self.reading])
        if message == "write":
            os.write(self.writing, b"written")
            return ThespianWatch([self.reading])
        if message == "write and forget":
            os.write(self.writing, b"unseen")
            self.send(sender, "forgotten")
            return None
        if message == "file":
            self.asker = sender
            with open(__file__, "rb") as file:
                self.reading = os.dup(file.fileno())
            return ThespianWatch([self.reading, 9999])
        if isinstance(message, WatchMessage):
            self.send(self.asker, os.read(message.ready[0], 7))
        return None


class Relay(Actor):
    """Runs what it is told, and tells its first sender all that comes of it."""

    def receiveMessage(self, message, sender):
        if isinstance(message, str):
            self.asker = sender
            me = self.myAddress
            command = Command(message, [], use_shell=True, logger=me, output_updates=me, omit_string="secret")
            self.send(self.createActor(RunCommand), command)
        elif not isinstance(message, ActorSystemMessage):
            self.send(self.asker, message)


class Managing(Actor):
    """Has a server of shared objects."""

    def receiveMessage(self, message, sender):
        if message == "begin":
            self.manager = multiprocessing.Manager()
            self.send(sender, self.manager._process.pid)
