"""What `garrick deadletter` prints, from fixed facts."""

from __future__ import annotations

from typing import Any

from garrick.cli.deadletter import list_notes, list_text, show_text
from garrick.observe.letters import groups, hint


def letter(number: str, ago: float, **more: Any) -> dict[str, Any]:
    return {
        "letter": number,
        "process": int(number.partition(".")[0]),
        "ago": ago,
        "reason": "stopped",
        "message": "Pay",
        "target": "s@1/2/1.5",
        "target_class": "shop.Bill",
        "sender": None,
        "replayed": 0,
        **more,
    }


LETTERS = [
    letter("2.7", 3.0, sender="ask"),
    letter("3.1", 4.0, reason="unhandled", message="int", sender="s@1/2/1.9", replayed=2),
    letter("2.6", 90.0),
]
ANSWER: dict[str, Any] = {
    "letters": LETTERS,
    "groups": groups(LETTERS),
    "kept": 5,
    "total": 9,
    "by_reason": {"stopped": 8, "unhandled": 1},
    "unanswered": [],
}


def test_groups_count_by_reason_class_and_message() -> None:
    first, second = groups(LETTERS)
    assert (first["count"], first["reason"], first["message"], first["newest"]) == (2, "stopped", "Pay", "2.7")
    assert (second["count"], second["reason"], second["message"], second["newest"]) == (1, "unhandled", "int", "3.1")


def test_a_list() -> None:
    assert (
        "\n".join(list_text(ANSWER))
        == """\
groups of those that are kept
count  reason     message  class of target  newest  ago
    2  stopped    Pay      shop.Bill        2.7     3.0 s
    1  unhandled  int      shop.Bill        3.1     4.0 s

the newest
letter  reason     message  target  sender  ago    replayed
2.7     stopped    Pay      2/1.5   ask     3.0 s
3.1     unhandled  int      2/1.5   2/1.9   4.0 s  2
2.6     stopped    Pay      2/1.5           1 min
... and 2 more"""
    )
    assert list_notes(ANSWER, None) == ["9 dead letters since the start: 8 stopped, 1 unhandled"]


def test_empty_lists_say_why() -> None:
    empty = {**ANSWER, "letters": [], "groups": [], "kept": 0}
    assert list_text(empty) == []
    assert list_notes({**empty, "unanswered": [4]}, "failed") == [
        "no dead letter with reason 'failed' is kept; counted since the start: 8 stopped, 1 unhandled",
        "process 4 did not answer: its dead letters are missing here",
    ]
    assert list_notes({**empty, "total": 0, "by_reason": {}}, None) == [
        "no message has become a dead letter since this system started"
    ]


def test_one_letter() -> None:
    assert "\n".join(show_text({**LETTERS[1], "text": "17"})) == (
        f"""\
letter    3.1
died      4.0 s ago in process 3
reason    unhandled
target    s@1/2/1.5 (shop.Bill)
sender    s@1/2/1.9
replayed  2 times
message   int: 17
hint      {hint("unhandled")}"""
    )
