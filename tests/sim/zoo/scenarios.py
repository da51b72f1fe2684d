"""What the simulator looks at while bugs are planted: small programs with a model of what must come of them."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from garrick import ActorGone, ActorSystem, AskTimeout, Backoff, Bounded, Restart
from garrick.errors import GarrickError
from garrick.runtime.cell import RUNNING
from garrick.sim.world import World

from .actors import (
    Asker,
    Boom,
    Boss,
    Claims,
    Ear,
    FarSink,
    Mortal,
    Named,
    Numbered,
    Phoenix,
    Sink,
    Source,
    Watcher,
    by_source,
)


def in_order(seen: list[Numbered]) -> bool:
    """What each source sent has come once and in order, as far as it has come."""
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_source(seen).values())


def queues(world: World) -> None:
    """Messages wait for an actor that sleeps now and then: each is handled once, in the order of its sender."""
    world.strict()
    seen: list[Numbered] = []
    system = world.system("one")
    sink = system.spawn(Sink, seen)
    world.always("in order", lambda: in_order(seen))
    world.eventually("all handled", lambda: len(seen) == 60, within="20s")
    draw = random.Random(world.seed)
    sources = [system.spawn(Source, sink, number) for number in range(3)]
    for source in sources * 10:
        system.send(source, 2)
        world.run(draw.choice([0, 0.005, 0.1]))
    world.verify()
    world.run(1)
    assert len(seen) == 60


def bounded(world: World) -> None:
    """A mailbox with room for three: never do more wait, and what has no room is a dead letter."""
    seen: list[Numbered] = []
    system = world.system("one")
    sink = system.spawn(Sink, seen, mailbox=Bounded(3, overflow="dead-letter"))
    cell: Any = system._runtime.cells[sink.serial]
    world.always("three at most", lambda: cell.mailbox.waiting <= 3)
    draw = random.Random(world.seed)
    sent = 0
    for _ in range(4):
        for _ in range(draw.randrange(3, 8)):
            sent += 1
            system.send(sink, Numbered(0, sent, draw.choice([0.0, 0.5])))
        world.run(draw.random())
    world.run(10)
    letters = sum(system._runtime.dead_letter_count.values())
    assert len(seen) + letters == sent, "a message was lost without a dead letter"


def restarts(world: World) -> None:
    """An actor fails now and then: one new instance for each failure, nothing of the old one goes on, nothing that waits is lost."""
    world.strict()
    world.no_failures(Boom)
    log: list[tuple[str, int, Any]] = []
    system = world.system("one")
    policy = Restart(max=100, within=1000, backoff=Backoff(first=0.2, factor=1, limit=0.2, jitter=0))
    phoenix = system.spawn(Phoenix, log, supervision=policy)
    draw = random.Random(world.seed)
    failures = 0
    for number in range(30):
        if draw.randrange(6) == 0:
            failures += 1
            system.send(phoenix, "fail")
        system.send(phoenix, number)
        world.run(draw.choice([0, 0.1, 0.3]))
    while failures < 3:
        failures += 1
        system.send(phoenix, "fail")
    world.run(10)
    made = [instance for what, instance, _ in log if what == "made"]
    assert made == list(range(1, failures + 2)), "an instance for each failure"
    assert sum(what == "restarting" for what, _, _ in log) == failures, "`restarting` once for each failure"
    assert [i for what, i, of in log if what == "tick" and i != of] == [], "a timer of another instance"
    instances = [instance for _, instance, _ in log]
    assert instances == sorted(instances), "an instance that was replaced has handled something"
    handled = sorted(value for what, _, value in log if what == "number")
    assert handled == list(range(30)), "a message was lost or handled twice"
    system.stop_actor(phoenix)
    world.check_no_leaks()


def family(world: World) -> None:
    """Children leave their failures to their parent, and are watched: nobody stays suspended, every end is told once and in order."""
    world.strict()
    world.no_failures(Boom)
    log: list[tuple[str, Any]] = []
    system = world.system("one")
    boss = system.spawn(Boss, log)
    watchers = [system.spawn(Watcher, log) for _ in range(2)]
    kids = system.ask(boss, 3)
    draw = random.Random(world.seed)
    for kid in kids:
        system.send(kid, "fail")
        for watcher in watchers:
            system.send(watcher, kids)
        world.run(draw.choice([0, 0, 1]))
    world.run(30)
    for kid in kids:
        system.send(kid, "still there")
    world.run(1)
    assert [what for what, _ in log].count("still there") == 3, "a child is suspended for ever"
    for watcher in watchers:
        system.send(watcher, kids)
    if draw.randrange(2):
        system._runtime.route(kids[0], _stop(), None, 3)
        for watcher in watchers:
            system.send(watcher, kids)
    system.stop_actor(boss)
    world.run(1)
    ends = [actor for what, actor in log if what == "end"]
    assert sorted(ends, key=str) == sorted([*kids, boss], key=str), "a child has not ended with its parent"
    assert ends[-1] == boss, "children end before their parents"
    told = Counter(actor for what, actor in log if what == "terminated")
    first = [told[kid] for kid in kids]
    assert all(count >= 2 for count in first), "an end was not told"
    for watcher in watchers:
        system.stop_actor(watcher)
    world.check_no_leaks()


def _stop() -> Any:
    from garrick.runtime.signals import Stop

    return Stop()


def twice(world: World) -> None:
    """A watcher stops watching and watches again while the other one ends: one notice for each watch, at most."""
    log: list[tuple[str, Any]] = []
    system = world.system("one")
    watcher = system.spawn(Watcher, log)
    for _ in range(5):
        mortal = system.spawn(Mortal, 1)
        system.send(watcher, [mortal])
        world.run_idle()
        system.send(mortal, 0)
        system.send(watcher, [mortal])
        world.run(1)
    told = Counter(actor for what, actor in log if what == "terminated")
    # It watched twice, and the second time may have been after the end: no more than two.
    assert max(told.values()) <= 2, "told more often than it watched"
    cells = [cell for cell in system._runtime.cells.values() if cell.address == watcher]
    assert not cells[0].watching, "it still watches somebody who has ended"


def names(world: World) -> None:
    """Two want the same name: one has it at a time, and whoever hears of an end can have the name at once."""
    world.strict()
    system = world.system("one")
    log: list[tuple[str, str]] = []

    def holders() -> int:
        cells = system._runtime.cells.values()
        return sum(c.spec.actor_class is Named and c.spec.name == "crown" and c.state == RUNNING for c in cells)

    world.always("one holder", lambda: holders() <= 1)
    claims = system.spawn(Claims, "crown", log)
    system.send(claims, 5)
    world.run(5)
    assert [reason for reason, _ in log] == ["stopped"] * 5, "the name was not free when its holder's end was told"
    system.stop_actor(claims)
    rivals = [system.spawn(Claims, "crown", []) for _ in range(3)]
    for rival in rivals:
        system.send(rival, 1)
    world.run(5)


def questions(world: World) -> None:
    """Questions to actors that end: each is answered or fails at once, and what nobody handled is a dead letter."""
    world.strict()
    log: list[tuple[str, float]] = []
    system = world.system("one")
    draw = random.Random(world.seed)
    sent = 0
    for _ in range(4):
        mortal = system.spawn(Mortal, draw.randrange(1, 6))
        asker = system.spawn(Asker, mortal, log)
        sent += 8
        system.send(asker, 8)
        world.run(draw.random() * 0.05)
    world.run(60)
    assert len(log) == sent
    assert {outcome for outcome, _ in log} <= {"answer", "ActorGone"}, "a question was forgotten"
    assert max(seconds for _, seconds in log) < 5, "a question ended late"
    gone = sum(outcome == "ActorGone" for outcome, _ in log)
    assert system._runtime.dead_letter_count["stopped"] == gone, "dead letters are not counted"


# --- between systems --------------------------------------------------------------------------------------------------------


def _sink_of(system: ActorSystem) -> list[Numbered]:
    cells = system._runtime.cells.values()
    found: list[Numbered] = next(cell.actor.seen for cell in cells if isinstance(cell.actor, FarSink))
    return found


def links(world: World) -> None:
    """A link over a bad network: everything arrives once and in order."""
    world.no_failures()
    one, two = world.systems(2)
    sink = two.spawn(FarSink)
    seen = _sink_of(two)
    sources = [one.spawn(Source, sink, number) for number in range(2)]
    world.net.link("s1", "s2").set(latency=("1ms", "50ms"), drop=0.1, duplicate=0.1, reorder=0.1)
    world.always("in order", lambda: in_order(seen))
    world.eventually("all arrived", lambda: len(seen) == 80, within="2min")
    for _ in range(10):
        for source in sources:
            one.send(source, 4)
        world.run(0.2)
    world.verify()
    assert by_source(seen) == {number: list(range(1, 41)) for number in range(2)}


def good_links(world: World) -> None:
    """A link over a good network: nothing is sent twice, and soon nothing is owed."""
    one, two = world.systems(2)
    sink = two.spawn(FarSink)
    seen = _sink_of(two)
    source = one.spawn(Source, sink, 0)
    for _ in range(5):
        one.send(source, 4)
        world.run(1)
    world.run(20)
    assert len(seen) == 20
    node: Any = world._nodes["s1"]
    link = next(iter(node.membership._gateway._peers.values())).link
    assert link.statistics().resent == 0, "frames were sent again on a good network"
    assert link.idle, "something is still owed"


def losses(world: World) -> None:
    """A system loses its power and comes back: whoever asked or watched hears of it, and nobody answers for the dead."""
    one, two = world.systems(2)
    log: list[tuple[str, Any]] = []
    outcomes: list[tuple[str, float]] = []
    sink = two.spawn(FarSink)
    mortal = two.spawn(Mortal, 1000)
    watcher = one.spawn(Watcher, log)
    asker = one.spawn(Asker, mortal, outcomes)
    one.send(watcher, [sink, mortal])
    source = one.spawn(Source, sink, 0)
    world.run(1)
    one.send(asker, 3)
    one.send(source, 5)
    draw = random.Random(world.seed)
    world.run(draw.random() * 0.02)
    seen = list(_sink_of(two))
    world.crash("s2", silent=bool(draw.randrange(2)))
    one.send(source, 5)
    if draw.randrange(2):
        again = world.restart("s2")
        again.spawn(FarSink)
    world.run(60)
    assert {actor for what, actor in log if what == "terminated"} == {sink, mortal}, "a loss was not told"
    assert len(outcomes) == 3, "a question was forgotten"
    assert max((seconds for _, seconds in outcomes), default=0) < 29, "a loss was noticed by time-outs only"
    letters = sum(one._runtime.dead_letter_count.values())
    assert len(seen) + letters >= 10 - 5, "messages were lost without dead letters"
    try:
        one.ask(mortal, 1, timeout=20)
    except ActorGone:
        pass
    except (AskTimeout, GarrickError) as error:
        raise AssertionError(f"a stale address: {error!r}") from error
    else:
        raise AssertionError("somebody answered for the dead")


def processes(world: World) -> None:
    """A worker is killed: what it had written comes, then its loss, once; who asked hears of it; who was to survive does."""
    bank = world.system("bank", workers=2)
    ears = [bank.spawn(Ear) for _ in range(4)]
    survivor = bank.spawn(Ear, supervision=Restart(on_loss=True))
    sources = [bank.spawn(Source, ear, number) for number, ear in enumerate(ears)]
    for ear in ears:
        bank.send(ear, sources)
    world.run(0.1)
    draw = random.Random(world.seed)
    for source in sources:
        bank.send(source, 5)
    world.run_steps(draw.randrange(80))
    victim = draw.choice(list(world.processes(bank)))
    world.kill_process(bank, victim)
    world.run(2)
    lost = {source for source in sources if source.process == victim}
    for ear in ears:
        if ear.process == victim:
            continue
        heard = world.actor(ear).heard
        told = [source for source, what in heard if isinstance(what, str)]
        assert sorted(told) == sorted(lost), "the loss of a process was not told once"
        for source in sources:
            numbers = [what for sender, what in heard if sender == source]
            expected = [*range(1, len(numbers)), "worker lost"] if source in lost else sorted(numbers)
            assert numbers == expected, "what a process had written came behind its loss"
    for actor in (*ears, *sources):
        if actor.process == victim:
            try:
                bank.ask(actor, "are you there?", timeout=5)
            except ActorGone:
                continue
            except AskTimeout as error:
                raise AssertionError("who asks the dead waits in vain") from error
            raise AssertionError("somebody answered for the dead")
    try:
        assert bank.ask(survivor, "are you there?", timeout=5)
    except GarrickError as error:
        raise AssertionError(f"who was to survive did not: {error!r}") from error
    assert len(world.processes(bank)) == 2, "a worker is missing"
