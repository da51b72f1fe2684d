"""``copy="always"`` and ``fidelity="pickle"``: a program in one process behaves as if its actors were in several."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, Bounded, InvalidArgument, UnpicklableMessage, on


class Keeper(Actor):
    """Keeps what it gets, changes it, and gives it away."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    @on
    def keep(self, message: list[Any]) -> list[Any]:
        message.append("mine")
        self.kept = message
        self.publish(self.kept)
        return self.kept

    @on
    async def again(self, message: str) -> list[Any]:
        return self.kept

    @on
    def give(self, message: bytes) -> Any:
        return threading.Lock()


class Handing(Actor):
    """Sends one object twice, and looks whether the receiver has changed it."""

    @on
    def hand(self, message: Address[Any]) -> list[Any]:
        mine = ["one"]
        self.send(message, mine)
        answer = self.ask(message, mine).result()
        answer.append("changed")
        return mine


@pytest.fixture(params=["local", "sim"])
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    options: dict[str, Any] = {"local": {"copy": "always"}, "sim": {"fidelity": "pickle"}}[request.param]
    with ActorSystem(request.param, **options) as system:
        yield system


def test_nobody_shares_what_was_sent_or_answered(system: ActorSystem) -> None:
    keeper = system.spawn(Keeper)
    with system.subscribe(keeper) as events:
        sent: list[Any] = ["one"]
        answer = system.ask(keeper, sent)
        assert (sent, answer) == (["one"], ["one", "mine"])
        answer.append("changed")
        event = events.get(10)
        assert event == ["one", "mine"]
        event.append("changed")
        outcomes = system.ask_all([keeper, keeper], "again")
        assert outcomes == [["one", "mine"], ["one", "mine"]]
        assert outcomes[0] is not outcomes[1]


def test_actors_do_not_either(system: ActorSystem) -> None:
    keeper = system.spawn(Keeper)
    assert system.ask(system.spawn(Handing), keeper) == ["one"]
    assert system.ask(keeper, "again") == ["one", "mine"]


def test_an_inbox_gets_a_copy_and_can_be_answered(system: ActorSystem) -> None:
    with system.inbox() as one, system.inbox() as two:
        sent: list[Any] = [one.address]
        two.send(one.address, sent)
        got, sender = one.receive_from(10)
        assert got == sent
        assert got is not sent
        assert sender is not None
        one.send(sender, "thanks")
        assert two.receive(10) == "thanks"


def test_what_cannot_travel_is_told_where_it_is_sent(system: ActorSystem) -> None:
    for mailbox in (None, Bounded(1)):
        keeper = system.spawn(Keeper, mailbox=mailbox)
        for _ in range(3):
            with pytest.raises(UnpicklableMessage):
                system.send(keeper, [threading.Lock()])
        with pytest.raises(UnpicklableMessage):
            system.ask(keeper, b"give")
        assert system.ask(keeper, "again") == []


def test_without_it_what_is_sent_is_shared() -> None:
    with ActorSystem("local") as system:
        sent: list[Any] = []
        assert system.ask(system.spawn(Keeper), sent) is sent


def test_other_values_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="copy='never' is not possible"):
        ActorSystem("local", copy="never")
