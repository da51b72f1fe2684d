"""Messages of the actor system that are not among `thespian.actors`."""
