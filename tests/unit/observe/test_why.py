"""Every state of an actor is explained by its facts."""

from __future__ import annotations

from typing import Any

import pytest

from garrick.observe.why import duration, explain, unknown

HOST = {
    "number": 2,
    "role": "worker",
    "state": "up",
    "pid": 77,
    "seconds": 5.0,
    "answered": True,
    "reason": "",
    "detail": "",
}
LIVING: dict[str, Any] = {"address": "s@1/2/1.5", "class": "shop.Bill", "name": None, "process": 2, "host": HOST}
ENDED: dict[str, Any] = {**LIVING, "state": "ended", "reason": "failed", "detail": "ValueError: x", "ago": 90.0}


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({**LIVING, "state": "running"}, "Bill 2/1.5 is alive and idle."),
        (
            {**LIVING, "state": "running", "mailbox": 2, "mailbox_types": {"Pay": 2}},
            "Bill 2/1.5 is alive. 2 messages wait in its mailbox (2 Pay).",
        ),
        (
            {
                **LIVING,
                "state": "busy",
                "name": "b",
                "doing": {
                    "message": "Pay",
                    "seconds": 3.0,
                    "thread": "t1",
                    "stack": '  File "/shop.py", line 3, in pay\n    sleep()\n  File "/usr/lib/python3/x.py", line 1, in y\n',
                },
            },
            (
                "Bill 'b' (2/1.5) is alive; a handler of it is running. "
                'It handles a Pay for 3.0 s on thread t1, now at "/shop.py", line 3, in pay.'
            ),
        ),
        (
            {**LIVING, "state": "starting", "name": "b"},
            "Bill 'b' (2/1.5) has not started yet: it waits until its name is granted, or for its turn.",
        ),
        (
            {**LIVING, "state": "restarting", "restarts": {"recent": [1.0, 0.1], "in_backoff": True, "until_in": 4.0}},
            "Bill 2/1.5 failed and is to be restarted: 2 restarts lately, and it is in its back-off now for 4.0 s more.",
        ),
        (
            {**LIVING, "state": "stopping", "children": {"count": 1, "first": [{"address": "s@1/3/1.9"}]}},
            "Bill 2/1.5 is stopping: it waits for 1 of its children to end (3/1.9).",
        ),
        (
            {**LIVING, "class": None, "state": "starting", "again": True, "host": {**HOST, "state": "waiting"}},
            "actor 2/1.5 was lost with its process and is to be made again in process 2. Its process 2 is waiting.",
        ),
        (ENDED, "Bill 2/1.5 ended 1 min ago (failed): it failed: ValueError: x."),
        (
            {**ENDED, "reason": "stopped", "detail": "", "failures": [{"ago": 3.0, "message": "Pay", "error": "E: y"}]},
            (
                "Bill 2/1.5 ended 1 min ago (stopped): it was stopped, or stopped itself. "
                "Its last failure was 3.0 s ago, on Pay: E: y"
            ),
        ),
        (
            {
                **ENDED,
                "class": None,
                "reason": "worker lost",
                "detail": "",
                "host": {**HOST, "state": "gone", "reason": "worker lost", "detail": "killed by signal 9"},
            },
            (
                "actor 2/1.5 ended 1 min ago (worker lost): its process was lost. "
                "Its process 2 ended 5.0 s ago (worker lost): killed by signal 9."
            ),
        ),
        (
            {**LIVING, "class": None, "state": "unknown"},
            "actor 2/1.5 is unknown to its process: it was never made, or ended longer ago than is remembered.",
        ),
        (
            {**LIVING, "class": None, "state": "unknown", "host": None, "process": 9},
            "actor 2/1.5 is unknown: this system has never had a process 9.",
        ),
        (
            {**LIVING, "class": None, "state": "unknown", "host": {**HOST, "answered": False}},
            (
                "Nothing can be said of actor 2/1.5: its process does not answer. "
                "Its process 2 (pid 77) does not answer: its interpreter is blocked, or it is stopped."
            ),
        ),
        (
            {**LIVING, "state": "running", "host": {**HOST, "suspect": 3.0}},
            (
                "Bill 2/1.5 is alive and idle. Its process 2 is suspect: it has not answered for 3.0 s; "
                "its interpreter is blocked, or it is stopped."
            ),
        ),
    ],
)
def test_explanations(facts: dict[str, Any], text: str) -> None:
    assert explain(facts) == text


def test_waits_are_followed() -> None:
    waiting = {
        **LIVING,
        "state": "waiting",
        "waits": [{"target": "s@1/3/1.9", "seconds": 2.0, "gives_up_in": 28.0}],
    }
    other = {**LIVING, "address": "s@1/3/1.9", "class": "shop.Rates", "state": "busy", "doing": None, "mailbox": 1}
    assert explain(waiting, [other]) == (
        "Bill 2/1.5 is alive and waits for an answer. It has waited 2.0 s for an answer of 3/1.9 and gives up in 28 s. "
        "Rates 3/1.9 is alive; a handler of it is running. 1 message waits in its mailbox."
    )


def test_an_actor_of_another_system_keeps_its_whole_address() -> None:
    waits = [{"target": "t@2/3/1.9", "seconds": 2.0, "gives_up_in": 28.0}]
    assert "an answer of t@2/3/1.9 and" in explain({**LIVING, "state": "waiting", "waits": waits})


def test_a_full_mailbox_and_a_stash_are_told() -> None:
    facts = {**LIVING, "state": "busy", "mailbox": 2, "mailbox_types": {}, "mailbox_bound": 2, "stashed": 3}
    assert explain(facts) == (
        "Bill 2/1.5 is alive; a handler of it is running. 2 messages wait in its mailbox. It is full: 2 are its bound. "
        "It has put 3 more aside (stash)."
    )


def test_an_unknown_name_says_what_was_searched_and_what_is_close() -> None:
    text = unknown({"reference": "bil", "searched": 3, "unanswered": [4], "close": ["bill"]})
    assert "3 processes were asked" in text
    assert "Process 4 did not answer" in text
    assert text.endswith("Close names: bill.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (59.4, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (100_000, "1 d 3 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
