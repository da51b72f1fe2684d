"""Whatever happens to a system in whatever order, its admin keeps its promises."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from garrick.address import COUNTER_BITS, Address, ReplyAddress, control
from garrick.node.admin import (
    AdminMachine,
    Announce,
    Answer,
    Deliver,
    Effect,
    EndSystem,
    KillProcess,
    Send,
    StartProcess,
)
from garrick.runtime import signals
from garrick.runtime.signals import ProcessInfo, SystemInfo
from garrick.runtime.systems import changed_by
from garrick.wire.envelope import REPLY

SYSTEM = "a@00000000aa"
NAMES = st.sampled_from(["x", "y", "z"])
OTHERS = st.sampled_from(["b@0000000001", "b@0000000002", "c@0000000001"])


class World(RuleBasedStateMachine):
    """An admin, and what its processes would know if they existed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = AdminMachine(SYSTEM)
        self.starting: dict[int, str] = {}
        self.up: dict[int, str] = {}
        self.gone: dict[int, str] = {}
        self.numbers: list[int] = []
        self.views: dict[int, signals.View] = {}
        self.losses: dict[int, Counter[tuple[int, str]]] = {}
        self.system_losses: dict[int, Counter[str]] = {}
        self.members: set[str] = set()
        self.holders: dict[str, Address[Any]] = {}
        self.granted: dict[int, list[tuple[str, Address[Any]]]] = {}
        self.owed: Counter[str] = Counter()
        self.places: dict[int, dict[Address[Any], int]] = {}
        self.made: Counter[bytes] = Counter()
        self.ended = False
        self.announced: SystemInfo | None = None
        self.take(self.machine.start(2, self.now))

    # --- the edge --------------------------------------------------------------------------------------------------------

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.ended, f"{effect} after the end"
            match effect:
                case StartProcess(number, role, _):
                    assert number not in self.numbers
                    self.numbers.append(number)
                    self.starting[number] = role
                case KillProcess(number, _):
                    assert number in self.starting or number in self.up
                case Send(target, message, kind, _):
                    self.arrives(target, message, kind)
                case Deliver(number, envelope):
                    assert number in self.up
                    assert number in self.views, "a process gets work when it knows the state of the system"
                    assert self.places[number][by_spawn(envelope)] == number
                    self.made[envelope] += 1
                case Announce(info):
                    assert info != self.announced
                    self.announced = info
                case Answer(token, _):
                    self.owed[token] -= 1
                case EndSystem():
                    self.ended = True
                case _:
                    pass

    def arrives(self, target: Address[Any], message: Any, kind: int) -> None:
        if target.system != SYSTEM:
            return
        number = target.process
        if kind == REPLY:
            if message is not None and not isinstance(message, (Address, tuple)):
                self.owed["actor"] -= 1
            return
        assert number in self.up, f"{message} to process {number}, which is not up"
        match message:
            case signals.View():
                self.views[number] = message
            case signals.ViewChange(changed, gone):
                self.views[number] = signals.View(changed_by(self.views[number].systems, changed, gone))
            case signals.ProcessLost(processes, reason, _, moved):
                self.places.setdefault(number, {}).update(moved)
                self.losses[number].update((p, reason) for p in processes)
            case signals.SystemLost(system):
                self.system_losses[number][system] += 1
            case signals.NameAnswer(name, address, holder):
                if holder == address:
                    assert self.holders.get(name, address) == address
                    self.holders[name] = address
                else:
                    assert self.holders[name] == holder
            case _:
                pass

    def process(self, data: st.DataObject, among: dict[int, str]) -> int:
        return data.draw(st.sampled_from(sorted(among)))

    # --- what happens ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.2, 5.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.machine.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.take(self.machine.tick(self.now))
            assert self.machine.deadline is None or self.machine.deadline > deadline or self.ended
        self.now = end

    @precondition(lambda self: self.starting)
    @rule(data=st.data())
    def joins(self, data: st.DataObject) -> None:
        number = self.process(data, self.starting)
        role = self.up[number] = self.starting.pop(number)
        self.losses[number], self.system_losses[number] = Counter(), Counter()
        self.take(self.machine.process_joined(number, role, self.now, pid=number))
        if not self.machine.ended:
            told = {n for n, _ in self.losses[number]}
            assert told >= set(self.gone), "a newcomer knows who is gone"
            assert not (told - set(self.gone)) & set(self.numbers), "and else only of those that never were"

    @rule(owner=st.booleans())
    def attaches(self, owner: bool) -> None:
        if self.machine.ended:
            return
        number = self.machine.allot("client", self.now)
        assert number not in self.numbers
        self.numbers.append(number)
        self.up[number] = "client"
        self.losses[number], self.system_losses[number] = Counter(), Counter()
        self.take(self.machine.process_joined(number, "client", self.now, owner=owner))

    @precondition(lambda self: self.starting or self.up)
    @rule(data=st.data(), expected=st.booleans())
    def dies(self, data: st.DataObject, expected: bool) -> None:
        number = self.process(data, {**self.starting, **self.up})
        self.starting.pop(number, None)
        role = self.up.pop(number, None)
        self.views.pop(number, None)
        before = {n: sum(c for (p, _), c in told.items() if p == number) for n, told in self.losses.items()}
        assert not any(before[n] for n in self.up)
        was_ended = self.machine.ended
        self.take(self.machine.process_died(number, "died", self.now, expected=expected))
        # What is made again in another process keeps its name.
        places = {name: self.machine.moved.get(held, held.process) for name, held in self.holders.items()}
        for name in [name for name, place in places.items() if not self.machine.alive(place)]:
            del self.holders[name]
        self.gone[number] = role or "starting"
        if not was_ended:
            for n in self.up:
                assert sum(c for (p, _), c in self.losses[n].items() if p == number) == 1
        self.take(self.machine.process_died(number, "again", self.now))

    @precondition(lambda self: self.up)
    @rule(data=st.data(), name=NAMES, counter=st.integers(1, 2))
    def claims(self, data: st.DataObject, name: str, counter: int) -> None:
        number = self.process(data, self.up)
        address: Address[Any] = Address(SYSTEM, number, number << COUNTER_BITS | counter)
        claim = signals.NameClaim(name, address)
        self.take(self.machine.handle(claim, control(SYSTEM, number), self.now))

    @precondition(lambda self: self.up)
    @rule(data=st.data(), name=NAMES, counter=st.integers(1, 2))
    def releases(self, data: st.DataObject, name: str, counter: int) -> None:
        number = self.process(data, self.up)
        address: Address[Any] = Address(SYSTEM, number, number << COUNTER_BITS | counter)
        if self.holders.get(name) == address and not self.machine.ended:
            del self.holders[name]
        release = signals.NameReleased(name, address)
        self.take(self.machine.handle(release, control(SYSTEM, number), self.now))

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def wants_a_process(self, data: st.DataObject) -> None:
        number = self.process(data, self.up)
        asker = ReplyAddress(SYSTEM, number, number << COUNTER_BITS | 99)
        effects = self.machine.handle(signals.NumbersWanted(), asker, self.now)
        self.take(effects)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, tuple):
                first, _ = effect.message
                assert not set(range(first, first + 3)) & set(self.numbers)
                start = signals.StartProcess(first, Address(SYSTEM, first, number << COUNTER_BITS | 98))
                wanted = self.machine.handle(start, control(SYSTEM, number), self.now)
                self.take(wanted)
                if not any(isinstance(e, StartProcess) for e in wanted) and not self.machine.ended:
                    self.numbers.append(first)
                    self.gone[first] = "refused"

    @precondition(lambda self: self.up)
    @rule(data=st.data(), counter=st.integers(1, 3), dedicated=st.booleans(), beside=st.booleans())
    def keeps(self, data: st.DataObject, counter: int, dedicated: bool, beside: bool) -> None:
        number = self.process(data, self.up)
        parent = control(SYSTEM, 0)
        if beside:
            other = self.process(data, self.up)
            parent = Address(SYSTEM, other, other << COUNTER_BITS | 1)
        address: Address[Any] = Address(SYSTEM, number, number << COUNTER_BITS | counter)
        keep = signals.Keep(address, parent, dedicated, 2, 10.0, spawn_of(address))
        self.take(self.machine.handle(keep, control(SYSTEM, number), self.now))

    @precondition(lambda self: self.machine.core.kept.entries)
    @rule(data=st.data())
    def forgets(self, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(list(self.machine.core.kept.entries)))
        self.take(self.machine.handle(signals.Forget(address), None, self.now))

    @rule(system=OTHERS)
    def system_joins(self, system: str) -> None:
        if not self.machine.ended:
            self.members.add(system)
        info = SystemInfo(system, {"n": len(self.numbers)}, (ProcessInfo(1),))
        self.take(self.machine.system_joined(info, self.now))

    @rule(system=OTHERS, lost=st.booleans())
    def system_goes(self, system: str, lost: bool) -> None:
        before = {n: told[system] for n, told in self.system_losses.items()}
        # The caller tells each end once, also that of one which is not in the list any more, or was never: lists are sent by themselves.
        due = not self.machine.ended
        self.members.discard(system)
        if lost:
            self.take(self.machine.system_lost(system, "gone", self.now))
        else:
            self.take(self.machine.system_left(system, self.now))
        for n in self.up:
            assert self.system_losses[n][system] == before[n] + due

    @rule(key=st.sampled_from(["db", "gpu"]), value=st.sampled_from([None, 1, 2]))
    def capability(self, key: str, value: int | None) -> None:
        self.take(self.machine.handle(signals.SetCapability(key, value), None, self.now))

    @rule(token=st.sampled_from(["s", "t"]))
    def status(self, token: str) -> None:
        self.owed[token] += 1
        was_ended, self.ended = self.ended, False
        self.take(self.machine.status_wanted(token, self.now))
        self.ended = was_ended or self.ended

    @rule(grace=st.sampled_from([0.0, 1.0, 10.0]))
    def shut_down(self, grace: float) -> None:
        self.take(self.machine.shutdown(grace, self.now))

    # --- what is always so -----------------------------------------------------------------------------------------------

    @invariant()
    def all_have_the_view_that_is_due(self) -> None:
        if self.machine.core.ending is not None:
            return  # nothing is created any more
        for view in self.views.values():
            own = view.systems[SYSTEM]
            assert own == self.machine.info()
            assert not {p.number for p in own.processes} & set(self.gone)
            if self.machine.core.view_due() is None:
                assert set(view.systems) == {SYSTEM, *self.members}
        assert set(self.views) == set(self.up)

    @invariant()
    def who_survives_is_where_all_think(self) -> None:
        kept = self.machine.core.kept
        if self.machine.ended:
            return
        assert not {entry.process for entry in kept.entries.values()} & set(self.gone)
        assert kept.places.keys() <= kept.entries.keys()
        for number in self.up:
            told = self.places.get(number, {})
            assert {a: told.get(a) for a in kept.places} == kept.places
        if self.machine.core.ending is None:
            assert not [e for e in kept.entries.values() if e.due and e.process in self.up], "it got its spawn"

    @invariant()
    def there_is_always_a_worker_or_one_to_come(self) -> None:
        if self.machine.core.ending is None:
            assert self.machine.info().processes

    def teardown(self) -> None:
        if not self.ended:
            self.take(self.machine.shutdown(1.0, self.now))
            for number in [n for n, role in self.up.items() if role != "client"]:
                self.up.pop(number)
                self.take(self.machine.process_died(number, "ended", self.now, expected=True))
            for number in list(self.starting):
                self.starting.pop(number)
                self.take(self.machine.process_died(number, "killed", self.now))
            assert self.ended, "when all its processes have ended the system has"
        assert self.machine.deadline is None


def spawn_of(address: Address[Any]) -> bytes:
    return f"{address.process} {address.serial}".encode()


def by_spawn(envelope: bytes) -> Address[Any]:
    process, serial = map(int, envelope.split())
    return Address(SYSTEM, process, serial)


World.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAdmin = World.TestCase
