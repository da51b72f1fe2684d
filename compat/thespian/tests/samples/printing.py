import sys

from thespian.actors import *


class Printer(Actor):
    def receiveMessage(self, message, sender):
        if not isinstance(message, ActorExitRequest):
            print("to output:", message)
            print("to errors:", message, file=sys.stderr)
            self.send(sender, "printed")


if __name__ == "__main__":
    system = ActorSystem(sys.argv[1], {"Admin Port": int(sys.argv[2])})
    system.ask(system.createActor(Printer), "hello", 10)
    system.shutdown()
