"""A host's journal: every effect on a customer's server, as it began and as it ended, on the host's own disk.

Owns the file: one JSON object per line, appended in one write and synced before anything else happens. ``begin`` is on the disk
before the effect, ``end`` before anybody is told. So after any crash the journal says of each attempt: never begun, done with
this result, or *interrupted* (begun, end unknown), and a repeated attempt is answered instead of done again. ``agent`` marks a
start of the host's agent, ``recover`` what it did to its servers then.

Secrets are no part of it. Several processes of the host may append; the order of the lines is the order of what happened.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provision.protocol import StepKnown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.protocol import Effect, Values

Kind = Literal["agent", "recover", "begin", "end"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. Which fields have a meaning depends on the kind."""

    kind: Kind
    at: float
    exec_id: str = ""
    action_id: int = 0
    seq: int = 0
    server: str = ""
    pos: int = -1
    step: str = ""
    what: str = ""
    source: str = ""
    outcome: Literal["", "ok", "error"] = ""
    result: Values = field(default_factory=dict)
    code: str = ""
    reason: str = ""
    boot: int = 0
    adopted: Sequence[str] = ()
    restarted: Sequence[str] = ()


class Journal:
    """The journal of one host, open for appending.

    Args:
        path: the file; made when it does not exist.
        server: keep in mind the attempts of this server alone, whose effects nobody else begins; None: of no server.
    """

    def __init__(self, path: str | os.PathLike[str], server: str | None = None) -> None:
        self.path = Path(path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # the last writer was killed within a line, which stays unreadable
        self._known = {e.exec_id: _known(e) for e in read(self.path) if e.server == server and e.exec_id}
        self._server = server

    def close(self) -> None:
        os.close(self._file)

    def begin(self, effect: Effect) -> None:
        """The effect is about to happen."""
        self._record(Entry("begin", time.time(), **_of(effect)))

    def done(self, effect: Effect, result: Values) -> None:
        """The effect has happened."""
        self._record(Entry("end", time.time(), **_of(effect), outcome="ok", result=result))

    def failed(self, effect: Effect, code: str, reason: str) -> None:
        """The effect was refused or did not work."""
        self._record(Entry("end", time.time(), **_of(effect), outcome="error", code=code, reason=reason))

    def agent_started(self, boot: int) -> None:
        self._record(Entry("agent", time.time(), boot=boot))

    def recovered(self, boot: int, adopted: Sequence[str], restarted: Sequence[str]) -> None:
        self._record(Entry("recover", time.time(), boot=boot, adopted=adopted, restarted=restarted))

    def known(self, exec_id: str) -> StepKnown:
        """What is known of an attempt on the journal's server."""
        return self._known.get(exec_id) or StepKnown(exec_id, "unknown")

    def boots(self) -> int:
        """How often the host's agent has been started."""
        return sum(e.kind == "agent" for e in read(self.path))

    def _record(self, entry: Entry) -> None:
        # What says nothing is left out: most lines have a third of the fields.
        fields = {key: value for key, value in asdict(entry).items() if value or key == "pos"}
        os.write(self._file, (json.dumps(fields) + "\n").encode())
        os.fsync(self._file)
        if entry.exec_id and entry.server == self._server:
            self._known[entry.exec_id] = _known(entry)


def _known(last: Entry) -> StepKnown:
    if last.kind == "begin":
        return StepKnown(last.exec_id, "interrupted")
    if last.outcome == "ok":
        return StepKnown(last.exec_id, "done", result=last.result)
    return StepKnown(last.exec_id, "failed", code=last.code, reason=last.reason)


def _of(effect: Effect) -> dict[str, Any]:
    return {
        "exec_id": effect.exec_id,
        "action_id": effect.action_id,
        "seq": effect.seq,
        "server": effect.server,
        "pos": effect.pos,
        "step": effect.step,
        "what": effect.what,
        "source": effect.source,
    }


def read(path: str | os.PathLike[str]) -> Iterator[Entry]:
    """The entries of a journal, in order. A line that a killed writer left unfinished is skipped: its effect never began."""
    with Path(path).open("rb") as file:
        for line in file:
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            yield Entry(**fields)
