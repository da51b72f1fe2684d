"""A counter that goes on when the program that started it has ended."""
import sys

from thespian.actors import *


class Counter(Actor):
    def __init__(self):
        self.count = 0

    def receiveMessage(self, message, sender):
        if message == 'count':
            self.count += 1
            self.send(sender, self.count)


if __name__ == '__main__':
    system = ActorSystem('multiprocTCPBase', {'Admin Port': int(sys.argv[2])})
    print(system.ask(system.createActor(Counter, globalName='counter'), 'count', 10))
    if sys.argv[1] == 'end':
        system.shutdown()
