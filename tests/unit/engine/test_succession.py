"""One directory succeeds another: what members have to do for it, and what an old one can still do."""

from __future__ import annotations

from collections import Counter

from garrick.engine import directory as d
from garrick.engine.carrier import Verdict
from garrick.engine.epochs import is_older, leased
from garrick.engine.feedcodec import decode_delta, encode_delta
from garrick.engine.follower import Announce, Answered, Connected, Follower, Tick
from garrick.engine.membership import Change, Delta, Joined, Lost, Member, Snapshot, Updated
from garrick.engine.memory import MemoryNetwork
from garrick.engine.memory_engine import MemoryEngine
from garrick.engine.names import Reply, Request


class Counting(MemoryNetwork):
    """Counts what its directory is told."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        super().__init__()

    def tell_directory(self, event: d.Event) -> None:
        self.heard[type(event).__name__] += 1
        super().tell_directory(event)


class Town:
    """A network with members."""

    def __init__(self, count: int) -> None:
        self.network = Counting()
        self.engines: dict[str, MemoryEngine] = {}
        self.changes: dict[str, list[Change]] = {}
        for name in (f"h{number}" for number in range(count)):
            engine = self.engines[name] = MemoryEngine(self.network)
            told = self.changes[name] = []
            engine.open(
                f"{name}@01",
                on_frame=lambda *_: None,
                on_event=lambda _: None,
                on_members=lambda delta, told=told: told.extend(delta.changes),  # type: ignore[misc]
            )
        self.network.advance(10.0)
        self.network.heard.clear()
        for told in self.changes.values():
            told.clear()

    def follower(self, name: str) -> Follower:
        follower = self.engines[name].follower
        assert follower is not None
        return follower

    def snapshot(self, name: str) -> Snapshot:
        snapshot = self.follower(name).snapshot()
        assert snapshot is not None
        return snapshot

    def check(self, *without: str) -> None:
        wanted = self.network.directory.members
        assert set(wanted) == self.engines.keys() - set(without)
        for name in wanted:
            assert self.follower(name).members == wanted
            assert self.follower(name).suspected == set()


def test_who_has_missed_nothing_has_nothing_to_do() -> None:
    town = Town(50)
    version = town.network.directory.version
    town.network.take_over(town.snapshot("h0"))
    town.network.advance(10.0)
    assert town.network.directory.settled
    assert {follower.epoch for follower in map(town.follower, town.engines)} == {"2/memory"}
    assert town.network.heard["Announced"] == town.network.heard["Asked"] == 0
    assert all(not changes for changes in town.changes.values())
    assert town.network.directory.version == version
    town.check()


def test_who_ended_between_two_directories_is_lost_for_all() -> None:
    town = Town(5)
    heritage = town.snapshot("h0")
    town.network.directory = d.Directory("0/nobody", 0.0)  # deaf and dumb
    town.network.kill("h3")
    town.network.take_over(heritage)
    town.network.advance(10.0)
    for name in ("h0", "h1", "h2", "h4"):
        assert [change for change in town.changes[name] if isinstance(change, Lost)] == [
            Lost("h3@01", 1, False, "did not come back")
        ]
    town.check("h3")


def test_what_only_the_old_one_has_heard_is_said_again() -> None:
    town = Town(5)
    town.engines["h2"].announce({"web": True}, (1,), 0.0)
    town.network.advance(0.001)
    heritage = town.snapshot("h0")
    town.engines["h1"].announce({"db": True}, (1,), 0.0)
    before = town.network.directory.version
    town.network.advance(0.001)  # accepted, and not told to the others yet: that was a moment ago
    assert town.network.directory.version == before
    assert town.follower("h1").joined
    town.network.take_over(heritage)
    town.network.advance(10.0)
    for name in town.engines:
        assert any(isinstance(c, Updated) and c.member.capabilities == {"db": True} for c in town.changes[name])
    assert town.network.heard["Asked"] == 0
    town.check()


def test_who_knows_more_or_less_than_the_new_one_asks() -> None:
    town = Town(5)
    heritage = town.snapshot("h0")
    town.network.drop_feed("h4")
    town.engines["h1"].announce({"db": True}, (1,), 0.0)
    town.network.advance(0.5)  # h0 to h3 know it now, and neither h4 nor the successor
    town.network.take_over(heritage)
    town.network.advance(10.0)
    assert town.network.heard["Asked"] >= 4
    town.check()


def test_two_that_differ_at_one_version_are_told_apart() -> None:
    town = Town(3)
    mine = town.snapshot("h0")
    other = Snapshot(mine.epoch, mine.version, False, tuple(m for m in mine.members if m.system != "h2@01"))
    town.network.take_over(other)
    town.network.advance(10.0)
    assert town.network.heard["Asked"] == 3
    town.check()


def test_an_old_one_that_goes_on_is_not_listened_to() -> None:
    town = Town(5)
    town.network.take_over(town.snapshot("h0"), ghost=True)
    town.network.advance(0.1)
    town.network.kill("h4")
    town.engines["h1"].announce({"db": True}, (1,), 0.0)
    town.network.advance(10.0)
    town.check("h4")
    for changes in town.changes.values():
        assert sum(isinstance(change, Lost) for change in changes) <= 1
    told: list[Reply] = []
    town.engines["h1"].on_names = told.append
    town.engines["h1"].ask_names(Request("h1@01", 1, 0, claims=(("one", ("h1@01", 1, 1)),)))
    town.network.advance(1.0)
    assert [(reply.epoch, reply.granted[0].name) for reply in told] == [("2/memory", "one")]


def test_an_answer_of_an_old_one_is_no_answer() -> None:
    follower = Follower("me@01")
    follower.handle(Connected(), 0.0)
    follower.handle(Delta("7/b@01", 3, ()), 0.1)
    follower.handle(Answered(True, 1, epoch="6/a@01"), 0.2)
    assert not follower.joined
    wake = follower.next_wake()
    assert wake is not None
    assert any(isinstance(effect, Announce) for effect in follower.handle(Tick(), wake + 1.0))
    follower.handle(Answered(True, 1, epoch="7/b@01"), 2.0)
    assert follower.joined


def test_order_of_epochs() -> None:
    assert is_older(leased(9, "b@01"), leased(10, "a@01"))
    assert is_older(leased(9, "a@01"), leased(9, "b@01"))
    assert not is_older(leased(9, "a@01"), leased(9, "a@01"))
    assert not is_older("app@01", leased(9, "a@01"))  # one that was alone is no part of any order
    assert not is_older(leased(9, "a@01"), "")


def test_a_delta_that_goes_on_from_another_as_bytes() -> None:
    delta = Delta("8/b@01", 4, (Joined(Member("x@01", 1, {"a": 1}, (1,), 0.5)),), False, ("7/a@01", 3, 12345))
    assert decode_delta(encode_delta(delta)) == delta


def test_a_server_that_is_gone_takes_its_connections_along() -> None:
    directory = d.Directory("1/a@01", 0.0)
    for number, server in enumerate(["S1", "S1", "S2"]):
        directory.handle(d.Opened(f"{server}:{number}", f"h{number}@01"), 0.0)
        directory.handle(d.Announced(f"h{number}", Member(f"h{number}@01", 1, {}, (), 0.0), None), 0.0)
    directory.handle(d.Tick(), 10.0)
    directory.handle(d.Vanished("S1"), 10.0)
    directory.handle(d.Opened("S2:9", "h0@01"), 10.5)  # it is back by another server
    effects = directory.handle(d.Tick(), 13.0)
    assert [effect.name for effect in effects if isinstance(effect, d.Probe)] == ["h1"]
    effects = directory.handle(d.Probed("h1", Verdict.NOBODY), 13.0)
    effects += directory.handle(d.Tick(), 13.5)
    lost = [c for e in effects if isinstance(e, d.Publish) for c in e.delta.changes if isinstance(c, Lost)]
    assert [change.system for change in lost] == ["h1@01"]
