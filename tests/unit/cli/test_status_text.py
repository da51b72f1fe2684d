"""The screen of `garrick status`, from fixed facts."""

from __future__ import annotations

from typing import Any

from garrick.cli.status import problems, screen

PROCESS: dict[str, Any] = {
    "number": 1,
    "role": "worker",
    "state": "up",
    "pid": 77,
    "seconds": 61.0,
    "suspect": None,
    "actors": 2,
    "answered": True,
    "mailbox": 3,
    "mailbox_max": {"address": "s@1/1/1.5", "class": "shop.Bill", "mailbox": 3},
}
ANSWER: dict[str, Any] = {
    "system": "s@1",
    "state": "running",
    "uptime": 62.0,
    "capabilities": {"db": True, "zone": "eu"},
    "processes": [PROCESS, {**PROCESS, "number": 2, "actors": 0, "suspect": 4.0, "mailbox_max": None}],
    "lost_processes": [
        {"number": 3, "role": "worker", "reason": "worker lost", "detail": "killed by SIGKILL", "ago": 5}
    ],
    "actors": [
        {"address": "s@1/1/1.4", "class": "shop.Idle", "name": None, "state": "running", "mailbox": 0, "busy": False},
        {
            "address": "s@1/1/1.5",
            "class": "shop.Bill",
            "name": "bill",
            "state": "running",
            "mailbox": 3,
            "busy": True,
            "waits_for": "s@1/2/1.9",
        },
    ],
    "tombstones": [],
    "systems": [],
    "lost_systems": [],
    "dead_letters": {
        "total": 3,
        "by_reason": {"stopped": 1, "unhandled": 2},
        "newest": [
            {
                "process": 1,
                "letter": {"reason": "stopped", "message": "Pay", "target": "s@1/1/1.6", "sender": "s@1/1/1.5"},
            }
        ],
    },
}


def test_one_screen_with_what_is_wrong_first() -> None:
    assert (
        "\n".join(screen(ANSWER))
        == """\
system s@1  running  up 1 min
problem: worker process 2 (pid 77) is suspect: it has not answered for 4.0 s; its interpreter is blocked, or it is stopped
capabilities: db, zone=eu
actors 2   mailbox max 3 (Bill 1/1.5)   dead letters 3: 2 unhandled, 1 stopped

processes
process  role    state    pid  actors  mailbox  for
      1  worker  up        77       2        3  1 min
      2  worker  suspect   77       0        3  1 min

lost processes
process  role    reason       detail             ago
      3  worker  worker lost  killed by SIGKILL  5.0 s

actors
address  class      name  state    mailbox  waits for
1/1.5    shop.Bill  bill  waiting        3  2/1.9
1/1.4    shop.Idle        running        0

newest dead letters (garrick deadletter ls)
process  reason   message  target  sender
      1  stopped  Pay      1/1.6   1/1.5
"""
    )


def test_a_system_that_does_not_answer_has_one_problem() -> None:
    silent = {"system": "s", "state": "no answer", "problem": "no answer in time"}
    assert screen(silent) == ["system s  no answer", "problem: no answer in time"]
    assert problems(silent) == ["no answer in time"]
    assert problems({**ANSWER, "processes": [PROCESS]}) == []
