from thespian.actors import *

class Hello(Actor):
    def receiveMessage(self, message, sender):
        if not hasattr(self, 'world'):
            self.world = self.createActor(World)
        self.send(self.world, (sender, 'Hello, '))

class World(Actor):
    def receiveMessage(self, message, sender):
        orig_sender, greeting = message
        self.send(orig_sender, greeting + "world!")

# Up to here the article's text; this drives it.
if __name__ == "__main__":
    import sys

    system = ActorSystem(sys.argv[1], {'Admin Port': int(sys.argv[2])})
    try:
        hello = system.createActor(Hello)
        print(system.ask(hello, 'are you there?', 10))
        print(system.ask(hello, 'and again?', 10))
    finally:
        system.shutdown()
