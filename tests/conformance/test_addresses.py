"""Addresses are unique, compare, hash, sort, and are the same thing everywhere."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from garrick import ActorSystem, Address
from garrick.inbox import Inbox
from tests.conformance.actors import Echo, Get, Make, Parent, Recorder
from tests.conformance.waiting_actors import Directory


def test_equal_means_the_same_actor(system: ActorSystem) -> None:
    one, two = system.spawn(Echo), system.spawn(Echo)
    assert one == one  # noqa: PLR0124
    assert one != two
    assert one != "one"
    assert len({one, two, pickle.loads(pickle.dumps(one))}) == 2


def test_addresses_sort_and_print(system: ActorSystem) -> None:
    actors = [system.spawn(Echo) for _ in range(5)]
    assert sorted(sorted(actors, reverse=True)) == sorted(actors)
    assert (min(actors) < max(actors), max(actors) <= min(actors)) == (True, False)
    assert len({str(actor) for actor in actors}) == 5
    assert all(system.name in str(actor) for actor in actors)


def test_a_pickled_address_still_leads_to_its_actor(system: ActorSystem) -> None:
    actor = pickle.loads(pickle.dumps(system.spawn(Echo)))
    assert isinstance(actor, Address)
    assert system.ask(actor, "hello") == "hello"
    assert system.ask(copy.deepcopy(actor), "hello") == "hello"


def test_an_address_makes_the_round_trip_in_messages(system: ActorSystem) -> None:
    echo, target = system.spawn(Echo), system.spawn(Recorder)
    back = system.ask(echo, {"target": [target], "self": echo})
    assert back == {"target": [target], "self": echo}
    system.send(back["target"][0], "by way of a message")
    assert system.ask(target, Get()) == ["by way of a message"]
    assert system.ask(back["self"], 1) == 1


def test_addresses_are_keys_of_dictionaries_everywhere(system: ActorSystem, inbox: Inbox) -> None:
    directory = system.spawn(Directory)
    parent = system.spawn(Parent)
    known = [system.spawn(Echo), system.ask(parent, Make(Echo)), parent, inbox.address, directory]
    for number, address in enumerate(known):
        system.send(directory, (address, f"{number}"))
    assert [system.ask(directory, address) for address in known] == ["0", "1", "2", "3", "4"]
    assert system.ask(directory, system.spawn(Echo)) is None
    assert system.ask(directory, Get()) == sorted(known)


def test_an_address_is_never_used_again(system: ActorSystem) -> None:
    seen = set()
    for _ in range(20):
        actor = system.spawn(Echo)
        seen.add(actor)
        system.stop_actor(actor)
    assert len(seen) == 20


@pytest.mark.one_system("the convention lives longer than a test")
def test_a_system_of_the_same_name_has_other_addresses(start: Callable[..., ActorSystem], base: str) -> None:
    # A simulated system that starts again from the same seed is the same system: that is what sim is for.
    seeds = [{"seed": 1}, {"seed": 2}] if base.startswith("sim") else [{}, {}]
    first = start(name="conf-twice-of-one-name", **seeds[0])
    old = first.spawn(Echo)
    first.stop()
    second = start(name="conf-twice-of-one-name", **seeds[1])
    assert second.spawn(Echo) != old
    letters = second.dead_letters()
    second.send(pickle.loads(pickle.dumps(old)), "anyone?")
    assert letters.receive(10).reason == "system unknown"


@pytest.mark.parametrize("count", [300])
def test_many_actors(system: ActorSystem, count: int) -> None:
    parent = system.spawn(Parent)
    children = [system.ask(parent, Make(Echo)) for _ in range(count)]
    assert len(set(children)) == count
    assert system.ask(parent, Get()) == tuple(children)
    assert [system.ask(child, number) for number, child in enumerate(children)] == list(range(count))
