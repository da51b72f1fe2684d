"""Customers' requests, from the database through the actors to real servers, in one system that is everything at once."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

import pytest
from waiting import wait_for

from garrick import ActorSystem, Address
from provision import views
from provision.audit import audit
from provision.control import Control
from provision.drivers.process import ProcessDriver
from provision.probe import Answer, probe, request
from provision.protocol import RunAction, Secret
from provision.store import Store, addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.processes

FAST = {"boot_seconds": 0.05, "halt_seconds": 0.02}


class Shop:
    """A system with one host, its database, and a client's view of both."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "h1"
        self.database = directory / "provision.db"
        self.store = Store(self.database)
        self.store.add_host("h1")
        self.store.add_addresses(addresses(100 + os.getpid() % 50, 20))
        self.system: ActorSystem
        self.control: Address[RunAction]

    def start(self) -> None:
        self.system = ActorSystem("local", capabilities={"host": "h1", "state": str(self.state), "db": True})
        self.control = self.system.spawn(Control, str(self.database))

    def ask_for(self, server: str, kind: str, secret: str | None = None, **params: float) -> int:
        accepted = self.store.accept(server, kind, params, None if secret is None else Secret(secret))
        self.system.send(self.control, RunAction(accepted.action_id))
        return accepted.action_id

    def create(self, server: str, **params: float) -> int:
        return self.ask_for(server, "create", "first", **{**FAST, **params})

    def action(self, action_id: int) -> views.ActionView:
        return next(a for a in views.actions(self.store, time.time()) if a.id == action_id)

    def ended(self, *action_ids: int, seconds: float = 20.0) -> list[str]:
        """The states of these actions once all have ended."""

        def states() -> list[str] | None:
            found = {a.id: a.state for a in views.actions(self.store, time.time()) if a.id in action_ids}
            return [found[i] for i in action_ids] if {"queued", "running"}.isdisjoint(found.values()) else None

        return wait_for(states, seconds) or []

    def port(self, server: str) -> tuple[str, int]:
        row = self.store.rows("SELECT ip, port FROM server WHERE name = ? AND state <> 'deleted'", server)[0]
        return row["ip"], row["port"]

    def answer(self, server: str) -> Answer | None:
        return probe(*self.port(server))

    def violations(self, *, at_rest: bool = True) -> list[str]:
        return [str(v) for v in audit(self.store, {"h1": self.state}, at_rest=at_rest)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    shop.start()
    yield shop
    shop.system.stop()
    shop.store.close()
    driver = ProcessDriver(shop.state)
    for server in driver.servers():
        driver.destroy(server)


def test_a_created_server_answers_and_takes_its_password(shop: Shop) -> None:
    created = shop.create("web")
    assert shop.ended(created) == ["succeeded"]
    answer = shop.answer("web")
    assert answer is not None
    assert (answer.name, answer.boot) == ("web", 1)
    assert request("POST", *shop.port("web"), "/login", b"first")[0] == 200
    assert shop.violations() == []


def test_requests_of_one_server_run_in_order_and_those_of_others_meanwhile(shop: Shop) -> None:
    ids = [shop.create(f"s{n}") for n in range(4)]
    ids += [shop.ask_for(f"s{n}", "reboot") for n in range(4) for _ in range(2)]
    ids += [shop.ask_for(f"s{n}", "password", "second") for n in range(4)]
    assert set(shop.ended(*ids)) == {"succeeded"}
    assert shop.violations() == []
    spans = shop.store.rows("SELECT server, started_at, finished_at FROM action ORDER BY server, seq")
    for before, after in itertools.pairwise(spans):
        if before["server"] == after["server"]:
            assert before["finished_at"] <= after["started_at"]
    assert any(
        a["server"] != b["server"] and a["started_at"] < b["finished_at"] and b["started_at"] < a["finished_at"]
        for a in spans
        for b in spans
    )
    for n in range(4):
        answer = shop.answer(f"s{n}")
        assert answer is not None
        assert answer.boot == 3
        assert request("POST", *shop.port(f"s{n}"), "/login", b"second")[0] == 200


def test_a_server_with_a_full_disk_is_not_rebooted(shop: Shop) -> None:
    assert shop.ended(shop.create("web", quota=64 * 1024 + 10)) == ["succeeded"]
    assert request("PUT", *shop.port("web"), "/photos", bytes(10))[0] == 201
    refused = shop.ask_for("web", "reboot")
    password = shop.ask_for("web", "password", "second")
    assert shop.ended(refused, password) == ["failed", "succeeded"]
    assert shop.action(refused).reason_code == "disk_full"
    answer = shop.answer("web")
    assert answer is not None
    assert answer.boot == 1
    assert shop.violations() == []


def test_a_deleted_server_is_gone_and_its_name_and_address_are_free(shop: Shop) -> None:
    first = shop.create("web")
    assert shop.ended(first) == ["succeeded"]
    address, port = shop.port("web")
    assert shop.ended(shop.ask_for("web", "delete")) == ["succeeded"]
    assert probe(address, port) is None
    assert not (shop.state / "servers" / "web").exists()
    assert shop.ended(shop.create("web")) == ["succeeded"]
    assert shop.port("web")[0] == address
    assert shop.violations() == []


def test_a_step_that_the_host_refuses_fails_its_action_with_the_hosts_words(shop: Shop) -> None:
    shop.store.rows("UPDATE ip_address SET addr = '192.0.2.' || rowid")
    created = shop.create("web")
    assert shop.ended(created) == ["failed"]
    assert shop.action(created).reason_code == "driver_error"
    assert "192.0.2." in shop.action(created).reason
    assert shop.violations() == []


def test_a_new_control_takes_up_what_the_last_one_left(shop: Shop) -> None:
    shop.system.stop()
    # What a Control leaves that is killed while a server starts: a step that the host has done, and nobody adopted.
    from provision.dispatch import Dispatch
    from provision.fence import Fence
    from provision.journal import Journal
    from provision.protocol import Effect

    shop.state.mkdir(exist_ok=True)
    with Dispatch(shop.database) as before:
        before.take_over()
        before.host_up("h1", 1)
        done = before.accept("done", "create", dict(FAST), Secret("first")).action_id
        unknown = before.accept("unknown", "create", dict(FAST), Secret("first")).action_id
        lost = before.accept("lost", "create", dict(FAST), Secret("first")).action_id
        number = Fence(shop.state).take()
        driver = ProcessDriver(shop.state)
        for action in before.claim():
            before.step_dispatched(action.id, 0, f"{action.id}-0", "db", 5)
            address = before.reserve_address(action.server)
            before.step_done(action.id, 0, f"{action.id}-0", {"address": address})
            before.step_dispatched(action.id, 1, f"{action.id}-1", "h1", 5)
            effect = Effect(f"{action.id}-1", action.id, action.seq, action.server, 1, "define", "define")
            journal = Journal(shop.state / "journal.jsonl", action.server)
            if action.id != unknown:
                journal.begin(effect)
            if action.id == done:
                from provision.drivers.base import Definition

                port = driver.define("done", Definition(address, 1 << 20, **FAST))
                journal.done(effect, {"port": port})
            journal.close()
        assert number
    shop.start()
    assert shop.ended(done, unknown, lost) == ["succeeded", "succeeded", "failed"]
    assert shop.action(lost).reason_code == "interrupted"
    assert shop.violations() == []


def test_a_restarted_system_adopts_or_restarts_its_servers(shop: Shop) -> None:
    assert shop.ended(shop.create("web")) == ["succeeded"]
    first = shop.answer("web")
    shop.system.stop()
    shop.start()
    assert shop.ended(shop.ask_for("web", "reboot")) == ["succeeded"]
    again = shop.answer("web")
    assert first is not None
    assert again is not None
    assert again.boot == 2
    assert shop.violations() == []
