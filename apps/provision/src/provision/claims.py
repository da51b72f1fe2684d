"""What the demonstration claims at its end, each claim checked.

Owns the list of claims and how each is proved: from the database, from the hosts' own journals, and by asking the customers'
servers themselves. Changes nothing. A claim without anything to prove it from is broken, not kept.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provision.audit import Violation, audit
from provision.catalogue import effects
from provision.journal import Entry, read
from provision.probe import probe, request
from provision.scenario import HOSTS, VICTIM
from provision.views import number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provision.scenario import Story
    from provision.store import Store

RELEASES: Final = 2
ONCE: Final = frozenset({"missing effect", "repeated effect", "unfinished effect", "missing boot", "repeated boot"})
NOTHING_ELSE: Final = frozenset({"effect without action", "wrong host", "unaccounted boot"})
ORDER: Final = frozenset({"out of order", "overlap"})


@dataclass(frozen=True, slots=True)
class Claim:
    """One of them; kept if ``broken`` is empty."""

    text: str
    broken: tuple[str, ...] = ()


def check(store: Store, directory: Path, story: Story) -> list[Claim]:
    """All claims about the work and its records.

    Args:
        store: the database.
        directory: where the hosts have their disks (``<directory>/<host>``).
        story: what the program saw.
    """
    journals = {
        host: list(read(file)) if (file := directory / host / "journal.jsonl").exists() else [] for host in HOSTS
    }
    violations = audit(store, {host: directory / host for host in HOSTS})
    actions = store.rows("SELECT a.*, s.name, s.host FROM action a JOIN server s ON s.id = a.server ORDER BY a.id")
    return [
        *_recorded(store, actions, journals, violations),
        _releases(store, actions, journals, story),
        _others_went_on(actions, story),
        *_lost_and_back(actions, journals[VICTIM], violations, story),
        _servers(store, directory, story),
        _secrets(directory, story),
    ]


def _recorded(
    store: Store, actions: Sequence[sqlite3.Row], journals: Mapping[str, Sequence[Entry]], violations: list[Violation]
) -> list[Claim]:
    """What the journals say of the actions."""
    begun = [entry for journal in journals.values() for entry in journal if entry.kind == "begin"]
    states = {row["id"]: row["state"] for row in actions}
    steps: dict[int, list[str]] = {}
    for row in store.rows("SELECT action, name FROM action_step ORDER BY action, pos"):
        steps.setdefault(row["action"], []).append(row["name"])
    good = [id_ for id_, state in states.items() if state == "succeeded"]
    bad = [id_ for id_, state in states.items() if state == "failed"]
    due = sum(len(effects(steps[id_])) for id_ in good)
    done = sum(states.get(entry.action_id) == "succeeded" for entry in begun)
    half = sum(states.get(entry.action_id) == "failed" for entry in begun)

    def broken(kinds: frozenset[str], state: str = "") -> list[str]:
        return [str(v) for v in violations if v.kind in kinds and (not state or v.state in {"", state})]

    once = broken(ONCE, "succeeded")
    if done != due or not due:
        once.append(f"the journals have {done} effects of them, not {due}")
    known = ONCE | NOTHING_ELSE | ORDER | {"not recovered", "not ended"}
    ended = broken(frozenset({"not ended"})) + [str(v) for v in violations if v.kind not in known]
    return [
        Claim(f"each of {len(actions)} requests has come to its end", tuple(ended)),
        Claim(
            f"what succeeded was done exactly once: {number(len(good), 'action')}, {number(due, 'effect')}", tuple(once)
        ),
        Claim(
            f"what failed was done at most once: {number(len(bad), 'action')}, {number(half, 'effect')} begun",
            tuple(str(v) for v in violations if v.kind == "repeated effect" and v.state != "succeeded"),
        ),
        Claim(
            f"nothing was done that nobody asked for: {number(len(begun), 'effect')} on {number(len(journals), 'host')}",
            tuple(broken(NOTHING_ELSE)),
        ),
        Claim(
            f"requests of one server were served in their order: {number(len({row['server'] for row in actions}), 'server')}",
            tuple(broken(ORDER)),
        ),
    ]


def _releases(
    store: Store, actions: Sequence[sqlite3.Row], journals: Mapping[str, Sequence[Entry]], story: Story
) -> Claim:
    """Which code did what: the journals say it of the effects, what steps have told of all others."""
    accepted = {row["id"]: row["source"] for row in actions}
    if len(story.releases) < RELEASES:
        return Claim(
            "each request ran wholly on the release that it was accepted with", ("there was no second release",)
        )
    broken = [
        f"action {id_} was accepted with no known release" for id_, s in accepted.items() if s not in story.releases
    ]
    begun = [(e.action_id, e.what, e.source) for journal in journals.values() for e in journal if e.kind == "begin"]
    steps = [
        (row["action"], row["name"], str(json.loads(row["result"]).get("source", "")))
        for row in store.rows("SELECT action, name, result FROM action_step WHERE state = 'done'")
    ]
    broken += [
        f"{what} of action {id_} ran on {source or 'what is installed'}, and it was accepted with {accepted[id_][:16]}"
        for id_, what, source in (*begun, *steps)
        if id_ in accepted and (not source or not accepted[id_].startswith(source))
    ]
    counts = [sum(source == release for source in accepted.values()) for release in story.releases]
    if not all(counts):
        broken.append(f"the releases had {counts} requests")
    broken += [f"release 1.0 is not gone: {text}" for text in story.kept]
    return Claim(
        f"each request ran wholly on the release that it was accepted with, {' and '.join(map(str, counts))} of them:"
        f" {number(len(begun), 'effect')}, {number(len(steps), 'step')}; the first release is gone",
        tuple(broken),
    )


def _others_went_on(actions: Sequence[sqlite3.Row], story: Story) -> Claim:
    broken = [f"action {a['id']} on {a['host']}: {a['state']}, {a['reason']}" for a in actions if _stray(a)]
    if not story.meanwhile:
        broken.append("no action of another host ended in that time")
    others = " and ".join(host for host in HOSTS if host != VICTIM)
    seconds = story.back_at - story.killed_at
    return Claim(
        f"{others} went on without {VICTIM}: {number(story.meanwhile, 'action')} in {seconds:.1f} s", tuple(broken)
    )


def _stray(action: sqlite3.Row) -> bool:
    """Ended otherwise than this story explains."""
    explained = (action["host"], action["state"], action["reason"]) == (VICTIM, "failed", f"system lost {VICTIM}")
    return not explained and bool(action["state"] != "succeeded")


def _lost_and_back(
    actions: Sequence[sqlite3.Row], journal: Sequence[Entry], violations: list[Violation], story: Story
) -> list[Claim]:
    by_id = {action["id"]: action for action in actions}
    failed = [action["id"] for action in actions if action["state"] == "failed"]
    lost = [*story.survivors]
    if not failed or failed != story.failed:
        lost.append(f"failed are {failed}, and running at the loss were {story.failed}")
    lost += [
        f"action {a['id']} ended after the crash of its host, and before it was back: {a['state']}"
        for a in actions
        if a["host"] == VICTIM and a["state"] == "succeeded" and story.lost_at < a["finished_at"] < story.back_at
    ]
    late = [
        f"action {id_} waited for {VICTIM}: {by_id[id_]['state']}"
        for id_ in story.waiting
        if _not_taken_up(by_id[id_], story)
    ]
    if not story.waiting:
        late.append("none waited")
    recovered = [entry for entry in journal if entry.kind == "recover" and entry.at > story.killed_at]
    again = [str(v) for v in violations if v.kind == "not recovered"]
    if len(recovered) != 1 or not recovered[0].restarted:
        again.append(f"the journal has {len(recovered)} recoveries since the crash")
    restarted = sum(len(entry.restarted) for entry in recovered)
    return [
        Claim(
            f"what ran on {VICTIM} failed, and only that: {number(len(failed), 'action')}, `system lost {VICTIM}`",
            tuple(lost),
        ),
        Claim(f"{VICTIM} came back and restarted its servers from disk: {number(restarted, 'server')}", tuple(again)),
        Claim(
            f"what waited for {VICTIM} was done when it was back: {number(len(story.waiting), 'action')}", tuple(late)
        ),
    ]


def _not_taken_up(action: sqlite3.Row, story: Story) -> bool:
    return bool(action["state"] != "succeeded" or action["started_at"] < story.back_at)


def _servers(store: Store, directory: Path, story: Story) -> Claim:
    """Ask the servers who they are, and whether they know their passwords."""
    broken = []
    alive = [server for server in story.servers if server not in story.deleted]
    for server in alive:
        row = store.rows("SELECT ip, port FROM server WHERE name = ? AND state = 'active'", server)
        answer = probe(row[0]["ip"], row[0]["port"]) if row else None
        if answer is None or answer.name != server:
            broken.append(f"{server} does not answer")
            continue
        if not any(_login(row[0]["ip"], row[0]["port"], password) for password in _passwords(store, server, story)):
            broken.append(f"{server} does not take the password that it was given last")
    for server in story.deleted:
        kept = store.rows("SELECT 1 FROM ip_address WHERE server = ?", server)
        kept += store.rows("SELECT 1 FROM server WHERE name = ? AND state <> 'deleted'", server)
        if kept or any((directory / host / "servers" / server).exists() for host in HOSTS):
            broken.append(f"{server} should have been deleted")
    text = f"what is left answers and knows its password: {number(len(alive), 'server')}; what was deleted is gone: {len(story.deleted)}"
    return Claim(text, tuple(broken))


def _passwords(store: Store, server: str, story: Story) -> list[str]:
    """What may be the server's password: the one set last, or that of a later action which failed in doing so."""
    given = story.passwords[server]
    possible: list[str] = []
    for row in store.rows(f"SELECT id, state FROM action WHERE id IN ({','.join(map(str, given))}) ORDER BY seq"):  # noqa: S608 (numbers)
        possible = [given[row["id"]]] if row["state"] == "succeeded" else [*possible, given[row["id"]]]
    return possible


def _login(address: str, port: int, password: str) -> bool:
    try:
        return request("POST", address, port, "/login", password.encode(), seconds=5.0)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _secrets(directory: Path, story: Story) -> Claim:
    """No file of the whole installation has a password in it that can be read."""
    passwords = [text.encode() for given in story.passwords.values() for text in given.values()]
    files = [path for path in directory.rglob("*") if path.is_file()]
    broken = []
    for path in files:
        content = path.read_bytes()
        if any(password in content for password in passwords):
            broken.append(f"{path.relative_to(directory)} contains a password")
    return Claim(f"none of {len(passwords)} passwords can be read in any of {len(files)} files", tuple(broken))
