"""What an actor knows of itself and of its surroundings."""

from __future__ import annotations

import logging

import pytest

from garrick import ActorSystem
from tests.conformance.actors import Echo, Get, Make
from tests.conformance.waiting_actors import Facts


@pytest.mark.first_come("what different senders send is compared in one order")
def test_address_parent_name_and_children(system: ActorSystem) -> None:
    actor = system.spawn(Facts, name="facts")
    facts = system.ask(actor, Get())
    assert (facts["address"], facts["name"], facts["children"], facts["sender"]) == (actor, "facts", (), True)
    assert facts["at birth"][:3] == (actor, facts["parent"], "facts")
    child = system.ask(actor, Make(Facts))
    below = system.ask(child, Get())
    assert (below["parent"], below["name"], below["address"]) == (actor, None, child)
    other = system.ask(actor, Make(Echo))
    assert system.ask(actor, Get())["children"] == (child, other)
    system.stop_actor(child)
    assert system.ask(actor, Get())["children"] == (other,)


def test_time_goes_forward(system: ActorSystem) -> None:
    actor = system.spawn(Facts)
    times = [system.ask(actor, Get())["now"] for _ in range(3)]
    assert times == sorted(times)
    assert system.ask(actor, Get())["at birth"][3] <= times[0]


def test_random_numbers_are_the_actor_s_own(system: ActorSystem) -> None:
    one, two = system.spawn(Facts), system.spawn(Facts)
    drawn = [system.ask(actor, Get("random")) for actor in (one, two, one)]
    flat = [number for numbers in drawn for number in numbers]
    assert len(set(flat)) == 9
    assert all(0 <= number < 1 for number in flat)


def test_records_of_the_log_say_who_wrote_them(
    system: ActorSystem, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    actor = system.spawn(Facts)
    extra = system.ask(actor, Get("log"))
    assert extra["garrick_actor"] == str(actor)
    assert extra["garrick_class"] == "Facts"
    if base not in {"multiprocess", "convention"}:  # elsewhere the record belongs to another process
        (record,) = [r for r in caplog.records if r.message == "from an actor"]
        assert (record.levelno, record.name) == (logging.WARNING, Facts.__module__)
        assert record.garrick_actor == str(actor)  # type: ignore[attr-defined]


def test_an_actor_finds_others_by_name(system: ActorSystem) -> None:
    asker = system.spawn(Facts)
    assert system.ask(asker, Get("lookup")) is None
    found = system.spawn(Facts, name="facts")
    assert system.ask(asker, Get("lookup")) == found
    assert system.ask(found, Get("lookup")) == found


def test_an_actor_prints_as_its_class_and_address(system: ActorSystem) -> None:
    actor = system.spawn(Facts)
    assert system.ask(actor, Get("repr")) == f"<Facts {actor}>"
