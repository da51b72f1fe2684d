"""What people see of the database: hosts, servers, actions and their steps at one moment.

Owns the read side for the live table and the summary. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.store import Store


@dataclass(frozen=True, slots=True)
class HostView:
    """One host; ``servers`` are those not deleted, the rest counts actions."""

    name: str
    state: str
    boot: int
    servers: int
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action; ``step`` is the name of the step it is at, ``steps`` how many are done of how many."""

    id: int
    server: str
    host: str
    seq: int
    type: str
    state: str
    reason_code: str
    reason: str
    step: str
    done: int
    total: int
    age: float


def hosts(store: Store) -> list[HostView]:
    """All hosts, by name."""
    rows = store.rows(
        "SELECT h.name, h.state, h.boot,"
        " (SELECT COUNT(*) FROM server s WHERE s.host = h.name AND s.state <> 'deleted') servers,"
        " (SELECT COUNT(*) FROM action a JOIN server s ON s.id = a.server WHERE s.host = h.name AND a.state = 'running') running,"
        " (SELECT COUNT(*) FROM action a JOIN server s ON s.id = a.server WHERE s.host = h.name AND a.state = 'queued') waiting"
        " FROM host h ORDER BY h.name"
    )
    return [HostView(*row) for row in rows]


def actions(store: Store, now: float, *, limit: int | None = None) -> list[ActionView]:
    """Actions: running ones first, then those that wait, then the ended ones, the latest first."""
    rows = store.rows(
        "SELECT a.id, s.name, COALESCE(s.host, ''), a.seq, a.type, a.state, a.reason_code, a.reason,"
        " COALESCE((SELECT t.name FROM action_step t WHERE t.action = a.id AND t.state <> 'done' ORDER BY t.pos LIMIT 1), ''),"
        " (SELECT COUNT(*) FROM action_step t WHERE t.action = a.id AND t.state = 'done'),"
        " (SELECT COUNT(*) FROM action_step t WHERE t.action = a.id),"
        " COALESCE(a.finished_at, ?) - COALESCE(a.started_at, a.created_at)"
        " FROM action a JOIN server s ON s.id = a.server"
        " ORDER BY CASE a.state WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END,"
        " CASE WHEN a.state IN ('running', 'queued') THEN a.id ELSE -a.finished_at END LIMIT ?",
        now,
        -1 if limit is None else limit,
    )
    return [ActionView(*row) for row in rows]


def counts(store: Store) -> dict[str, int]:
    """How many actions are in each state."""
    return {row[0]: row[1] for row in store.rows("SELECT state, COUNT(*) FROM action GROUP BY state ORDER BY state")}


def reasons(store: Store) -> dict[str, int]:
    """How many of the actions that did not succeed (yet) have which reason code."""
    rows = store.rows(
        "SELECT reason_code, COUNT(*) FROM action WHERE state <> 'succeeded' GROUP BY reason_code ORDER BY reason_code"
    )
    return {row[0]: row[1] for row in rows}


def steps_done(store: Store) -> int:
    """How many steps have been done."""
    return int(store.rows("SELECT COUNT(*) FROM action_step WHERE state = 'done'")[0][0])


def number(count: int, noun: str) -> str:
    """``1 server``, ``2 servers``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
