"""What happens to an actor whose handler raised: the supervision policies.

Pure data and pure decisions (`choose`, `Restarts.allow`). Must not know cells, threads or clocks: time comes in as seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from garrick.errors import InvalidArgument


def _seconds(value: Any, what: str, least: float = 0.0) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or value < least:
        raise InvalidArgument(f"{what}={value!r} makes no sense", hint=f"a number, {least:g} or more")


@dataclass(frozen=True)
class Backoff:
    """Delay before the n-th restart in a row: ``first * factor**(n-1)``, at most ``limit``, plus or minus ``jitter``.

    Jitter is there so that actors which failed together (a database went away) do not come back together; it never leads
    beyond ``limit``. All times in seconds; ``jitter`` is a fraction of the delay.

    Raises:
        InvalidArgument: a negative time, a factor below 1, a jitter outside of 0 to 1.
    """

    first: float = 0.1
    factor: float = 2.0
    limit: float = 30.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        _seconds(self.first, "first")
        _seconds(self.factor, "factor", 1.0)
        _seconds(self.limit, "limit")
        _seconds(self.jitter, "jitter")
        if self.jitter > 1:
            raise InvalidArgument(f"jitter={self.jitter!r} makes no sense", hint="a fraction of the delay, from 0 to 1")

    def delay(self, attempt: int, random: float) -> float:
        """The delay before restart number ``attempt`` (from 1); ``random`` in [0, 1) places it within the jitter."""
        try:
            base = min(self.limit, self.first * self.factor ** (attempt - 1))
        except OverflowError:
            base = self.limit if self.first else 0.0
        least, most = base * (1.0 - self.jitter), min(self.limit, base * (1.0 + self.jitter))
        return least + (most - least) * random


@dataclass(frozen=True)
class Restart:
    """Make a new instance with the same arguments; address, mailbox, children and watchers stay.

    Attributes:
        max: restarts allowed ``within`` seconds before the actor stops as failed.
        within: the window of ``max``, seconds.
        backoff: pause before each restart; None restarts at once.
        on_loss: whether the actor is also made again when its process dies, in another one: the same address and arguments, an
            empty mailbox, a new instance. That may happen ``max`` times ``within`` seconds too, counted by itself.
        all_for_one: restart the whole group: all children of the same parent that have this too. The limit then counts for
            the group.
        relocate: whether the actor, a child, is also made again on another system when its own can no longer run it: it lost a
            capability, left, or is lost. It has a new address there, of which its parent is told (`ChildMoved`). That may happen
            ``max`` times ``within`` seconds too, counted by itself, from the second time on after ``backoff``.

    Raises:
        InvalidArgument: a negative ``max`` or ``within``, or what is no `Backoff`.
    """

    max: int = 3
    within: float = 60.0
    backoff: Backoff | None = field(default_factory=Backoff)
    on_loss: bool = False
    all_for_one: bool = False
    relocate: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.max, bool) or not isinstance(self.max, int) or self.max < 0:
            raise InvalidArgument(f"max={self.max!r} makes no sense", hint="a whole number, 0 or more")
        _seconds(self.within, "within")
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            raise InvalidArgument(f"backoff={self.backoff!r} is no Backoff", hint="give Backoff(...), or None")


@dataclass(frozen=True)
class Resume:
    """Keep the instance and its state; the message is skipped."""


@dataclass(frozen=True)
class Stop:
    """End the actor; its parent and watchers learn ``failed``."""


@dataclass(frozen=True)
class Escalate:
    """The parent fails with this failure: its own policy decides, and the actor waits suspended for what comes of it.

    Resume lets both go on; Restart restarts the parent and then the actor; Stop ends the parent and so the actor. A top-level
    actor has nobody above: it stops as failed.
    """


Policy: TypeAlias = Restart | Resume | Stop | Escalate
Supervision: TypeAlias = Policy | Mapping[type[BaseException], Policy]
"""One policy for every failure, or one for each class of exceptions; what no class names is treated as without a policy."""


def checked(supervision: Any, *, top_level: bool) -> Supervision | None:
    """What was given to spawn, as a copy that nobody else changes.

    Args:
        supervision: whatever was given.
        top_level: whether the actor has no parent but the system.

    Raises:
        InvalidArgument: it is no policy.
    """
    if supervision is None:
        return None
    policies = supervision
    if isinstance(supervision, Mapping):
        policies = supervision = dict(supervision)
        for key in policies:
            if not (isinstance(key, type) and issubclass(key, BaseException)):
                raise InvalidArgument(
                    f"supervision can't be chosen by {key!r}", hint="the keys are classes of exceptions"
                )
            if issubclass(key, SystemExit):
                raise InvalidArgument("SystemExit always ends the actor", hint="leave it out of supervision={...}")
    else:
        policies = {Exception: supervision}
    for policy in policies.values():
        if not isinstance(policy, (Restart, Resume, Stop, Escalate)):
            raise InvalidArgument(
                f"supervision={policy!r} is no policy",
                hint="give Restart(...), Resume(), Stop() or Escalate(), or {class of exceptions: policy, ...}",
            )
        if top_level and isinstance(policy, Restart) and policy.all_for_one:
            raise InvalidArgument(
                "a top-level actor has no group to restart with it", hint="spawn the group from a parent of its own"
            )
    return supervision  # type: ignore[no-any-return]


def choose(supervision: Supervision | None, error: BaseException, default: Policy) -> Policy:
    """The policy for ``error``: in a mapping the one of its nearest class."""
    if supervision is None:
        return default
    if not isinstance(supervision, Mapping):
        return supervision
    for cls in type(error).__mro__:
        if cls in supervision:
            return supervision[cls]
    return default


def in_group(supervision: Supervision | None) -> bool:
    """Whether an actor with this supervision restarts together with others."""
    policies = supervision.values() if isinstance(supervision, Mapping) else (supervision,)
    return any(isinstance(policy, Restart) and policy.all_for_one for policy in policies)


def outliving(supervision: Supervision | None) -> Restart | None:
    """The policy by which an actor survives the loss of its process, if it does."""
    policies = supervision.values() if isinstance(supervision, Mapping) else (supervision,)
    for policy in policies:
        if isinstance(policy, Restart) and policy.on_loss:
            return policy
    return None


def relocatable(supervision: Any) -> Restart | None:
    """The policy by which an actor moves to another system, if it does."""
    if supervision is None:
        return None
    policies = supervision.values() if isinstance(supervision, Mapping) else (supervision,)
    for policy in policies:
        if isinstance(policy, Restart) and policy.relocate:
            return policy
    return None


class Intensity:
    """The recent restarts of one actor, or of a group."""

    __slots__ = ("_times", "_window")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._window = 0.0

    @property
    def count(self) -> int:
        """The restarts that still count."""
        return len(self._times)

    def allow(self, policy: Restart, now: float) -> int:
        """Record a restart at ``now`` and return its number in the window (from 1), or 0 when the limit is reached."""
        # Policies with different windows may take turns: what is too old for one still counts for another.
        self._window = max(self._window, policy.within)
        times = self._times
        del times[: bisect_left(times, True, key=lambda t: now - t < self._window)]
        recent = len(times) - bisect_left(times, True, key=lambda t: now - t < policy.within)
        if recent >= policy.max:
            return 0
        times.append(now)
        return recent + 1
