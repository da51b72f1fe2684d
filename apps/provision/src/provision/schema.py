"""The tables of the application's database, as SQLite takes them.

Owns the SQL of the schema; the names are the ones that the documentation of the data model uses. Times are UTC seconds since
1970. The rule that two actions never run on one server is kept by the database itself: ``action.active_server`` is the server
while the action runs and NULL otherwise, and it is UNIQUE.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS host (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, zone TEXT NOT NULL DEFAULT '', driver TEXT NOT NULL DEFAULT 'process',
    state TEXT NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'up', 'lost')),
    boot INTEGER NOT NULL DEFAULT 0, last_seen REAL
);
CREATE TABLE IF NOT EXISTS server (
    id INTEGER PRIMARY KEY, public_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, host TEXT REFERENCES host(name),
    quota INTEGER NOT NULL, ip TEXT, port INTEGER, power TEXT NOT NULL DEFAULT 'off' CHECK (power IN ('on', 'off')),
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'active', 'deleting', 'deleted', 'error')),
    next_seq INTEGER NOT NULL DEFAULT 1,
    queue_state TEXT NOT NULL DEFAULT 'open' CHECK (queue_state IN ('open', 'held')), held_reason TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS server_name ON server(name) WHERE state <> 'deleted';
CREATE TABLE IF NOT EXISTS action (
    id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, server INTEGER NOT NULL REFERENCES server(id),
    seq INTEGER NOT NULL, type TEXT NOT NULL, params TEXT NOT NULL DEFAULT '{}', secret_params BLOB,
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out')),
    reason_code TEXT NOT NULL DEFAULT 'queued', reason TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL, started_at REAL, finished_at REAL, deadline_at REAL,
    active_server INTEGER UNIQUE REFERENCES server(id), owner_node TEXT, owner_epoch INTEGER, source TEXT NOT NULL DEFAULT '',
    UNIQUE (server, seq), CHECK ((state = 'running') = (active_server IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS action_state ON action(state, id);
CREATE TABLE IF NOT EXISTS action_step (
    id INTEGER PRIMARY KEY, action INTEGER NOT NULL REFERENCES action(id), pos INTEGER NOT NULL, name TEXT NOT NULL,
    place TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'dispatched', 'running', 'done', 'failed', 'skipped', 'undone')),
    started_at REAL, finished_at REAL, result TEXT NOT NULL DEFAULT '{}', UNIQUE (action, pos)
);
CREATE TABLE IF NOT EXISTS step_attempt (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL REFERENCES action_step(id), n INTEGER NOT NULL, exec_id TEXT NOT NULL UNIQUE,
    node TEXT NOT NULL, dispatched_at REAL NOT NULL, ended_at REAL,
    outcome TEXT CHECK (outcome IN ('ok', 'error', 'timeout', 'lost', 'cancelled')),
    error TEXT NOT NULL DEFAULT '', attempt_deadline REAL NOT NULL, UNIQUE (step, n)
);
CREATE INDEX IF NOT EXISTS attempt_deadline ON step_attempt(attempt_deadline) WHERE outcome IS NULL;
CREATE TABLE IF NOT EXISTS action_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, action INTEGER, server TEXT, host TEXT, kind TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '', at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS release (name TEXT PRIMARY KEY, source TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ip_address (addr TEXT PRIMARY KEY, server TEXT UNIQUE);
"""
