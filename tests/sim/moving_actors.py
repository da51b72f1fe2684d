"""Actors that wait for a place, or move."""

from __future__ import annotations

from typing import Any

from garrick import (
    Actor,
    Address,
    CapabilityLost,
    ChildExited,
    ChildMoved,
    Restart,
    SystemChanged,
    SystemGone,
    SystemJoined,
    on,
    requires,
)


@requires("db")
class Store(Actor):
    """Keeps what it is sent, in order; an actor of the article's kind: it can only be where the database is."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "where":
            self.reply(self.address.system.partition("@")[0])
        elif message == "all":
            self.reply(self.got)
        else:
            self.got.append(message)


class Keeper(Actor):
    """The parent: knows where its stores are, by what it is told."""

    def __init__(self) -> None:
        self.stores: list[Address[Any]] = []
        self.told: list[tuple[str, str, str]] = []

    @on
    def make(self, message: int) -> list[Address[Any]]:
        self.stores += [self.spawn(Store, supervision=Restart(relocate=True)) for _ in range(message)]
        return self.stores

    @on
    def pend(self, message: bool) -> Address[Any]:
        self.stores.append(self.spawn(Store, pending=message))
        return self.stores[-1]

    @on
    def ask_me(self, message: str) -> Any:
        if message == "stop":
            for store in self.stores:
                self.stop(store)
        return self.told if message == "told" else list(self.stores)

    @on
    def pass_on(self, message: tuple) -> None:  # type: ignore[type-arg]
        for store in self.stores:
            self.send(store, message[0])

    @on
    def moved(self, notice: ChildMoved) -> None:
        self.stores = [notice.address if store == notice.child else store for store in self.stores]
        self.told.append(("moved", notice.reason, notice.detail))

    @on
    def exited(self, notice: ChildExited) -> None:
        self.stores.remove(notice.child)
        self.told.append(("exited", notice.reason, notice.detail))


class Neighbour(Actor):
    """Listens to who is there."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []
        self.watch_systems()

    @on
    def joined(self, notice: SystemJoined) -> None:
        self.told.append(("joined", notice.system.partition("@")[0], notice.capabilities))

    @on
    def changed(self, notice: SystemChanged) -> None:
        self.told.append(("changed", notice.system.partition("@")[0], notice.capabilities))

    @on
    def gone(self, notice: SystemGone) -> None:
        self.told.append(("gone", notice.system.partition("@")[0], None))

    @on
    def tell(self, message: str) -> list[tuple[str, str, Any]]:
        return self.told


class Bystander(Actor):
    """Has nothing to do with any of it."""

    def __init__(self) -> None:
        self.notices = 0

    @on
    def lost(self, notice: CapabilityLost) -> None:
        self.notices += 1

    @on
    def count(self, message: str) -> int:
        return self.notices
