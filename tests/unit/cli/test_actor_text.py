"""What `garrick actor` prints, from fixed facts."""

from __future__ import annotations

from typing import Any

from garrick.cli.actor import list_notes, list_text, show_text, tree_text
from garrick.cli.render import table


def row(address: str, parent: str = "s@1/0/0.0", **more: Any) -> dict[str, Any]:
    return {
        "address": f"s@1/{address}",
        "class": "shop.Bill",
        "name": None,
        "state": "running",
        "process": int(address.partition("/")[0]),
        "mailbox": 0,
        "waits_for": None,
        "parent": parent,
        **more,
    }


ANSWER: dict[str, Any] = {
    "rows": [
        row("2/1.5", name="bill", mailbox=12, state="waiting", waits_for="s@1/3/1.7"),
        row("3/1.7", **{"class": "shop.Rates"}),
    ],
    "matched": 5,
    "actors": 9,
    "processes": 2,
    "failed": [
        {**row("2/1.4", name="old"), "state": "ended", "reason": "failed", "detail": "ValueError: a\nb", "ago": 61.0}
    ],
    "failed_count": 1,
    "unanswered": [],
}


def test_a_list() -> None:
    assert (
        "\n".join(list_text(ANSWER))
        == """\
address  name  class       state    process  mailbox  waits for
2/1.5    bill  shop.Bill   waiting        2       12  3/1.7
3/1.7          shop.Rates  running        3        0
... and 3 more

ended within the last hour, but not by being stopped
address  name  class      reason  detail           ago
2/1.4    old   shop.Bill  failed  ValueError: a b  1 min"""
    )
    assert list_notes(ANSWER, {}) == []


def test_an_empty_list_says_what_was_searched() -> None:
    empty = {**ANSWER, "rows": [], "matched": 0, "unanswered": [4]}
    assert list_text({**empty, "failed": [], "failed_count": 0}) == []
    assert list_notes(empty, {"class": "Ping"}) == [
        "no living actor matches class=Ping: searched 9 actors in 2 processes; 1 failed within the last hour",
        "process 4 did not answer: its actors are missing here",
    ]
    assert list_notes({**empty, "failed": [], "unanswered": []}, {"failed": True}) == [
        "none of 2 processes knows of an actor that failed within the last hour"
    ]


def test_a_tree_over_processes() -> None:
    top = row("2/1.5", name="top")
    rows = [top, row("3/2.1", top["address"], mailbox=3), row("3/2.2", "s@1/3/2.1", state="busy"), row("2/1.9")]
    rows += [row(f"4/4.{number}", top["address"]) for number in range(12)]
    assert tree_text(rows)[:3] == ["Bill 'top'  2/1.5", "├─ Bill  3/2.1, 3 waiting", "│  └─ Bill  3/2.2, busy"]
    assert tree_text(rows)[-2:] == ["└─ ... and 3 more", "Bill  2/1.9"]
    assert len(tree_text(rows, every=True)) == len(rows)
    assert tree_text(rows, root="3/2.1") == ["Bill  3/2.1, 3 waiting", "└─ Bill  3/2.2, busy"]


def test_everything_of_one_actor() -> None:
    facts = {
        **row("2/1.5", name="bill", state="busy"),
        "host": {"number": 2, "role": "worker", "pid": 77, "state": "up"},
        "isolation": "shared",
        "supervision": None,
        "requires": {"db": "True"},
        "mailbox": 2,
        "mailbox_types": {"Pay": 2},
        "waits": [{"target": "s@1/3/1.7", "seconds": 1.0, "gives_up_in": 9.0}],
        "restarts": {"recent": [5.0, 2.0], "in_backoff": False},
        "children": {"count": 9, "first": [{"address": "s@1/2/1.6", "name": "kid"}]},
        "watchers": {"count": 0, "first": []},
        "watching": {"count": 0, "first": []},
        "timers": [{"message": "Tick", "due_in": 3.0, "period": 5.0, "keep": True}],
        "doing": {"message": "Pay", "seconds": 4.0, "thread": "t1", "stack": '  File "x.py", line 1, in f\n    g()\n'},
        "failures": [{"ago": 7.0, "message": "Pay", "error": "E: y", "traceback": "Traceback:\nE: y\n"}],
    }
    assert (
        "\n".join(show_text(facts))
        == """\
address          s@1/2/1.5
class            shop.Bill
name             bill
state            busy
process          2 (worker, pid 77, up)
parent           s@1/0/0.0
isolation        shared
requires         db=True
mailbox          2 waiting (2 Pay)
waits for 3/1.7  1.0 s, gives up in 9.0 s
restarts         2 lately, the last 2.0 s ago
children         2/1.6 kid, ... and 8 more
timer            Tick in 3.0 s, every 5 s, kept
handles          Pay for 4.0 s on t1

where it is:
  File "x.py", line 1, in f
    g()

failed 7.0 s ago on Pay:
Traceback:
E: y"""
    )


def test_a_narrow_terminal_cuts_lines_and_a_pipe_does_not() -> None:
    assert table("t", ("name", "count"), [("a long name", 3)], width=10) == ["t", "name     …", "a long na…"]
    assert table("", ("name", "count"), [("a long name", 3)], more=2)[1:] == ["a long name      3", "... and 2 more"]
    assert table("t", ("name",), []) == []
