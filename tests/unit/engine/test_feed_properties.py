"""Whatever happens to the network, the feed of members keeps its promises."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrick.engine.membership import Delta, Joined, Left, Lost, Member, Restored, Suspected, Updated
from garrick.engine.memory import MemoryNetwork
from garrick.engine.memory_engine import MemoryEngine

NAMES = ("a", "b", "c")


class Observer:
    """A system that checks every word it is told."""

    def __init__(self, network: MemoryNetwork, system: str) -> None:
        self.engine = MemoryEngine(network)
        self.system = system
        self.table: dict[str, Member] = {}
        self.suspected: set[str] = set()
        self.ended: set[tuple[str, int]] = set()
        self.engine.open(system, on_frame=lambda *_: None, on_event=lambda _: None, on_members=self.told)

    def told(self, delta: Delta) -> None:
        assert delta.changes
        for change in delta.changes:
            match change:
                case Joined(member):
                    name = member.system.partition("@")[0]
                    assert name not in self.table, "an earlier one of that name had not ended"
                    assert (member.system, member.session) not in self.ended, "an ended session joined again"
                    self.table[name] = member
                case Updated(member):
                    self.current(member.system, member.session)
                    self.table[member.system.partition("@")[0]] = member
                case Suspected(system, session, _):
                    self.current(system, session)
                    assert system not in self.suspected
                    self.suspected.add(system)
                case Restored(system, session):
                    self.current(system, session)
                    self.suspected.remove(system)
                case Left(system, session) | Lost(system, session, _, _):
                    self.current(system, session)
                    del self.table[system.partition("@")[0]]
                    self.suspected.discard(system)
                    self.ended.add((system, session))

    def current(self, system: str, session: int) -> None:
        member = self.table[system.partition("@")[0]]
        assert (member.system, member.session) == (system, session)


class World:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.living: dict[str, Observer] = {}
        self.starts = 0

    def do(self, action: str, name: str) -> None:
        observer = self.living.get(name)
        if action == "start":
            earlier = self.network.carriers.get(name)
            if observer is None and (earlier is None or not earlier.connection):
                self.starts += 1
                self.living[name] = Observer(self.network, f"{name}@{self.starts:010x}")
        elif observer is None:
            return
        elif action == "kill":
            self.network.kill(name)
            del self.living[name]
        elif action == "leave":
            observer.engine.leave_now()
            observer.engine.close()
            del self.living[name]
        elif action == "announce":
            self.starts += 1
            observer.engine.announce({"n": self.starts}, (1,), 0.5)
        elif action == "hub":
            self.network.restart_hub()
        elif action == "forget":
            self.network.restart_hub(forget=True)
        elif action in {"succeed", "ghost"}:  # the system of that name becomes the directory
            follower = observer.engine.follower
            assert follower is not None
            if self.network.running:
                self.network.take_over(follower.snapshot(), ghost=action == "ghost")
        elif action == "feed":
            self.network.drop_feed(name)
        else:
            getattr(self.network, action)(name)

    def calm_down(self) -> None:
        for name in self.living:
            carrier = self.network.carriers[name]
            if carrier.hung:
                self.network.resume(name)
            if carrier.isolated:
                self.network.reconnect(name)
        self.network.advance(40.0)


steps = st.tuples(
    st.sampled_from(
        ["start"] * 4
        + ["kill", "leave", "announce", "hang", "resume", "isolate", "reconnect", "hub", "forget", "feed", "feed"]
        + ["succeed", "succeed", "ghost"]
    ),
    st.sampled_from(NAMES),
    st.sampled_from([0.0, 0.01, 0.3, 1.2, 4.0]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=30))
def test_promises_of_the_feed(history: list[tuple[str, str, float]]) -> None:
    world = World()
    for name in NAMES:
        world.do("start", name)
    world.network.advance(0.5)
    for action, name, pause in history:
        world.do(action, name)
        world.network.advance(pause)
    world.calm_down()
    wanted = {observer.system for observer in world.living.values()}
    listed = {member.system for member in world.network.directory.members.values()}
    assert listed == wanted
    for observer in world.living.values():
        assert {member.system for member in observer.table.values()} == wanted
        assert observer.suspected == set()
        assert observer.table == world.network.directory.members
    # Whoever was told of an end was told the truth: that session is over for everybody. (Of those who were told,
    # somebody must be alive: the memory of a directory that forgets is with them.)
    ended = {end for observer in world.living.values() for end in observer.ended}
    for member in world.network.directory.members.values():
        assert all(session < member.session for system, session in ended if system == member.system)
