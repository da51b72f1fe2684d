"""A parent and its children, side by side or in different processes, and what they tell.

``together``: wherever the base puts children, which is near their parent. ``apart``: children in dedicated processes, or the parent in
this system of a convention and the children in the other one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from garrick import ActorSystem, Address, Backoff, Restart
from garrick.inbox import Inbox
from tests.conformance.actors import Make
from tests.conformance.conventions import FAR, Convention
from tests.conformance.supervision_actors import Member

over_processes = pytest.mark.over("multiprocess", "convention", "sim-convention")
"""Bases on which a family can live apart."""

AT_ONCE = Restart(max=3, within=60, backoff=None)
QUICK = Restart(max=3, within=60, backoff=Backoff(first=0.01, factor=1.0, limit=0.01, jitter=0))


class Family:
    """A boss and its children, all of them `Member` and telling one inbox."""

    def __init__(self, system: ActorSystem, *, apart: bool, policy: Any = None, actor_class: type = Member) -> None:
        self.system, self.actor_class = system, actor_class
        self.inbox: Inbox = system.inbox()
        self.options: dict[str, Any] = {}
        arguments = (self.inbox.address, "boss")
        if not apart:
            self.boss = system.spawn(actor_class, *arguments, supervision=policy)
        elif isinstance(system, Convention):
            self.boss = ActorSystem.spawn(system, actor_class, *arguments, supervision=policy)
            system._tops.append(self.boss)
            self.options["requires"] = FAR
        else:
            self.boss = system.spawn(actor_class, *arguments, supervision=policy)
            self.options["isolation"] = "process"
        self.told(boss=["made", "started"])

    def child(self, label: str, policy: Any, of: Address[Any] | None = None) -> Address[Any]:
        """One more child, running."""
        make = Make(self.actor_class, (self.inbox.address, label), {"supervision": policy, **self.options})
        child: Address[Any] = self.system.ask(self.boss if of is None else of, make)
        assert self.system.ask(child, 5) == 5
        self.told(**{label: ["made", "started"]})
        return child

    def told(self, **expected: list[Any]) -> None:
        """The next things that are told are these, in order for each of the tellers."""
        got: dict[str, list[Any]] = defaultdict(list)
        for _ in range(sum(map(len, expected.values()))):
            try:
                label, *what = self.inbox.receive(10)
            except TimeoutError:
                break
            got[label].append(what[0] if len(what) == 1 else tuple(what))
        assert got == expected

    def next(self, seconds: float) -> Any:
        """What is told next; None if nobody tells anything for so long."""
        try:
            return self.inbox.receive(seconds)
        except TimeoutError:
            return None

    def nothing_more(self) -> None:
        """Nobody tells anything else."""
        with pytest.raises(TimeoutError):
            raise AssertionError(self.inbox.receive(0.1))
