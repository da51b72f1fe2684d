"""What the programs of the Savina workloads share: the arithmetic of one message, and the same draws everywhere.

Savina: Imam and Sarkar, "Savina - An Actor Benchmark Suite", AGERE! 2014. OPERATIONS and BATCH of each, with the
parameters that the suite itself has by default:

* thread ring: hops of one message (100,000), actors in the ring (100).
* counting: messages from a producer to a counter, which is then asked for the sum (1,000,000); no second parameter.
* fork-join create: actors; each gets one message, does a little arithmetic and ends (40,000); no second parameter. The
  clock stops when the end of the last is known.
* fork-join throughput: messages in all (600,000), actors that they go to in turn (60); each does a little arithmetic.
* big: pings in all (2,400,000), actors (120); each sends a ping to one drawn by lot, itself included, and the next when the
  pong has come; the clock stops when all have had theirs.
* concurrent dictionary: requests in all (200,000), actors that send them, each the next when the answer has come (20);
  a tenth of them writes. One actor has the dictionary.

The draws are a generator of their own (the one of POSIX's examples), so that every contestant draws the same.
"""

from __future__ import annotations

import math

WRITES_OF_100 = 10


class Draw:
    """Numbers by lot: a linear congruential generator."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 7919 + 1

    def below(self, limit: int) -> int:
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


def arithmetic(number: float) -> float:
    """A message's worth of work, as the suite has it."""
    value = math.sin(number + 37.2)
    return value * value
