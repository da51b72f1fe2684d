"""`Fan`: what the engine tells thousands of systems at once, in a few events instead of one for each.

Owns the groups of a large convention and what becomes of one message on its way to a group. Must not know what is told. Invariants:

* The systems of a group get a message at one instant, each group at its own; a group is the same set of names in every run.
* Each system loses a message with the probability of its way, and by itself: but the draws are as many as the losses, not as the systems.
* On the way to one system nothing is overtaken, whether it travels with others or alone.
* Who has conditions of its own, or something else under way to it, is no part of this.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

from garrick.sim.kernel import Due
from garrick.sim.units import MILLION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from garrick.sim.net import Conditions, Net, Way

SINGLY = 64
"""To so few systems each message travels alone."""
GROUPS = 16
"""Into so many groups a large convention is divided."""
ENGINE = "engine"


def allows(conditions: Conditions) -> bool:
    """Whether under these conditions messages to many can travel together: latency and loss only."""
    return not (conditions.delay or conditions.duplicate or conditions.reorder or conditions.bandwidth)


class Fan:
    """The part of `Net` for messages from the engine to many."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._sent = 0
        self._groups: dict[str, int] = {}

    def send(self, targets: Sequence[str], arrive: Callable[[str], None]) -> list[str]:
        """Send it to all that can travel together; those to whom it has to be sent singly are returned."""
        net, groups = self._net, self._groups
        number, self._sent = self._sent, self._sent + 1
        together: list[list[Way]] = [[] for _ in range(GROUPS)]
        singly = []
        for name in targets:
            way = net.way(ENGINE, name)
            if not way.joins_fan():
                singly.append(name)
                continue
            group = groups.get(name)
            if group is None:
                group = groups[name] = crc32(name.encode()) % GROUPS
            together[group].append(way)
        for group, ways in enumerate(together):
            if ways:
                self._send(ways, ("feed", group, number), arrive)
        return singly

    def _send(self, ways: list[Way], key: tuple[str | int, ...], arrive: Callable[[str], None]) -> None:
        net = self._net
        if net.is_split:
            ways = [way for way in ways if not net.is_cut(ENGINE, way.target)]
        conditions = net.everywhere
        for index in self._lost(len(ways), key, conditions.drop):
            del ways[index]
        if not ways:
            return
        due = net.now_ns
        if conditions.latency[1]:
            due += net.choices.between("net.latency", key, *conditions.latency)
        for way in ways:
            due = max(due, way.last)
        for way in ways:
            way.arrives(due)
        net.at(due, Due(partial(self._land, ways, net.cuts, key, arrive), (f"wire of {ENGINE}", f"group {key[1]}")))

    def _lost(self, count: int, key: tuple[str | int, ...], drop: int) -> list[int]:
        """Which of so many lose it, the last one first: each draw says how many in a row do not."""
        if not drop:
            return []
        lost: list[int] = []
        place = -1
        while True:
            drawn = self._net.choices.choose("net.drop", (*key, len(lost)), MILLION)
            if not drawn:
                break  # the benign value: nobody else
            place += 1 + (int(math.log(drawn / MILLION) / math.log1p(-drop / MILLION)) if drop < MILLION else 0)
            if place >= count:
                break
            lost.append(place)
        lost.reverse()
        return lost

    def _land(self, ways: list[Way], cuts: int, key: tuple[str | int, ...], arrive: Callable[[str], None]) -> None:
        net = self._net
        for way in ways:
            if cuts == net.cuts or not net.is_lost_in_a_cut(way, cuts, ("feed", way.target, key[2])):
                arrive(way.target)


__all__ = ["GROUPS", "SINGLY", "Fan", "allows"]
