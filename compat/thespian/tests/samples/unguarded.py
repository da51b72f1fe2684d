"""Starts its system at the top level of the file that also has the actor."""
import sys

from thespian.actors import *


class Hello(Actor):
    def receiveMessage(self, message, sender):
        self.send(sender, 'Hello')


system = ActorSystem('multiprocTCPBase', {'Admin Port': int(sys.argv[1])})
try:
    system.ask(system.createActor(Hello), 'hello', 10)
finally:
    system.shutdown()
