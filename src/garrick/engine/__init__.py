"""What runs between systems: carriers of frames, the feed of members, identities.

Owns everything below `wire.Link`: how bytes reach another system and how a system learns who is there. Must not know
actors, envelopes or placement. `carrier` and `membership` are sans-IO vocabulary; `memory` serves simulation and
tests; `nats` (extra `cluster`) serves real hosts and is imported only when asked for.
"""
