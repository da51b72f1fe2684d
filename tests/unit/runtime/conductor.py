"""`Conductor`: runs real threads one at a time and decides, at every line of the watched code, who goes on.

A thread may run only when it has its turn. It gives the turn away where the *plan* of the run says so ("when `a` has made 17 steps, `b`
goes on"), where it would block (on a lock, an event, a nap of this module) and when it ends. So a run is the same every time, and a loop
over plans tries every order of two threads' lines that a few switches can make.

Nothing here knows what is tested: a `Violation` is whatever the test calls one.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

PATIENCE = 30.0
"""Seconds of real time after which a run is stuck in something that the conductor does not know."""
NAPS = 4
"""So many naps of a thread while no other one can go on: nothing more will happen."""


@dataclass(frozen=True)
class Switch:
    """When ``leaver`` has made ``after`` steps (since the switch before), or as soon as ``follower`` can go on after that, it does.

    It goes on over ``naps`` naps.
    """

    leaver: str
    after: int
    follower: str
    naps: int = 0


class Abandoned(BaseException):
    """The run is over; raised in threads that are still blocked."""


@dataclass
class Outcome:
    """What became of one run."""

    violations: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Where the switches of the plan were made: after how many steps each."""
    steps: int = 0

    @property
    def used(self) -> int:
        """How many switches of the plan were made."""
        return len(self.places)


class Player(threading.Thread):
    """One thread of a run."""

    def __init__(self, conductor: Conductor, name: str, call: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self.conductor = conductor
        self.call = call
        self.turn = threading.Lock()
        self.turn.acquire()
        self.blocked: Callable[[], bool] | None = None
        self.napping = False
        self.naps = 0
        self.over = False
        self.start()

    def run(self) -> None:
        self.turn.acquire()
        conductor = self.conductor
        try:
            if not conductor.closing:
                sys.settrace(conductor._trace)
                self.call()
        except Abandoned:
            pass
        except BaseException as error:
            conductor.violation(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            sys.settrace(None)
            self.over = True
            if not conductor.closing:
                conductor._pass_on(self)


class Conductor:
    """See the module.

    Args:
        plan: the switches of this run.
        watched: files at each line of which the turn may change.
        ignored: functions of these files where it may not.
        fine: change turns at every instruction, not only at every line.
    """

    def __init__(
        self,
        plan: Iterable[Switch],
        watched: frozenset[str],
        ignored: frozenset[str] = frozenset(),
        *,
        fine: bool = False,
    ) -> None:
        self.plan = list(plan)
        self.watched = watched
        self.ignored = ignored
        self.fine = fine
        self.outcome = Outcome()
        self.players: list[Player] = []
        self.current: Player | None = None
        self.closing = False
        self._since = 0
        """Steps that the leaver of the next switch has made since the last one."""
        self._idle_naps = 0
        self._napper: Player | None = None
        self._maker = threading.current_thread()
        self._quiet = threading.Semaphore(0)
        self._known: dict[CodeType, bool] = {}

    # --- used by the test -------------------------------------------------------------------------------------------

    def player(self, name: str, call: Callable[[], object]) -> Player:
        """A new thread; it runs when it gets its turn."""
        player = Player(self, name, call)
        self.players.append(player)
        return player

    def play(self) -> bool:
        """Let them all run until nobody can go on; False when that does not happen."""
        first = self._next(None)
        if first is None:
            return True
        self._idle_naps = 0
        self._give(first)
        return self._quiet.acquire(timeout=PATIENCE)

    def close(self) -> None:
        """End the threads that are left."""
        self.closing = True
        for player in self.players:
            if player.turn.locked():
                player.turn.release()
        for player in self.players:
            player.join(PATIENCE)

    def violation(self, text: str) -> None:
        """The code under test broke a promise."""
        self.outcome.violations.append(text)

    # --- used by the threads ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """A place where the turn may change."""
        me = self._me()
        if me is None or me is not self.current:
            return
        me.napping = False
        if me is not self._napper:
            self._idle_naps = 0  # somebody else went on meanwhile
        self.outcome.steps += 1
        if self.plan and self.plan[0].leaver == me.name:
            switch = self.plan[0]
            self._since += 1
            if self._since > switch.after:
                follower = self._named(switch.follower)
                if follower is not None and follower is not me and _ready(follower):
                    self.plan.pop(0)
                    self.outcome.places.append(self._since - 1)
                    self._since = 0
                    follower.naps = switch.naps
                    self._hand(me, follower)

    def block(self, ready: Callable[[], bool]) -> None:
        """Go on when ``ready()``; others have their turn meanwhile."""
        me = self._me()
        if me is None or ready():
            return  # the test itself, which never blocks here
        me.blocked = ready
        self._pass_on(me)
        if self.closing:
            raise Abandoned
        me.blocked = None

    def nap(self, seconds: float = 0.0) -> None:
        """Let others go on, if they can."""
        me = self._me()
        if me is None:
            time.sleep(seconds)
            return
        if me.naps > 0:
            me.naps -= 1
            return
        me.napping = True
        self._napper = me
        self._pass_on(me)
        if self.closing:
            raise Abandoned

    # --- turns ----------------------------------------------------------------------------------------------------------

    def _me(self) -> Player | None:
        me = threading.current_thread()
        if not isinstance(me, Player) or me.conductor is not self:
            return None
        if self.closing:
            raise Abandoned  # again and again: code under test may catch what a handler raises
        return me

    def mine(self) -> bool:
        """Whether the calling thread belongs to this run: a player, or who made the conductor."""
        me = threading.current_thread()
        return me is self._maker or (isinstance(me, Player) and me.conductor is self)

    def _named(self, name: str) -> Player | None:
        return next((p for p in self.players if p.name == name and not p.over), None)

    def _next(self, after: Player | None) -> Player | None:
        players = self.players
        at = players.index(after) + 1 if after is not None else 0
        napping = None
        for player in (*players[at:], *players[:at]):
            if player.over or not _ready(player):
                continue
            if not player.napping:
                return player
            napping = napping or player
        if napping is not None:
            self._idle_naps += 1
            if self._idle_naps <= NAPS:
                return napping
        return None

    def _pass_on(self, me: Player) -> None:
        follower = self._next(me)
        if follower is me:
            return
        if follower is None:
            self.current = None
            self._quiet.release()
            if not me.over:
                me.turn.acquire()
            return
        self._hand(me, follower)

    def _hand(self, me: Player, follower: Player) -> None:
        self._give(follower)
        if not me.over:
            me.turn.acquire()
            if self.closing:
                raise Abandoned

    def _give(self, player: Player) -> None:
        self.current = player
        player.turn.release()

    # --- lines ------------------------------------------------------------------------------------------------------------

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = code.co_filename in self.watched and code.co_name not in self.ignored
        if not known:
            return None
        if self.fine:
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self._line

    def _line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event in {"line", "opcode"}:
            self.step()
        return self._line


def _ready(player: Player) -> bool:
    return player.blocked is None or player.blocked()


class Lock:
    """As `threading.Lock`; blocking is the conductor's."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._taken = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._taken:
            if not blocking:
                return False
            self._conductor.block(lambda: not self._taken)
        self._taken = True
        return True

    def release(self) -> None:
        if not self._taken:
            raise RuntimeError("release unlocked lock")
        self._taken = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """As `threading.Event`; blocking is the conductor's."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        self._conductor.block(lambda: self._set)
        return self._set


def pairs(
    leaver: str, follower: str, run: Callable[[list[Switch]], Outcome], *, stride: int = 1, naps: int = 2
) -> Iterator[tuple[list[Switch], Outcome]]:
    """Run every plan of the form "``leaver`` stops at its line i, ``follower`` at its line j, then ``leaver`` goes on".

    Args:
        leaver: a player.
        follower: another one.
        run: makes a run with a plan.
        stride: take every so many-th pair only, each row beginning at another place.
        naps: how many naps the follower goes on over.
    """
    row = 0
    while True:
        column = row % stride
        while True:
            plan = [Switch(leaver, row, follower, naps), Switch(follower, column, leaver)]
            outcome = run(plan)
            yield plan, outcome
            if outcome.used:
                row = outcome.places[0]  # before that the follower could not go on
            if outcome.used < 2:
                break
            column += stride
        if outcome.used == 0:
            return
        row += 1
