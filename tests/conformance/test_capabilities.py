"""Actors run only where their requirements hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick import ActorGone, ActorSystem, CapabilityLost, ChildExited, InvalidArgument, NoCapableSystem
from tests.conformance.actors import Echo, Get, Make, Parent, Pass
from tests.conformance.waiting_actors import ChecksItself, Facts, NeedsDatabase

Start = Callable[..., ActorSystem]


def test_an_actor_starts_where_its_requirements_hold(start: Start) -> None:
    system = start(capabilities={"db": True, "zone": "active", "cores": 8})
    assert system.ask(system.spawn(NeedsDatabase), Get()) == "database"
    assert system.ask(system.spawn(ChecksItself), Get()) == "enough"
    assert system.ask(system.spawn(Echo, requires={"cores": 8}), 1) == 1


def test_what_is_missing_is_named(start: Start) -> None:
    system = start(capabilities={"zone": "spare", "cores": 2})
    with pytest.raises(NoCapableSystem, match="GAR-2107") as caught:
        system.spawn(NeedsDatabase)
    text = str(caught.value)
    assert "NeedsDatabase" in text
    assert system.name in text
    assert "db" in text
    assert "zone='active'" in text
    assert "spare" in text
    with pytest.raises(NoCapableSystem, match=r"can_run_on|lacks far"):
        system.spawn(ChecksItself)
    with pytest.raises(NoCapableSystem, match="gpu"):
        system.spawn(Echo, requires={"gpu": True})


@pytest.mark.one_system("there every spawn has a requirement more")
def test_requirements_are_a_mapping(start: Start) -> None:
    with pytest.raises(InvalidArgument, match=r"requires=\['gpu'\] is no mapping"):
        start().spawn(Echo, requires=["gpu"])  # type: ignore[arg-type]


def test_a_child_that_fits_nowhere_is_refused(start: Start) -> None:
    system = start()
    letters, inbox = system.dead_letters(), system.inbox()
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(NeedsDatabase))
    exited = inbox.receive(10)
    assert isinstance(exited, ChildExited)
    assert (exited.child, exited.reason) == (child, "refused")
    assert "NoCapableSystem" in exited.detail
    system.ask(parent, Pass(child, "hello?"))
    assert letters.receive(10).reason == "refused"
    with pytest.raises(ActorGone, match="refused"):
        system.ask(child, Get())


def test_actors_see_the_capabilities_of_their_system(start: Start) -> None:
    system = start(capabilities={"db": True, "zone": "active"})
    actor = system.spawn(Facts)
    assert system.ask(actor, Get("capabilities")).items() >= {"db": True, "zone": "active"}.items()
    assert dict(system.capabilities) == {"db": True, "zone": "active"}


def test_a_capability_that_comes_later(start: Start) -> None:
    system = start(capabilities={"zone": "active"})
    parent = system.spawn(Parent)
    with pytest.raises(NoCapableSystem):
        system.spawn(NeedsDatabase)
    system.set_capability("db", True)
    settle(system, "db", True)
    assert system.ask(system.spawn(NeedsDatabase), Get()) == "database"
    assert system.ask(parent, Get()) == ()


def test_a_lost_capability_is_told_and_ends_the_actor(start: Start) -> None:
    system = start(capabilities={"db": True, "zone": "active", "cores": 8})
    inbox = system.inbox()
    parent = system.spawn(Parent, inbox.address)
    own = system.inbox()
    child = system.ask(parent, Make(NeedsDatabase, (own.address,)))
    neighbour = system.ask(parent, Make(Echo))
    top = system.spawn(NeedsDatabase)
    inbox.watch(top)
    system.ask(top, Get())
    system.set_capability("db", None)
    assert own.receive(10) == CapabilityLost(("db",))
    assert own.receive(10) == ("stopping", "capability lost")
    told = {inbox.receive(10).reason for _ in range(2)}
    assert told == {"capability lost"}
    with pytest.raises(ActorGone, match="capability lost"):
        system.ask(child, Get())
    assert system.ask(neighbour, 1) == 1


def test_can_run_on_is_asked_again_when_capabilities_change(start: Start) -> None:
    system = start(capabilities={"cores": 8})
    actor, inbox = system.spawn(ChecksItself), system.inbox()
    inbox.watch(actor)
    system.ask(actor, Get())
    system.set_capability("cores", 6)
    settle(system, "cores", 6)
    assert system.ask(actor, Get()) == "enough"
    system.set_capability("cores", 2)
    assert inbox.receive(10).reason == "capability lost"


def test_a_can_run_on_that_raises_harms_nobody_else(start: Start) -> None:
    system = start(capabilities={"cores": 8})
    actor, echo, inbox = system.spawn(ChecksItself), system.spawn(Echo), system.inbox()
    inbox.watch(actor)
    system.ask(actor, Get())
    system.set_capability("cores", "many")
    assert inbox.receive(10).reason == "capability lost"
    assert system.ask(echo, 1) == 1
    # By the spawner, or, if that does not know it yet, by the system that should have run it.
    with pytest.raises(NoCapableSystem, match=r"can_run_on raised|lacks far|can_run_on wants"):
        system.spawn(ChecksItself)


def settle(system: ActorSystem, key: str, value: object) -> None:
    """Wait until a change of capabilities is known to the program and to actors."""
    facts = system.spawn(Facts)
    for _ in range(1000):
        known = system.capabilities.get(key), system.ask(facts, Get("capabilities")).get(key)
        if known == (value, value):
            break
        with system.inbox() as pause, pytest.raises(TimeoutError):
            pause.receive(0.005)
    else:
        pytest.fail(f"{key}={value!r} did not arrive")
    system.stop_actor(facts)
