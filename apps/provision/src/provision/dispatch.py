"""The application's database as the Control uses it: claim what may run, record what became of it.

Owns the statements that move actions and steps. Knows no actors. Invariants:

* Only the head of a server's line is claimed, and two actions never run on one server (``active_server`` is UNIQUE).
* Writes of a Control carry its epoch. A Control that has been replaced gets ``Fenced`` and changes nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from provision.catalogue import ACTIONS
from provision.errors import Fenced
from provision.protocol import SYSTEM_LOST, TERMINAL, WAITING_HOST, Action, StepSpec
from provision.store import Store

if TYPE_CHECKING:
    import os
    import sqlite3

    from provision.protocol import ActionState, Values

ACTION_SECONDS: Final = 120.0
"""The whole-action clock, from claim to end."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An action that was under way when its Control ended; the next Control takes it up at this step."""

    action: Action
    pos: int
    exec_id: str | None


class Dispatch(Store):
    """The Control's connection.

    Args:
        path: the database file.
        node: who this is, for people.
        timeout: seconds to wait for another writer.
        one_thread: see ``Store``.
    """

    def __init__(
        self, path: str | os.PathLike[str], node: str = "control", *, timeout: float = 20.0, one_thread: bool = True
    ) -> None:
        super().__init__(path, timeout=timeout, one_thread=one_thread)
        self.node = node
        self.epoch = 0
        """0 until ``take_over``."""

    def take_over(self) -> list[Pending]:
        """Become the Control: everybody who was it before is fenced off from now on.

        Returns:
            The actions that were running, each with the attempt that was under way (None: between two steps).
        """
        with self._write() as db:
            db.execute(
                "INSERT INTO lease(name, holder, epoch) VALUES ('control', ?, 1)"
                " ON CONFLICT(name) DO UPDATE SET holder = excluded.holder, epoch = epoch + 1",
                (self.node,),
            )
            self.epoch = int(db.execute("SELECT epoch FROM lease WHERE name = 'control'").fetchone()["epoch"])
            db.execute(
                "UPDATE action SET owner_node = ?, owner_epoch = ? WHERE state = 'running'", (self.node, self.epoch)
            )
            # What is known of hosts is a Control's own observation; the new one has not seen any yet.
            db.execute("UPDATE host SET state = 'expected'")
            self._event("control.took_over", data=self.node)
            pending = []
            for row in db.execute("SELECT id FROM action WHERE state = 'running' ORDER BY id").fetchall():
                action = self._action(row["id"])
                step = db.execute(
                    "SELECT s.pos, s.state, t.exec_id FROM action_step s LEFT JOIN step_attempt t"
                    " ON t.step = s.id AND t.outcome IS NULL WHERE s.action = ? AND s.state <> 'done' ORDER BY s.pos",
                    (row["id"],),
                ).fetchone()
                pending.append(
                    Pending(action, len(action.steps) if step is None else step["pos"], step and step["exec_id"])
                )
        return pending

    def claim(self, *, limit: int = 1000, now: float | None = None) -> list[Action]:
        """Take those queued actions which may run: head of their server's line, queue open, host up.

        A new server is placed on the host (of those that are up) with the fewest servers.

        Raises:
            Fenced: another Control has taken over.
        """
        now = time.time() if now is None else now
        with self._write() as db:
            self._fence()
            heads = db.execute(
                "SELECT a.id, a.server, s.name, s.host FROM action a JOIN server s ON s.id = a.server"
                " LEFT JOIN host h ON h.name = s.host"
                " WHERE a.state = 'queued' AND s.queue_state = 'open' AND (s.host IS NULL OR h.state = 'up')"
                " AND a.seq = (SELECT MIN(b.seq) FROM action b WHERE b.server = a.server AND b.state IN ('queued', 'running'))"
                " ORDER BY a.id LIMIT ?",
                (limit,),
            ).fetchall()
            claimed = []
            for head in heads:
                if head["host"] is None and not self._place(head["server"]):
                    continue
                db.execute(
                    "UPDATE action SET state = 'running', reason_code = 'running', reason = '', active_server = server,"
                    " started_at = ?, deadline_at = ?, owner_node = ?, owner_epoch = ? WHERE id = ?",
                    (now, now + ACTION_SECONDS, self.node, self.epoch, head["id"]),
                )
                self._event("action.started", action=head["id"], server=head["name"])
                claimed.append(self._action(head["id"]))
        return claimed

    def _place(self, server: int) -> bool:
        row = self._db.execute(
            "SELECT h.name FROM host h LEFT JOIN server s ON s.host = h.name AND s.state <> 'deleted'"
            " WHERE h.state = 'up' GROUP BY h.name ORDER BY COUNT(s.id), h.name LIMIT 1"
        ).fetchone()
        if row is None:
            return False
        self._db.execute("UPDATE server SET host = ? WHERE id = ?", (row["name"], server))
        return True

    def _action(self, action_id: int) -> Action:
        row = self._db.execute(
            "SELECT a.*, s.name, s.host, s.ip, s.port, s.quota FROM action a JOIN server s ON s.id = a.server WHERE a.id = ?",
            (action_id,),
        ).fetchone()
        steps = self._db.execute("SELECT pos, name, place FROM action_step WHERE action = ? ORDER BY pos", (action_id,))
        facts: dict[str, Any] = json.loads(row["params"])
        facts.update({"address": row["ip"], "port": row["port"], "quota": row["quota"]})
        for done in self._db.execute(
            "SELECT result FROM action_step WHERE action = ? AND state = 'done' ORDER BY pos", (action_id,)
        ):
            facts.update(json.loads(done["result"]))
        return Action(
            id=row["id"],
            server=row["name"],
            host=row["host"] or "",
            seq=row["seq"],
            type=row["type"],
            steps=tuple(StepSpec(s["pos"], s["name"], s["place"]) for s in steps),
            facts=facts,
            secret=None if row["secret_params"] is None else self._vault.open(row["secret_params"]),
            source=row["source"],
        )

    def _fence(self) -> None:
        row = self._db.execute("SELECT holder, epoch FROM lease WHERE name = 'control'").fetchone()
        if row is None or row["epoch"] != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over" if row is None else f"{row['holder']} is the Control since")

    def _running(self, action_id: int) -> sqlite3.Row | None:
        """The action, if it still runs."""
        self._fence()
        row: sqlite3.Row | None = self._db.execute(
            "SELECT a.*, s.name FROM action a JOIN server s ON s.id = a.server WHERE a.id = ? AND a.state = 'running'",
            (action_id,),
        ).fetchone()
        return row

    def step_dispatched(self, action_id: int, pos: int, exec_id: str, node: str, seconds: float) -> None:
        """An attempt of a step is on its way to ``node`` and may take ``seconds``.

        Raises:
            Fenced: another Control has taken over.
        """
        now = time.time()
        with self._write() as db:
            if self._running(action_id) is None:
                return
            db.execute(
                "UPDATE action_step SET state = 'dispatched', started_at = COALESCE(started_at, ?) WHERE action = ? AND pos = ?",
                (now, action_id, pos),
            )
            db.execute(
                "INSERT INTO step_attempt(step, n, exec_id, node, dispatched_at, attempt_deadline)"
                " SELECT id, 1 + (SELECT COUNT(*) FROM step_attempt t WHERE t.step = s.id), ?, ?, ?, ?"
                " FROM action_step s WHERE action = ? AND pos = ?",
                (exec_id, node, now, now + seconds, action_id, pos),
            )

    def step_done(self, action_id: int, pos: int, exec_id: str, result: Values) -> bool:
        """The attempt succeeded; ``address`` and ``port`` of its result become the server's.

        Returns:
            False when the action has ended since: the late result changes nothing.

        Raises:
            Fenced: another Control has taken over.
        """
        now = time.time()
        with self._write() as db:
            row = self._running(action_id)
            if row is None:
                return False
            db.execute(
                "UPDATE step_attempt SET ended_at = ?, outcome = 'ok' WHERE exec_id = ? AND outcome IS NULL",
                (now, exec_id),
            )
            db.execute(
                "UPDATE action_step SET state = 'done', finished_at = ?, result = ? WHERE action = ? AND pos = ?",
                (now, json.dumps(dict(result)), action_id, pos),
            )
            if "port" in result:
                db.execute("UPDATE server SET port = ? WHERE id = ?", (result["port"], row["server"]))
            self._event(
                "step.done", action=action_id, server=row["name"], data=f"{pos} {_step_name(db, action_id, pos)}"
            )
        return True

    def finish(self, action_id: int, state: ActionState, code: str = "", reason: str = "") -> bool:
        """End a running action: its server's line moves on, unless its type holds the queue after a failure.

        Returns:
            False when it had ended already.

        Raises:
            Fenced: another Control has taken over.
        """
        with self._write():
            row = self._running(action_id)
            if row is None:
                return False
            self._end(row, state, code or state, reason)
        return True

    def _end(self, row: sqlite3.Row, state: ActionState, code: str, reason: str) -> None:
        assert state in TERMINAL
        db, now, good = self._db, time.time(), state == "succeeded"
        db.execute(
            "UPDATE action SET state = ?, reason_code = ?, reason = ?, finished_at = ?, active_server = NULL,"
            " secret_params = NULL WHERE id = ?",
            (state, code, reason, now, row["id"]),
        )
        if not good:
            outcome = {"timed_out": "timeout", "cancelled": "cancelled"}.get(state, "error")
            db.execute(
                "UPDATE step_attempt SET ended_at = ?, outcome = ?, error = ? WHERE outcome IS NULL AND step IN"
                " (SELECT id FROM action_step WHERE action = ?)",
                (now, "lost" if code == SYSTEM_LOST else outcome, reason, row["id"]),
            )
            db.execute(
                "UPDATE action_step SET state = CASE state WHEN 'pending' THEN 'skipped' ELSE 'failed' END, finished_at = ?"
                " WHERE action = ? AND state IN ('pending', 'dispatched', 'running')",
                (now, row["id"]),
            )
        self._server_after(row, good, reason)
        self._event(f"action.{state}", action=row["id"], server=row["name"], data=reason)

    def _server_after(self, row: sqlite3.Row, good: bool, reason: str) -> None:
        """What the end of an action means for its server and for the requests behind it."""
        changes = {
            ("create", True): "state = CASE state WHEN 'new' THEN 'active' ELSE state END, power = 'on'",
            ("create", False): "state = CASE state WHEN 'new' THEN 'error' ELSE state END",
            ("delete", True): "state = 'deleted', power = 'off'",
            # The customer may ask again.
            ("delete", False): "state = 'active'",
        }
        if change := changes.get((row["type"], good)):
            self._db.execute(f"UPDATE server SET {change} WHERE id = ?", (row["server"],))  # noqa: S608 (constants from above)
        if not good and ACTIONS[row["type"]].after_failure == "hold":
            self._db.execute(
                "UPDATE server SET queue_state = 'held', held_reason = ? WHERE id = ?",
                (f"action {row['id']} ({row['type']}) failed: {reason}", row["server"]),
            )

    def overdue(self, now: float | None = None) -> list[tuple[int, str]]:
        """Running actions whose attempt or whose whole clock has run out: (id, which clock, as a sentence)."""
        now = time.time() if now is None else now
        late = {
            row["action"]: f"step {row['name']} took more than its time"
            for row in self.rows(
                "SELECT s.action, s.name FROM step_attempt t JOIN action_step s ON s.id = t.step JOIN action a"
                " ON a.id = s.action WHERE t.outcome IS NULL AND t.attempt_deadline < ? AND a.state = 'running'",
                now,
            )
        }
        for row in self.rows("SELECT id FROM action WHERE state = 'running' AND deadline_at < ?", now):
            late.setdefault(row["id"], "the action took more than its time")
        return sorted(late.items())

    # ------------------------------------------------------------------------------------------------------------ hosts

    def host_up(self, host: str, boot: int) -> None:
        """The host is here (again): what waits for it may run."""
        with self._write() as db:
            self._fence()
            db.execute(
                "UPDATE host SET state = 'up', boot = ?, last_seen = ? WHERE name = ?", (boot, time.time(), host)
            )
            db.execute(
                "UPDATE action SET reason_code = 'queued', reason = '' WHERE state = 'queued' AND reason_code = ?"
                " AND server IN (SELECT id FROM server WHERE host = ?)",
                (WAITING_HOST, host),
            )
            self._event("host.up", host=host, data=f"boot {boot}")

    def host_unready(self, host: str) -> None:
        """The host's gate has ended, its system has not: nothing new is claimed for it until its gate is there again."""
        with self._write() as db:
            self._fence()
            # A lost host stays lost, however often a new gate is refused, until one reports.
            db.execute("UPDATE host SET state = 'expected' WHERE name = ? AND state = 'up'", (host,))

    def fail_running_on_host(self, host: str) -> list[int]:
        """The host was lost: one transaction ends what ran there and lets the rest wait with a reason.

        Returns:
            The actions that failed, with the reason ``system lost <host>``.

        Raises:
            Fenced: another Control has taken over.
        """
        reason = f"system lost {host}"
        with self._write() as db:
            self._fence()
            db.execute("UPDATE host SET state = 'lost', last_seen = ? WHERE name = ?", (time.time(), host))
            running = db.execute(
                "SELECT a.*, s.name FROM action a JOIN server s ON s.id = a.server WHERE a.state = 'running' AND s.host = ?"
                " ORDER BY a.id",
                (host,),
            ).fetchall()
            for row in running:
                self._end(row, "failed", SYSTEM_LOST, reason)
            self._mark_waiting(host)
            self._event("host.lost", host=host)
        return [row["id"] for row in running]

    def mark_waiting(self) -> None:
        """Give the actions that wait for a lost host their reason; those accepted after its loss lack it."""
        if self.rows(
            "SELECT 1 FROM action a JOIN server s ON s.id = a.server JOIN host h ON h.name = s.host"
            " WHERE a.state = 'queued' AND a.reason_code <> ? AND h.state = 'lost' LIMIT 1",
            WAITING_HOST,
        ):
            with self._write():
                for row in self.rows("SELECT name FROM host WHERE state = 'lost'"):
                    self._mark_waiting(row["name"])

    def _mark_waiting(self, host: str) -> None:
        self._db.execute(
            "UPDATE action SET reason_code = ?, reason = ? WHERE state = 'queued' AND reason_code <> ?"
            " AND server IN (SELECT id FROM server WHERE host = ?)",
            (WAITING_HOST, f"waits for host {host}, which is lost", WAITING_HOST, host),
        )


def _step_name(db: sqlite3.Connection, action_id: int, pos: int) -> str:
    row = db.execute("SELECT name FROM action_step WHERE action = ? AND pos = ?", (action_id, pos)).fetchone()
    return str(row["name"])
