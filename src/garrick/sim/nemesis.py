"""`Nemesis`: random faults at given rates, from the choices of the world.

Owns when which fault hits whom. It does nothing that a program could not do by the calls of `SystemFaults`, `Net` and `EngineFaults`.
Invariants:

* Every fault is a choice with the key (whom, n-th slot of time) and 0 is none, so that one fault less moves no other one.
* A slot is half as long as the mean time between two faults of a kind, and has one with probability one half.
* Each seed first draws which of the kinds exist at all (swarm): a world with few kinds gets into states that a bit of everything spoils.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from garrick.errors import InvalidArgument
from garrick.sim.kernel import Due
from garrick.sim.systems import STEP_NS
from garrick.sim.units import Rate

if TYPE_CHECKING:
    from garrick.sim.housed import HousedNode
    from garrick.sim.net import Cut
    from garrick.sim.world import World

log = logging.getLogger("garrick")

TICK_NS = 1_000_000
"""Faults happen at whole milliseconds."""
DOWN = (1_000_000_000, 30_000_000_000)
"""How long a system is down that was killed, if its rate does not say."""
LASTS = (1_000_000_000, 10_000_000_000)
"""How long other faults last."""
SLOTS = 1_000_000
"""Numbers of slots for each nemesis of a world."""
SWIZZLED = 5
"""Systems that are clogged one by one."""
SKEW_ONLY = "clock_skew"
RACKS = frozenset({"rack_power", "rack_cut"})
"""What hits the systems with one value of the capability ``rack``."""


class Nemesis:
    """Made by `World.nemesis`."""

    def __init__(
        self, world: World, number: int, rates: dict[str, Rate], skew: int, spare: Collection[str], *, swarm: bool
    ) -> None:
        self._world = world
        self._kernel = world._kernel
        self._choices = world.choices
        self._spare = frozenset(spare)
        self._over = False
        self._skew = skew
        self._clogged: dict[str, Cut] = {}
        self.hits: dict[str, int] = {}
        """How often each kind has happened."""
        actions: dict[str, Callable[[str, int, int], None]] = {
            "kill_system": self._kill,
            "kill_process": self._kill_process,
            "pause_process": self._pause_process,
            "slow_process": self._slow_process,
            "pause": self._pause,
            "slow": self._slow,
            "full_mailbox": self._full_mailbox,
            "spawn_failure": self._spawn_failure,
            "cut_off": self._cut_off,
            "clock_jump": self._clock_jump,
            "rack_power": self._rack_power,
            "rack_cut": self._rack_cut,
            "partition": self._partition,
            "swizzle": self._swizzle,
            "engine": self._engine,
            "directory": self._directory,
        }
        wrong = rates.keys() - actions.keys()
        if wrong:
            raise InvalidArgument(f"no fault {min(wrong)!r} is known", hint=f"there are {', '.join(sorted(actions))}")
        named = [*rates, *([SKEW_ONLY] if skew else [])]
        self.kinds = [kind for kind in named if not swarm or self._choices.choose("nemesis.exists", (kind,), 2)]
        """The faults that this seed has."""
        log.info("seed %d has the faults %s of %s", world.seed, ", ".join(self.kinds) or "none", ", ".join(named))
        for kind in self.kinds:
            if kind == SKEW_ONLY:
                for name in world.up:
                    self._set_clock(name, 0)
            else:
                self._slots(kind, rates[kind], actions[kind], number * SLOTS)

    def stop(self) -> None:
        """No further faults; those that last end at their time."""
        self._over = True

    # --- time ----------------------------------------------------------------------------------------------------------------

    def _slots(self, kind: str, often: Rate, action: Callable[[str, int, int], None], slot: int) -> None:
        """One slot of a kind begins: draw its faults."""
        if self._over:
            return
        now, length = self._kernel.clock.ns, max(2 * TICK_NS, often.period // 2)
        ticks = length // TICK_NS
        for target in self._targets(kind):
            value = self._choices.choose(f"nemesis.{kind}", (target, slot), 2 * ticks)
            if 0 < value < ticks:
                low, high = often.lasts if often.lasts[1] else DOWN if kind == "kill_system" else LASTS
                lasts = self._choices.between(f"nemesis.{kind} lasts", (target, slot), low, high)
                hit = partial(self._hit, kind, action, target, slot, lasts)
                self._kernel.at(now + value * TICK_NS, Due(hit))
        self._kernel.at(now + length, Due(partial(self._slots, kind, often, action, slot + 1)))

    def _targets(self, kind: str) -> list[str]:
        if kind in {"partition", "swizzle", "engine", "directory"}:
            return [""]
        if kind in RACKS:
            racks = {
                str(node.capabilities["rack"]) for node in self._world._nodes.values() if "rack" in node.capabilities
            }
            return sorted(racks)
        return self._victims()

    def _victims(self) -> list[str]:
        return [name for name in self._world.up if name not in self._spare]

    def _hit(self, kind: str, action: Callable[[str, int, int], None], target: str, slot: int, lasts: int) -> None:
        if not self._over and (target == "" or kind in RACKS or target in self._world._nodes):
            self.hits[kind] = self.hits.get(kind, 0) + 1
            action(target, slot, lasts)

    def _after(self, lasts: int, action: Callable[[], object]) -> None:
        self._kernel.at(self._kernel.clock.ns + lasts, Due(action))

    # --- one system ----------------------------------------------------------------------------------------------------------

    def _kill(self, name: str, slot: int, lasts: int) -> None:
        self._world._crash(name)
        self._after(lasts, partial(self._revive, name, slot))

    def _revive(self, name: str, slot: int) -> None:
        if not self._over and name in self._world.down:  # afterwards `World.quiet` decides who comes back
            self._world.revive(name)
            if SKEW_ONLY in self.kinds:
                self._set_clock(name, slot)

    def _pause(self, name: str, _slot: int, lasts: int) -> None:
        self._world._pause(self._world._nodes[name], lasts)

    def _slow(self, name: str, slot: int, lasts: int) -> None:
        node = self._world._nodes[name]
        node.slow_down(STEP_NS * (1 + self._choices.choose("nemesis.slow factor", (name, slot), 100)))
        self._after(lasts, lambda: node.slow_down(0))

    def _process(self, name: str, slot: int) -> tuple[HousedNode, int] | None:
        """One of the processes of a system, if it has any."""
        node: Any = self._world._nodes[name]
        numbers = sorted(node.roles()) if node.workers else []
        return (node, numbers[self._choices.choose("nemesis.process", (name, slot), len(numbers))]) if numbers else None

    def _kill_process(self, name: str, slot: int, _lasts: int) -> None:
        chosen = self._process(name, slot)
        if chosen is not None:
            chosen[0].kill_process(chosen[1])

    def _pause_process(self, name: str, slot: int, lasts: int) -> None:
        chosen = self._process(name, slot)
        if chosen is not None:
            self._world._pause(chosen[0].process(chosen[1]), lasts)

    def _slow_process(self, name: str, slot: int, lasts: int) -> None:
        chosen = self._process(name, slot)
        if chosen is not None:
            gate = chosen[0].process(chosen[1]).gate
            gate.slow_down(STEP_NS * (1 + self._choices.choose("nemesis.slow factor", (name, slot), 100)))
            self._after(lasts, lambda: gate.slow_down(0))

    def _full_mailbox(self, name: str, _slot: int, lasts: int) -> None:
        self._world._fill(self._world._nodes[name], lasts)

    def _spawn_failure(self, name: str, _slot: int, lasts: int) -> None:
        self._world._nodes[name].barren.begin(lasts)

    def _cut_off(self, name: str, slot: int, lasts: int) -> None:
        net = self._world.net
        cut = net._cut_off(name, reset=self._choices.chance("nemesis.reset", (name, slot), 500_000))
        self._after(lasts, partial(net.heal, cut))

    def _clock_jump(self, name: str, slot: int, _lasts: int) -> None:
        jump = self._choices.between("nemesis.clock jump by", (name, slot), 0, 7_200_000_000_000)
        self._world._node(name).local_clock().jump(jump - 3_600_000_000_000 if jump else 0)

    def _set_clock(self, name: str, slot: int) -> None:
        wrong = self._choices.between("nemesis.clock_skew", (name, slot), 0, 2 * self._skew)
        self._world._node(name).local_clock().jump(wrong - self._skew if wrong else 0)

    # --- many ------------------------------------------------------------------------------------------------------------------

    def _in_rack(self, rack: str) -> list[str]:
        return [
            name
            for name, node in self._world._nodes.items()
            if str(node.capabilities.get("rack")) == rack and name not in self._spare
        ]

    def _rack_power(self, rack: str, slot: int, lasts: int) -> None:
        for name in self._in_rack(rack):
            self._world._crash(name, silent=True)
            self._after(lasts, partial(self._revive, name, slot))

    def _rack_cut(self, rack: str, slot: int, lasts: int) -> None:
        net, inside = self._world.net, self._in_rack(rack)
        outside = self._world._nodes.keys() - set(inside)
        reset = self._choices.chance("nemesis.reset", ("rack", rack, slot), 500_000)
        self._after(lasts, partial(net.heal, net._partition(sorted(outside), inside, reset=reset)))

    def _partition(self, _target: str, slot: int, lasts: int) -> None:
        net, choose = self._world.net, self._choices.choose
        sides: tuple[list[str], list[str]] = ([], [])
        for name in self._world.up:
            sides[0 if name in self._spare else choose("nemesis.side", (name, slot), 2)].append(name)
        cut = net._partition(
            *sides,
            one_way=choose("nemesis.one way", (slot,), 4) == 3,
            engine=choose("nemesis.keeps engine", (slot,), 2) == 1,
            reset=choose("nemesis.reset", ("partition", slot), 2) == 1,
        )
        self._after(lasts, partial(net.heal, cut))

    def _swizzle(self, _target: str, slot: int, lasts: int) -> None:
        """Clog systems one by one, and unclog them in another order."""
        victims, choose = self._victims(), self._choices.choose
        chosen = [
            victims.pop(choose("nemesis.swizzle whom", (slot, turn), len(victims)))
            for turn in range(min(SWIZZLED, len(victims)))
        ]
        step = max(1, lasts // max(1, len(chosen)))
        again = list(chosen)
        for turn, name in enumerate(chosen):
            back = again.pop(choose("nemesis.swizzle back", (slot, turn), len(again)))
            self._after(turn * step // 2, partial(self._clog, name))
            self._after(lasts + turn * step // 2, partial(self._unclog, back))

    def _clog(self, name: str) -> None:
        if not self._over and name not in self._clogged:
            self._clogged[name] = self._world.net._cut_off(name)

    def _unclog(self, name: str) -> None:
        cut = self._clogged.pop(name, None)
        if cut is not None:
            self._world.net.heal(cut)

    def _engine(self, _target: str, _slot: int, lasts: int) -> None:
        engine = self._world.engine
        engine._stop()
        self._after(lasts, engine.start)

    def _directory(self, _target: str, _slot: int, lasts: int) -> None:
        self._world.engine._stop()
        self._after(lasts, partial(self._world.engine.start, lose_directory=True))
