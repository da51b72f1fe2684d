from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick.engine.carrier import CarrierEvent, Cut, Down, Reset, Up, Verdict, Writable
from garrick.engine.membership import Change, Joined, Left, Lost, Suspected
from garrick.engine.memory import MemoryCarrier, MemoryNetwork
from garrick.engine.memory_engine import MemoryEngine
from garrick.errors import EngineError, InvalidArgument


class Member:
    """An engine that remembers what it was told."""

    def __init__(self, network: MemoryNetwork, system: str, roles: tuple[str, ...] = ()) -> None:
        self.engine = MemoryEngine(network, roles)
        self.system = system
        self.frames: list[tuple[str, int, bytes]] = []
        self.events: list[CarrierEvent] = []
        self.changes: list[Change] = []
        self.engine.open(
            system,
            on_frame=lambda peer, lane, frame: self.frames.append((peer, lane, frame)),
            on_event=self.events.append,
            on_members=lambda delta: self.changes.extend(delta.changes),
        )


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def join(network: MemoryNetwork) -> Callable[..., Member]:
    def make(system: str, *roles: str) -> Member:
        return Member(network, system, roles)

    return make


def three(network: MemoryNetwork, join: Callable[..., Member]) -> tuple[Member, Member, Member]:
    members = join("a@01"), join("b@01", "db"), join("c@01", "db")
    network.advance(5.0)
    for member in members:
        assert {c.member.system for c in member.changes if isinstance(c, Joined)} == {"a@01", "b@01", "c@01"}
        member.events.clear()
        member.changes.clear()
    return members


def test_frames_duplicates_losses_and_walls(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, c = three(network, join)
    network.drop_next("a", "b")
    network.duplicate_next("a", "c")
    for letter in b"xyz":
        assert a.engine.send("b", 0, bytes([letter]))
        assert a.engine.send("c", 1, bytes([letter]))
    network.advance()
    assert b.frames == [("a", 0, b"y"), ("a", 0, b"z")]
    assert c.frames == [("a", 1, b"x"), ("a", 1, b"x"), ("a", 1, b"y"), ("a", 1, b"z")]
    network.partition(["a"], ["b", "c"])
    a.engine.send("b", 0, b"never")
    b.engine.send("c", 0, b"always")
    assert a.engine.carrier.probe_now("b") is Verdict.SILENT
    network.heal()
    a.engine.send("b", 0, b"again")
    network.advance()
    assert b.frames[2:] == [("a", 0, b"again")]
    assert c.frames[4:] == [("b", 0, b"always")]


def test_roles_take_turns_and_broadcasts_reach_all_others(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, c = three(network, join)
    for _ in range(4):
        assert a.engine.send_any("db", 2, b"one")
    assert a.engine.send_any("nobody", 2, b"lost")
    a.engine.broadcast(3, b"all")
    network.advance()
    assert (len(b.frames), len(c.frames), len(a.frames)) == (3, 3, 0)


def test_order_holds_whatever_the_latency() -> None:
    delays = iter([0.5, 0.1, 0.3])
    network = MemoryNetwork(latency=lambda _from, _to: next(delays, 0.0))
    a, b = Member(network, "a@01"), Member(network, "b@01")
    for letter in b"xyz":
        a.engine.send("b", 0, bytes([letter]))
    network.advance(1.0)
    assert [frame for _, _, frame in b.frames] == [b"x", b"y", b"z"]


def test_a_killed_system_is_lost_for_certain_after_a_second(
    network: MemoryNetwork, join: Callable[..., Member]
) -> None:
    a, b, _ = three(network, join)
    network.kill("b")
    network.advance(0.1)
    assert a.changes == [Suspected("b@01", 1, "Client Closed")]
    assert a.engine.carrier.probe_now("b") is Verdict.NOBODY
    network.advance(1.0)
    assert a.changes[1:] == [Lost("b@01", 1, True, "Client Closed")]
    assert a.events == [Down("b", False, "Client Closed"), Down("b", True, "Client Closed")]
    assert b.changes == []


def test_a_hung_system_is_lost_and_comes_back_in_a_new_session(
    network: MemoryNetwork, join: Callable[..., Member]
) -> None:
    a, b, _ = three(network, join)
    network.hang("b")
    a.engine.send("b", 0, b"held")
    network.advance(1.0)
    assert a.engine.carrier.probe_now("b") is Verdict.SILENT
    network.advance(4.0)
    assert a.changes[-1] == Lost("b@01", 1, False, "Stale Connection")
    network.resume("b")
    network.advance(1.0)
    assert b.frames == []  # the connection that held it is gone
    assert b.events[:2] == [Cut("closed by the server"), Reset()]
    [lost, joined] = b.changes
    assert isinstance(lost, Lost)
    assert (lost.system, lost.session) == ("b@01", 1)
    assert isinstance(joined, Joined)
    assert joined.member.session == 2
    assert a.changes[-1:] == [joined]


def test_a_short_hang_is_nothing(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, _ = three(network, join)
    network.hang("b")
    a.engine.send("b", 0, b"held")
    network.advance(1.0)
    network.resume("b")
    network.advance(5.0)
    assert b.frames == [("a", 0, b"held")]
    assert (a.changes, b.changes) == ([], [])


def test_good_bye(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, _ = three(network, join)
    b.engine.leave_now()
    b.engine.close()
    network.advance(0.0)
    assert a.changes == [Left("b@01", 1)]
    assert a.events == [Down("b", True, "left")]
    again = Member(network, "b@02")
    network.advance(1.0)
    assert Up("a") in again.events
    assert a.events[1:] == [Up("b")]


def test_a_restart_of_the_hub(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    for forget in (False, True):
        members = [join(f"a@{forget}"), join(f"b@{forget}")]
        network.advance(5.0)
        for member in members:
            member.events.clear()
            member.changes.clear()
        network.restart_hub(forget=forget)
        assert not members[0].engine.send("b", 0, b"x")
        network.advance(10.0)
        for member in members:
            assert member.changes == []
            assert member.events[:2] == [Cut("the hub is restarted"), Reset()]
        assert members[0].events[2:] == [Writable("b")]
        assert members[0].engine.send("b", 0, b"x")
        for member in members:
            member.engine.leave_now()
            member.engine.close()
        network.advance(5.0)


def test_isolated(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, _ = three(network, join)
    network.isolate("b")
    assert b.engine.send("a", 0, b"into the dead socket")
    network.advance(6.0)
    assert a.changes[-1] == Lost("b@01", 1, False, "Stale Connection")
    assert {type(change) for change in b.changes} == {Suspected}
    network.reconnect("b")
    network.advance(1.0)
    assert a.engine.follower is not None
    assert b.engine.follower is not None
    assert a.engine.follower.members == b.engine.follower.members
    assert a.frames == []


def test_a_full_queue(network: MemoryNetwork, join: Callable[..., Member]) -> None:
    a, b, _ = three(network, join)
    network.choke("a")
    assert not a.engine.send("b", 0, b"x")
    assert not a.engine.send("b", 0, b"x")
    network.unchoke("a")
    assert a.events == [Writable("b")]
    assert a.engine.send("b", 0, b"x")
    network.advance()
    assert len(b.frames) == 1


def test_an_injected_scheduler_decides_about_time() -> None:
    todo: list[tuple[float, Callable[[], None]]] = []
    network = MemoryNetwork(lambda delay, function: todo.append((delay, function)), lambda: 7.0)
    a, b = MemoryCarrier(network), MemoryCarrier(network)
    got: list[bytes] = []
    a.open("a@01", lambda *_: None, lambda _: None)
    b.open("b@01", lambda _peer, _lane, frame: got.append(frame), lambda _: None)
    todo.clear()
    a.send("b", 0, b"x")
    while todo:
        assert got == []
        todo.pop(0)[1]()
    assert got == [b"x"]


def test_mistakes() -> None:
    with pytest.raises(InvalidArgument):
        MemoryNetwork(now=lambda: 0.0)
    network = MemoryNetwork()
    a = Member(network, "a@01")
    with pytest.raises(EngineError):
        Member(network, "a@02")
    with pytest.raises(InvalidArgument):
        a.engine.send("b", 8, b"")
    with pytest.raises(InvalidArgument):
        a.engine.send("b", 0, bytes(a.engine.caps.max_frame + 1))
