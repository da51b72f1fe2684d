"""The application's database as clients and operators use it: requests are accepted here, addresses reserved.

Owns the connection and the statements of everybody but the Control (``provision.dispatch``). Knows no actors. Invariant: a
request is accepted in one transaction, which gives it the next number of its server; that order is the order of its effects.

SQLite in WAL mode with IMMEDIATE transactions: any number of processes of one machine may use the file. Each owner makes
its own ``Store``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from provision.catalogue import ACTIONS, step_specs
from provision.errors import Conflict, PoolExhausted, UnknownServer
from provision.ids import uuid7
from provision.schema import SCHEMA
from provision.vault import Vault

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from provision.protocol import Secret, Values

DEFAULT_QUOTA: Final = 1 << 20
"""Bytes of a customer's disk when the request says nothing."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the client of a request gets: the action's number, and its place in its server's line."""

    action_id: int
    seq: int


class Store:
    """One connection to the database.

    Args:
        path: the database file; made, with its tables, when it does not exist. Its key lies beside it (``.key``).
        timeout: seconds to wait for another writer.
        one_thread: False for an owner that is on changing threads, though never on two at once, as actors are.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 20.0, one_thread: bool = True) -> None:
        self._db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=one_thread)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.execute("PRAGMA mmap_size=0")
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ip_address'").fetchone():
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        self._vault = Vault(f"{path}.key")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def rows(self, statement: str, *parameters: Any) -> list[sqlite3.Row]:
        """Read: for views and audits. Columns by name."""
        return self._db.execute(statement, parameters).fetchall()

    def _event(self, kind: str, *, action: int | None = None, server: str = "", host: str = "", data: str = "") -> None:
        self._db.execute(
            "INSERT INTO action_event(action, server, host, kind, data, at) VALUES (?, ?, ?, ?, ?, ?)",
            (action, server or None, host or None, kind, data, time.time()),
        )

    # ------------------------------------------------------------------------------------------- what operators set up

    def add_host(self, name: str, *, zone: str = "", driver: str = "process") -> None:
        """Expect a host of this name; a known one stays as it is."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO host(name, zone, driver) VALUES (?, ?, ?)", (name, zone, driver))

    def add_addresses(self, addresses: Iterable[str]) -> None:
        """Put addresses into the pool; known ones stay as they are."""
        with self._write() as db:
            db.executemany("INSERT OR IGNORE INTO ip_address(addr) VALUES (?)", [(a,) for a in addresses])

    def release_steps(self, source: str) -> None:
        """Accept requests for this release of the steps from now on: the hash of a source."""
        with self._write() as db:
            db.execute(
                "INSERT INTO release(name, source) VALUES ('steps', ?) ON CONFLICT(name) DO UPDATE SET source = excluded.source",
                (source,),
            )
            self._event("steps.released", data=source)

    def release_queue(self, server: str) -> None:
        """Open a server's queue that was held after a failure."""
        with self._write() as db:
            db.execute("UPDATE server SET queue_state = 'open', held_reason = '' WHERE name = ?", (server,))
            self._event("server.released", server=server)

    # ------------------------------------------------------------------------------------------------ what clients do

    def accept(self, server: str, kind: str, params: Values | None = None, secret: Secret | None = None) -> Accepted:
        """Take a customer's request: one transaction, after which it is never lost.

        Args:
            server: the server's name; ``create`` makes it.
            kind: a type of ``provision.catalogue.ACTIONS``.
            params: plain values for the steps; ``quota`` (bytes) for ``create``.
            secret: the password, for ``create`` and ``password``.

        Raises:
            UnknownServer: no such server, and the request is not its creation.
            Conflict: the name is taken, the server is being deleted, or a password is missing.
            KeyError: there is no such type of action.
        """
        action_type = ACTIONS[kind]
        if secret is None and "set_password" in action_type.steps:
            raise Conflict(f"an action {kind!r} needs a password")
        with self._write() as db:
            row = db.execute("SELECT * FROM server WHERE name = ? AND state <> 'deleted'", (server,)).fetchone()
            if kind == "create":
                if row is not None:
                    raise Conflict(f"there is a server {server!r} already")
                quota = int((params or {}).get("quota") or DEFAULT_QUOTA)
                db.execute("INSERT INTO server(public_id, name, quota) VALUES (?, ?, ?)", (uuid7(), server, quota))
                row = db.execute("SELECT * FROM server WHERE name = ? AND state <> 'deleted'", (server,)).fetchone()
            elif row is None:
                raise UnknownServer(f"there is no server {server!r}")
            elif row["state"] == "deleting":
                raise Conflict(f"server {server!r} is being deleted")
            if kind == "delete":
                db.execute("UPDATE server SET state = 'deleting' WHERE id = ?", (row["id"],))
            seq = int(row["next_seq"])
            db.execute("UPDATE server SET next_seq = ? WHERE id = ?", (seq + 1, row["id"]))
            cursor = db.execute(
                "INSERT INTO action(public_id, server, seq, type, params, secret_params, created_at, source)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, COALESCE((SELECT source FROM release WHERE name = 'steps'), ''))",
                (
                    uuid7(),
                    row["id"],
                    seq,
                    kind,
                    json.dumps(dict(params or {})),
                    None if secret is None else self._vault.seal(secret),
                    time.time(),
                ),
            )
            action_id = int(cursor.lastrowid or 0)
            db.executemany(
                "INSERT INTO action_step(action, pos, name, place) VALUES (?, ?, ?, ?)",
                [(action_id, s.pos, s.name, s.place) for s in step_specs(action_type.steps)],
            )
            self._event("action.accepted", action=action_id, server=server, data=kind)
        return Accepted(action_id, seq)

    def reserve_address(self, server: str) -> str:
        """The server's address from the pool; asked again, the same one.

        Raises:
            PoolExhausted: none is free.
        """
        with self._write() as db:
            row = db.execute("SELECT addr FROM ip_address WHERE server = ?", (server,)).fetchone()
            if row is None:
                row = db.execute("SELECT addr FROM ip_address WHERE server IS NULL ORDER BY rowid LIMIT 1").fetchone()
                if row is None:
                    raise PoolExhausted("no address is free")
                db.execute("UPDATE ip_address SET server = ? WHERE addr = ?", (server, row["addr"]))
                self._event("ip.reserved", server=server, data=row["addr"])
            db.execute("UPDATE server SET ip = ? WHERE name = ? AND state <> 'deleted'", (row["addr"], server))
        return str(row["addr"])

    def release_address(self, server: str) -> str | None:
        """Give the server's address back to the pool; None when it had none (any more)."""
        with self._write() as db:
            row = db.execute("SELECT addr FROM ip_address WHERE server = ?", (server,)).fetchone()
            if row is None:
                return None
            db.execute("UPDATE ip_address SET server = NULL WHERE addr = ?", (row["addr"],))
            db.execute("UPDATE server SET ip = NULL, port = NULL WHERE name = ? AND state <> 'deleted'", (server,))
            self._event("ip.released", server=server, data=row["addr"])
        return str(row["addr"])

    def notice(self, server: str, action_id: int, text: str) -> None:
        """Leave a message for the customer in the time-line of an action."""
        with self._write():
            self._event("customer.notified", action=action_id, server=server, data=text)


def addresses(block: int, count: int) -> Sequence[str]:
    """``count`` loopback addresses, 127.block.x.y; on Linux all of 127/8 answers without any set-up."""
    return [f"127.{block}.{n // 250}.{n % 250 + 1}" for n in range(count)]
