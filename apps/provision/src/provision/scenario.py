"""The demonstration's story: customers order servers, use them, lose a host in the middle, and get it back.

Owns what is asked for and when, and remembers what must be true afterwards (``Story``). Asks as any client does: a request is
accepted by the database, and the Control actor gets a hint. Learns what happened from the database alone.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from provision import views
from provision.errors import NotInTime
from provision.hosts import APP
from provision.probe import probe
from provision.protocol import RunAction, Secret
from provision.store import addresses
from provision.views import number

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from garrick import ActorSystem, Address
    from provision.hosts import Convention
    from provision.releases import Releases
    from provision.store import Store
    from provision.table import View

HOSTS: Final = ("h1", "h2", "h3")
VICTIM: Final = "h2"
LOOK_SECONDS: Final = 0.05
PHASE_SECONDS: Final = 90.0
"""How long a part of the story may take; it takes a tenth of that unless the machine is overloaded."""
DELETED: Final = 3
"""One server of so many is deleted in the end."""


@dataclass
class Story:
    """What happened, as far as the program saw it from outside."""

    servers: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    passwords: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Server -> action -> the password that it sets."""
    killed_at: float = 0.0
    lost_at: float = 0.0
    back_at: float = 0.0
    processes: int = 0
    survivors: list[str] = field(default_factory=list)
    """Processes of the dead host that lived on: there must be none."""
    failed: list[int] = field(default_factory=list)
    """Actions that ended because their host was lost."""
    waiting: list[int] = field(default_factory=list)
    """Actions that were waiting for the host at the end of its absence."""
    releases: list[str] = field(default_factory=list)
    """Hashes of the releases of the steps, in the order in which they were deployed."""
    kept: list[str] = field(default_factory=list)
    """What stands against the first one being gone."""
    meanwhile: int = 0
    """Actions of the other hosts that ended while it was away."""


class Scenario:
    """See the module.

    Args:
        convention: with the application server running.
        system: the application server's.
        control: the Control actor.
        store: the program's own connection to the database.
        view: where to tell it.
        random: what the customers' servers are like.
        count: how many servers.
        releases: of the steps.
    """

    def __init__(
        self,
        convention: Convention,
        system: ActorSystem,
        control: Address[Any],
        store: Store,
        view: View,
        random: random.Random,
        count: int,
        releases: Releases,
    ) -> None:
        self.releases = releases
        self.convention, self.system, self.control, self.store, self.view = convention, system, control, store, view
        self.random = random
        self.story = Story(servers=[f"server-{n:02d}" for n in range(1, count + 1)])

    def run(self) -> Story:
        """All of it, in order."""
        self.story.releases.append(self.releases.deploy("1.0"))
        self.view.say("the steps are a signed source, release 1.0, loaded into the application server")
        self.start_hosts()
        self.order_servers()
        self.use_them()
        self.lose_host()
        self.go_on_without()
        self.bring_host_back()
        self.finish()
        return self.story

    # --------------------------------------------------------------------------------------------------------- the parts

    def start_hosts(self) -> None:
        for host in HOSTS:
            self.convention.start_host(host)
        for host in HOSTS:
            self.convention.wait(host)
        self.until(lambda: all(host.state == "up" for host in views.hosts(self.store)), "the hosts report")
        self.view.say(f"{', '.join(HOSTS)} have joined the convention and are ready")

    def order_servers(self) -> None:
        story = self.story
        self.view.say(f"customers order {number(len(story.servers), 'server')}")
        for server in story.servers:
            self.ask(
                server,
                "create",
                password=True,
                boot_seconds=round(self.random.uniform(0.5, 1.5), 2),
                halt_seconds=round(self.random.uniform(0.2, 0.6), 2),
            )
        self.until(lambda: not self.open(), "all servers are created")
        spread = ", ".join(f"{host.servers} on {host.name}" for host in views.hosts(self.store))
        self.view.say(f"{len(story.servers)} servers answer, each a process with an address of its own: {spread}")

    def use_them(self) -> None:
        requests = [(server, kind) for server in self.story.servers for kind in ("reboot", "password") * 2]
        self.view.say(
            f"customers ask for {len(requests)} things: reboot, new password, and both again, for each server"
        )
        for at, (server, kind) in enumerate(requests):
            if at == len(requests) // 2:
                self.story.releases.append(self.releases.deploy("2.0"))
                self.view.say("release 2.0 of the steps is deployed: what is accepted from now on runs on it")
            self.ask(server, kind, password=kind == "password")

    def lose_host(self) -> None:
        """Kill it while some of its actions are in the middle of their work and others wait behind them."""
        store, story = self.store, self.story
        enough = max(1, len(story.servers) // len(HOSTS) // 2)

        def busy() -> bool:
            there = [a for a in views.actions(store, time.time()) if a.host == VICTIM]
            rebooting = sum(a.state == "running" and a.step in {"reboot", "wait_down", "wait_up"} for a in there)
            done = any(a.state == "succeeded" and a.type != "create" for a in there)
            return done and rebooting >= enough and any(a.state == "queued" for a in there)

        self.until(busy, f"{VICTIM} is busy")
        before = self.host(VICTIM)
        story.killed_at = time.time()
        story.processes, story.survivors = self.convention.crash(VICTIM)
        self.view.say(
            f"kill -9 {VICTIM}: {story.processes} processes are dead, among them the customers' servers: {before.servers};"
            f" {number(before.running, 'action')} ran there, {before.waiting} wait behind",
            alarm=True,
        )
        self.until(lambda: self.host(VICTIM).state == "lost", f"the loss of {VICTIM} is known")
        story.lost_at = time.time()
        lost = [a for a in views.actions(store, time.time()) if a.host == VICTIM and a.reason_code == "system_lost"]
        story.failed = sorted(a.id for a in lost)
        reasons = " and ".join(sorted({a.reason for a in lost}))
        self.view.say(
            f"{story.lost_at - story.killed_at:.1f} s later the application server hears of it, from the convention:"
            f" {number(len(lost), 'action')} failed ({reasons}), {self.host(VICTIM).waiting} wait",
            alarm=True,
        )

    def go_on_without(self) -> None:
        """The others work, and requests for the lost host's servers are accepted all the same."""
        story = self.story
        story.deleted = sorted(self.random.sample(story.servers, len(story.servers) // DELETED))
        for server in story.servers:
            self.ask(server, "delete" if server in story.deleted else "password", password=server not in story.deleted)
        self.view.say(f"customers delete {number(len(story.deleted), 'server')} and change the passwords of the others")
        self.until(lambda: not any(a.host != VICTIM for a in self.open()), "the other hosts are done")
        ended = self.store.rows(
            "SELECT COUNT(*) FROM action a JOIN server s ON s.id = a.server"
            " WHERE s.host <> ? AND a.finished_at > ? AND a.state = 'succeeded'",
            VICTIM,
            story.killed_at,
        )
        story.meanwhile = int(ended[0][0])
        story.waiting = sorted(a.id for a in self.open() if a.host == VICTIM)
        self.view.say(
            f"the other hosts have finished {number(story.meanwhile, 'action')} meanwhile; {len(story.waiting)} wait for {VICTIM}"
        )

    def bring_host_back(self) -> None:
        self.view.say(f"{VICTIM} is switched on again")
        story = self.story
        story.back_at = time.time()
        self.convention.start_host(VICTIM)
        self.convention.wait(VICTIM)
        self.until(lambda: self.host(VICTIM).state == "up", f"{VICTIM} reports")
        self.view.say(
            f"{VICTIM} is back after {time.time() - story.killed_at:.1f} s, has restarted its servers from disk, and takes up what waited"
        )

    def finish(self) -> None:
        self.until(lambda: not self.open(), "all actions have ended")
        silent = set(self.story.servers) - set(self.story.deleted)
        # Those that the host restarted by itself belong to no action that would have waited for them.
        self.until(lambda: not self.ask_who_they_are(silent), "all servers answer")
        self.story.kept = self.releases.retire(self.story.releases[0], [APP, *HOSTS])
        self.view.say("release 1.0 of the steps is drained and unloaded on all systems")
        self.view.say("all requests have come to their end; now to what is claimed")

    # ------------------------------------------------------------------------------------------------------------- tools

    def ask(self, server: str, kind: str, *, password: bool = False, **params: float) -> None:
        """One request of a customer."""
        secret = f"pw-{secrets.token_hex(12)}"
        accepted = self.store.accept(server, kind, params, Secret(secret) if password else None)
        if password:
            self.story.passwords[server][accepted.action_id] = secret
        self.system.send(self.control, RunAction(accepted.action_id))

    def ask_who_they_are(self, silent: set[str]) -> set[str]:
        """Take out those that answer; who remains."""
        for row in self.store.rows("SELECT name, ip, port FROM server WHERE state = 'active'"):
            if row["name"] in silent and probe(row["ip"], row["port"]) is not None:
                silent.discard(row["name"])
        return silent

    def host(self, name: str) -> views.HostView:
        return next(host for host in views.hosts(self.store) if host.name == name)

    def open(self) -> list[views.ActionView]:
        """Actions that have not ended."""
        return [a for a in views.actions(self.store, time.time()) if a.state in {"queued", "running"}]

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Look at the database until something is true, and show it meanwhile.

        Raises:
            NotInTime: it does not become true.
            SystemFailed: a system has ended that should not have.
        """
        deadline = time.monotonic() + PHASE_SECONDS
        while not true():
            self.convention.check()
            self.view.refresh()
            if time.monotonic() > deadline:
                raise NotInTime(f"not within {PHASE_SECONDS:g} s: {what}")
            time.sleep(LOOK_SECONDS)
        self.view.refresh()


def set_up(store: Store, count: int, block: int) -> None:
    """What an operator does first: the hosts that are expected, and the pool of addresses."""
    for host in HOSTS:
        store.add_host(host)
    store.add_addresses(addresses(block, count))
