from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from provision.journal import Journal, read
from provision.protocol import Effect, Secret, StepKnown

if TYPE_CHECKING:
    from pathlib import Path


def effect(exec_id: str, server: str = "web", what: str = "start") -> Effect:
    return Effect(exec_id, 7, 3, server, 2, what, what, secret=Secret("hunter2"))


def test_an_attempt_is_unknown_then_interrupted_then_done_or_failed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", "web")
    assert journal.known("x").state == "unknown"
    journal.begin(effect("x"))
    assert journal.known("x").state == "interrupted"
    journal.done(effect("x"), {"port": 80})
    assert journal.known("x") == StepKnown("x", "done", {"port": 80})
    journal.begin(effect("y"))
    journal.failed(effect("y"), "driver", "it did not")
    assert journal.known("y") == StepKnown("y", "failed", code="driver", reason="it did not")
    journal.close()


def test_what_is_known_survives_the_process_and_is_kept_per_server(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path, "web")
    first.begin(effect("x"))
    first.done(effect("x"), {})
    first.begin(effect("y"))
    first.close()
    again, other = Journal(path, "web"), Journal(path, "db")
    assert (again.known("x").state, again.known("y").state) == ("done", "interrupted")
    assert other.known("x").state == "unknown"
    again.close()
    other.close()


def test_secrets_are_no_part_of_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(effect("x", what="set_password"))
    journal.close()
    assert b"hunter2" not in (tmp_path / "journal.jsonl").read_bytes()


def test_a_line_cut_off_by_a_kill_spoils_neither_itself_nor_the_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, "web")
    journal.begin(effect("x"))
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "begin", "exec_id": "torn"')
    journal = Journal(path, "web")
    journal.done(effect("x"), {})
    journal.close()
    assert [(e.kind, e.exec_id) for e in read(path)] == [("begin", "x"), ("end", "x")]


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    program = (
        "import sys\n"
        "from provision.journal import Journal\n"
        "from provision.protocol import Effect\n"
        "journal = Journal(sys.argv[1])\n"
        "for n in range(50):\n"
        "    journal.begin(Effect(f'{sys.argv[2]}-{n}', 1, 1, 'web', 0, 's', 'start'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name], env=environment) for name in "ab"]
    assert [writer.wait(30) for writer in writers] == [0, 0]
    ids = [entry.exec_id for entry in read(path)]
    assert len(ids) == 100
    for name in "ab":
        assert [i for i in ids if i.startswith(name)] == [f"{name}-{n}" for n in range(50)]


def test_starts_of_the_agent_are_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.boots() == 0
    journal.agent_started(1)
    journal.recovered(1, ["a"], ["b"])
    assert journal.boots() == 1
    journal.close()
    assert [(e.kind, list(e.adopted), list(e.restarted)) for e in read(journal.path)][1] == ("recover", ["a"], ["b"])
