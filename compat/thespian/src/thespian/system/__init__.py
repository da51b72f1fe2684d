"""The system bases. Each module ``thespian.system.<name of a base>`` has a class ``ActorSystemBase``."""
