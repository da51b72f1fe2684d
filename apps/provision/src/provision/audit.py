"""Does the application keep its word? The database's claims against what the hosts' own journals and the servers say.

Owns the rules, each a kind of ``Violation``:

========================  ============================================================================================
``missing effect``        an action that succeeded lacks an effect on its host
``repeated effect``       an effect of an action happened more than once (the action succeeded, failed, or runs)
``unfinished effect``     an action succeeded though one of its effects has no good end
``effect without action`` a journal has an effect of which the database knows no started action
``wrong host``            an effect happened on a host other than the server's
``out of order``          effects of a server did not happen in the order in which its requests were accepted
``overlap``               an effect began on a server while another one was not over
``unaccounted boot``      a server booted for a cause of which the journal knows nothing
``repeated boot``         a server booted twice for one cause
``missing boot``          an action says that a server booted, and the server's record does not
``not recovered``         a server that should have run was neither adopted nor restarted by a new agent
``not ended``             an action is neither ended nor waiting with a reason
========================  ============================================================================================

Reads only. Knows nothing of how the actors work, so that it cannot share their mistakes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provision.catalogue import effects
from provision.journal import Entry, read
from provision.protocol import TERMINAL, WAITING_HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.store import Store

BOOTING: Final = frozenset({"start", "reboot"})


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: its kind, and the particulars for a person; ``state``: of the action that it is about."""

    kind: str
    text: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Boot:
    """One line of a server's own record."""

    host: str
    server: str
    cause: str

    def __str__(self) -> str:
        return f"{self.server} on {self.host}, cause {self.cause}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the database says of one action."""

    id: int
    server: str
    host: str
    seq: int
    type: str
    state: str
    reason_code: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return f"action {self.id} ({self.type} {self.server}, {self.state})"


def audit(store: Store, hosts: Mapping[str, str | Path], *, at_rest: bool = True) -> list[Violation]:
    """All violations.

    Args:
        store: the database.
        hosts: host name -> its state directory, which holds ``journal.jsonl`` and ``servers/``.
        at_rest: nothing is under way any more, so that every action must have ended or wait with a reason.
    """
    journals = {
        host: list(read(journal)) for host, d in hosts.items() if (journal := Path(d) / "journal.jsonl").exists()
    }
    boots = [boot for host, directory in hosts.items() for boot in _boots(host, Path(directory))]
    return judge(_claims(store), journals, boots, at_rest=at_rest)


def judge(
    claims: Sequence[Claim],
    journals: Mapping[str, Sequence[Entry]],
    boots: Sequence[Boot] | None = None,
    *,
    at_rest: bool = True,
) -> list[Violation]:
    """The rules themselves, over plain data."""
    found = list(_once(claims, journals))
    for host, journal in journals.items():
        found += _order(host, journal)
        found += _recovery(host, journal)
    if boots is not None:
        found += _boot_causes(claims, boots, journals)
    if at_rest:
        found += [
            Violation("not ended", f"{claim}, {claim.reason_code or 'no reason'}")
            for claim in claims
            if claim.state not in TERMINAL and (claim.state, claim.reason_code) != ("queued", WAITING_HOST)
        ]
    return found


def _once(claims: Sequence[Claim], journals: Mapping[str, Sequence[Entry]]) -> Iterable[Violation]:
    """Succeeded: each effect exactly once; otherwise at most once; none without an action, none elsewhere."""
    by_id = {claim.id: claim for claim in claims}
    begun: dict[tuple[int, int, str], int] = defaultdict(int)
    good: dict[tuple[int, int, str], int] = defaultdict(int)
    for host, journal in journals.items():
        for entry in journal:
            if entry.kind not in {"begin", "end"}:
                continue
            claim = by_id.get(entry.action_id)
            key = (entry.action_id, entry.pos, entry.what)
            if entry.kind == "end":
                good[key] += entry.outcome == "ok"
                continue
            begun[key] += 1
            if (
                claim is None
                or claim.state == "queued"
                or (claim.server, claim.seq) != (entry.server, entry.seq)
                or (entry.pos, entry.what) not in effects(claim.steps)
            ):
                yield Violation(
                    "effect without action", f"{entry.what} of {entry.server} on {host}, action {entry.action_id}"
                )
            elif claim.host != host:
                yield Violation("wrong host", f"{entry.what} of {claim} on {host}, not {claim.host}")
    for claim in claims:
        for pos, what in effects(claim.steps):
            key = (claim.id, pos, what)
            if begun[key] > 1:
                yield Violation("repeated effect", f"{what} of {claim}, {begun[key]} times", claim.state)
            if claim.state == "succeeded" and not begun[key]:
                yield Violation("missing effect", f"{what} of {claim}")
            elif claim.state == "succeeded" and not good[key]:
                yield Violation("unfinished effect", f"{what} of {claim}")


def _order(host: str, journal: Sequence[Entry]) -> Iterable[Violation]:
    """On each server: by request, within a request by step, and never two at once."""
    last: dict[str, Entry] = {}
    under_way: dict[str, Entry] = {}
    for entry in journal:
        if entry.kind == "agent":
            under_way.clear()  # the crash ended whatever was under way
        elif entry.kind == "begin":
            before = last.get(entry.server)
            # A name that is used again after a deletion starts its numbers again, with a definition.
            fresh = entry.what == "define" and before is not None and before.what == "destroy"
            if before is not None and not fresh and (before.seq, before.pos) > (entry.seq, entry.pos):
                text = f"{entry.what} of request {entry.seq} after {before.what} of request {before.seq}"
                yield Violation("out of order", f"{entry.server} on {host}: {text}")
            if other := under_way.get(entry.server):
                yield Violation("overlap", f"{entry.server} on {host}: {entry.what} began during {other.what}")
            last[entry.server] = under_way[entry.server] = entry
        elif entry.kind == "end" and (other := under_way.get(entry.server)) and other.exec_id == entry.exec_id:
            del under_way[entry.server]


def _recovery(host: str, journal: Sequence[Entry]) -> Iterable[Violation]:
    """A new agent finds every server that was to run when the last one ended."""
    wanted: set[str] = set()
    doubtful: set[str] = set()
    for entry in journal:
        if entry.kind == "begin":
            doubtful.add(entry.server)
        elif entry.kind == "end":
            doubtful.discard(entry.server)
            if entry.outcome == "ok" and entry.what in BOOTING:
                wanted.add(entry.server)
            elif entry.outcome == "ok" and entry.what in {"stop", "destroy"}:
                wanted.discard(entry.server)
        elif entry.kind == "recover":
            # An interrupted effect may have left its server either way.
            for server in sorted(wanted - doubtful - {*entry.adopted, *entry.restarted}):
                yield Violation("not recovered", f"{server} on {host} by agent {entry.boot}")
            wanted = {*entry.adopted, *entry.restarted}
            doubtful.clear()


def _boot_causes(
    claims: Sequence[Claim], boots: Sequence[Boot], journals: Mapping[str, Sequence[Entry]]
) -> Iterable[Violation]:
    """The servers' own records of their boots agree with the journals."""
    succeeded = {claim.id for claim in claims if claim.state == "succeeded"}
    seen = set(boots)
    for boot in sorted(seen, key=str):
        if boots.count(boot) > 1:
            yield Violation("repeated boot", str(boot))
    for host, journal in journals.items():
        recoveries = {f"recover-{e.boot}" for e in journal if e.kind == "agent"}
        begun = {(e.server, e.exec_id) for e in journal if e.kind == "begin" and e.what in BOOTING}
        for boot in sorted(seen, key=str):
            if boot.host == host and boot.cause not in recoveries and (boot.server, boot.cause) not in begun:
                yield Violation("unaccounted boot", str(boot))
        # The record lies in the server's directory, and goes with it.
        gone = {e.server: n for n, e in enumerate(journal) if (e.kind, e.what) == ("begin", "destroy")}
        for n, entry in enumerate(journal):
            done = entry.kind == "end" and entry.what in BOOTING and entry.action_id in succeeded
            if done and n > gone.get(entry.server, -1) and Boot(host, entry.server, entry.exec_id) not in seen:
                yield Violation("missing boot", str(Boot(host, entry.server, entry.exec_id)))


def _claims(store: Store) -> list[Claim]:
    steps: dict[int, list[str]] = defaultdict(list)
    for row in store.rows("SELECT action, name FROM action_step ORDER BY action, pos"):
        steps[row["action"]].append(row["name"])
    return [
        Claim(
            row["id"],
            row["name"],
            row["host"] or "",
            row["seq"],
            row["type"],
            row["state"],
            row["reason_code"],
            tuple(steps[row["id"]]),
        )
        for row in store.rows("SELECT a.*, s.name, s.host FROM action a JOIN server s ON s.id = a.server ORDER BY a.id")
    ]


def _boots(host: str, directory: Path) -> Iterable[Boot]:
    """What the servers that still exist recorded themselves."""
    for path in sorted((directory / "servers").glob("*/boots.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Boot(host, path.parent.name, json.loads(line)["cause"])
