"""How messages look between processes and systems, and how nothing of them gets lost.

Sans-IO: nothing here reads a clock, a socket or a random number; time comes in as ``now`` in seconds.

* `garrick.wire.envelope`: the binary frame of one message, readable without unpickling its body;
* `garrick.wire.codec`: the body;
* `garrick.wire.link`: the lossless, ordered, bounded conversation between two systems.
"""
