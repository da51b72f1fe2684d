"""Each claim of the demonstration breaks when what it claims is not so: a sound history, and one fault planted in each test."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from provision import claims
from provision.dispatch import Dispatch
from provision.journal import Journal
from provision.protocol import Effect, Secret
from provision.scenario import HOSTS, VICTIM, Story
from provision.store import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.protocol import Action


class History:
    """What the demonstration leaves, with one server per host, all deleted in the end, so that no process is needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.db = Dispatch(directory / "provision.db")
        self.db.add_addresses(addresses(97, 3))
        for host in HOSTS:
            (directory / host).mkdir()
            self.db.add_host(host)
            self.journal(host).agent_started(1)
            self.journal(host).recovered(1, [], [])
        self.db.take_over()
        for host in HOSTS:
            self.db.host_up(host, 1)
        self.story = Story(servers=[f"server-{host}" for host in HOSTS])
        self.story.releases = ["a" * 64, "b" * 64]
        self.db.release_steps(self.story.releases[0])
        for server in self.story.servers:
            self.ask(server, "create")
        self.serve()
        self.db.release_steps(self.story.releases[1])
        for server in self.story.servers:
            self.ask(server, "reboot")
            self.ask(server, "password")
        running = {action.host: action for action in self.db.claim()}
        victim = running.pop(VICTIM)
        self.work(victim, until=1)
        self.journal(VICTIM).begin(self.effect(victim, 1))
        self.story.killed_at = time.time()
        self.story.processes = 5
        self.story.failed = self.db.fail_running_on_host(VICTIM)
        self.story.lost_at = time.time()
        for action in running.values():
            self.work(action)
        self.serve()
        self.story.deleted = self.story.servers
        for server in self.story.servers:
            self.ask(server, "delete")
        self.serve()
        self.story.meanwhile = 6
        self.story.waiting = [
            row[0] for row in self.db.rows("SELECT id FROM action WHERE state = 'queued' ORDER BY id")
        ]
        self.story.back_at = time.time()
        self.journal(VICTIM).agent_started(2)
        self.journal(VICTIM).recovered(2, [], [f"server-{VICTIM}"])
        self.db.host_up(VICTIM, 2)
        self.serve()

    def journal(self, host: str) -> Journal:
        return Journal(self.directory / host / "journal.jsonl")

    def ask(self, server: str, kind: str) -> int:
        password = f"pw-{server}-{kind}"
        accepted = self.db.accept(server, kind, {}, None if kind in {"reboot", "delete"} else Secret(password))
        if kind in {"create", "password"}:
            self.story.passwords[server][accepted.action_id] = password
        return accepted.action_id

    def serve(self) -> None:
        """As Control would, until nothing may run any more."""
        while actions := self.db.claim():
            for action in actions:
                self.work(action)

    def work(self, action: Action, until: int = 99) -> None:
        journal = self.journal(action.host)
        for step in action.steps[:until]:
            exec_id = f"{action.id}-{step.pos}"
            self.db.step_dispatched(action.id, step.pos, exec_id, action.host, 5)
            result: dict[str, str | int] = {"source": action.source[:16]}
            if step.name == "reserve_ip":
                result["address"] = self.db.reserve_address(action.server)
            elif step.name == "release_ip":
                self.db.release_address(action.server)
            elif step.name in {"define", "start", "set_password", "reboot", "stop", "destroy"}:
                effect = self.effect(action, step.pos)
                journal.begin(effect)
                journal.done(effect, {})
                self.files(action, step.name, exec_id)
            self.db.step_done(action.id, step.pos, exec_id, result)
        if until > len(action.steps):
            self.db.finish(action.id, "succeeded")

    def files(self, action: Action, step: str, cause: str) -> None:
        """What the server would record, or what is removed with it."""
        home = self.directory / action.host / "servers" / action.server
        if step in {"start", "reboot"}:
            home.mkdir(parents=True, exist_ok=True)
            with (home / "boots.jsonl").open("a") as boots:
                boots.write(json.dumps({"boot": 1, "cause": cause}) + "\n")
        elif step == "destroy":
            (home / "boots.jsonl").unlink()
            home.rmdir()

    @staticmethod
    def effect(action: Action, pos: int) -> Effect:
        name = action.steps[pos].name
        exec_id = f"{action.id}-{pos}"
        return Effect(exec_id, action.id, action.seq, action.server, pos, name, name, source=action.source[:16])

    def entry(self, host: str, **fields: object) -> None:
        with (self.directory / host / "journal.jsonl").open("a") as journal:
            journal.write(json.dumps({"kind": "begin", "at": 0.0, **fields}) + "\n")

    def change(self, statement: str, *parameters: object) -> None:
        self.db.rows(statement, *parameters)

    def id(self, host: str, kind: str) -> int:
        return int(
            self.db.rows(
                "SELECT a.id FROM action a JOIN server s ON s.id = a.server WHERE s.host = ? AND a.type = ?", host, kind
            )[0][0]
        )

    def broken(self) -> list[str]:
        """The first words of the claims that are broken."""
        checked = claims.check(self.db, self.directory, self.story)
        assert len(checked) == 12
        return [claim.text for claim in checked if claim.broken]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path)
    assert [c for c in claims.check(history.db, tmp_path, history.story) if c.broken] == []
    yield history
    history.db.close()


def only(history: History, beginning: str) -> bool:
    broken = history.broken()
    return len(broken) == 1 and broken[0].startswith(beginning)


def test_an_effect_twice(history: History) -> None:
    id_ = history.id("h1", "reboot")
    history.entry("h1", exec_id="again", action_id=id_, seq=2, server="server-h1", pos=1, what="reboot")
    assert any(text.startswith("what succeeded was done exactly once") for text in history.broken())


def test_a_failed_effect_twice(history: History) -> None:
    id_ = history.id(VICTIM, "reboot")
    history.entry(VICTIM, exec_id="again", action_id=id_, seq=2, server=f"server-{VICTIM}", pos=1, what="reboot")
    assert any(text.startswith("what failed was done at most once") for text in history.broken())


def test_a_lost_effect(history: History) -> None:
    path = history.directory / "h1" / "journal.jsonl"
    lines = [line for line in path.read_text().splitlines() if '"what": "set_password"' not in line]
    path.write_text("\n".join(lines) + "\n")
    assert only(history, "what succeeded was done exactly once")


def test_no_journals_at_all(history: History) -> None:
    for host in HOSTS:
        (history.directory / host / "journal.jsonl").unlink()
    assert any(text.startswith("what succeeded was done exactly once") for text in history.broken())


def test_an_effect_that_nobody_asked_for(history: History) -> None:
    history.entry("h3", exec_id="stray", action_id=999, seq=1, server="server-99", pos=0, what="stop")
    assert only(history, "nothing was done that nobody asked for")


def test_a_request_that_has_no_end(history: History) -> None:
    history.ask("another", "create")
    history.change("UPDATE server SET queue_state = 'held' WHERE name = 'another'")
    assert any(text.endswith("requests has come to its end") for text in history.broken())


def test_an_effect_of_another_release(history: History) -> None:
    path = history.directory / "h1" / "journal.jsonl"
    path.write_text(path.read_text().replace('"source": "b', '"source": "a', 1))
    assert only(history, "each request ran wholly on the release")


def test_a_step_of_another_release(history: History) -> None:
    history.change(
        "UPDATE action_step SET result = '{}' WHERE action = ? AND name = 'wait_up'", history.id("h1", "reboot")
    )
    assert only(history, "each request ran wholly on the release")


def test_only_one_release(history: History) -> None:
    history.story.releases = history.story.releases[1:]
    assert only(history, "each request ran wholly on the release")


def test_the_first_release_is_still_there(history: History) -> None:
    history.story.kept.append("h1: it is draining")
    assert only(history, "each request ran wholly on the release")


def test_an_action_of_another_host_failed(history: History) -> None:
    history.change("UPDATE action SET state = 'failed', reason = 'no disk' WHERE id = ?", history.id("h3", "password"))
    assert any(text.startswith("h1 and h3 went on without h2") for text in history.broken())


def test_nothing_went_on(history: History) -> None:
    history.story.meanwhile = 0
    assert only(history, "h1 and h3 went on without h2")


def test_a_process_survived_the_crash(history: History) -> None:
    history.story.survivors.append("process 1 of h2")
    assert only(history, "what ran on h2 failed, and only that")


def test_what_ran_there_did_not_fail(history: History) -> None:
    history.story.failed.append(history.id(VICTIM, "password"))
    assert only(history, "what ran on h2 failed, and only that")


def test_the_host_did_not_restart_its_servers(history: History) -> None:
    path = history.directory / VICTIM / "journal.jsonl"
    path.write_text(path.read_text().replace('"restarted": ["server-h2"]', '"restarted": []'))
    assert only(history, "h2 came back and restarted its servers")


def test_what_waited_ran_too_early(history: History) -> None:
    history.change("UPDATE action SET started_at = 1 WHERE id = ?", history.id(VICTIM, "password"))
    assert only(history, "what waited for h2 was done when it was back")


def test_nothing_waited(history: History) -> None:
    history.story.waiting = []
    assert only(history, "what waited for h2 was done when it was back")


def test_a_server_is_silent(history: History) -> None:
    history.story.deleted = history.story.deleted[1:]
    assert only(history, "what is left answers")


def test_a_deleted_server_is_still_there(history: History) -> None:
    (history.directory / "h3" / "servers" / "server-h3").mkdir()
    assert only(history, "what is left answers")


def test_a_password_can_be_read(history: History) -> None:
    (history.directory / "h1.log").write_text("set it to pw-server-h3-create today")
    assert only(history, "none of 6 passwords can be read")
