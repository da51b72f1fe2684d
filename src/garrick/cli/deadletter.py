"""``garrick deadletter``: lists, shows and replays the messages that nobody handled.

Owns what is asked and how it is printed; functions without a framework, which return the exit code. Dead letters are kept where they
died, the newest hundred in each process; a process takes them along when it ends, but not their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from garrick.cli import NOT_FOUND, OK, REFUSED
from garrick.cli.operate import short_of
from garrick.cli.render import note, say, say_json, table, terminal_width
from garrick.cli.target import choose, resolve
from garrick.errors import NoSuchActor
from garrick.observe.letters import groups, hint
from garrick.observe.why import duration, short

KEPT = 10_000


def ls(system: str | None, *, reason: str | None, limit: int, output: str, timeout: float) -> int:
    """List dead letters: in groups, and the newest one by one."""
    target = choose(system, timeout)
    answer = target.ask("deadletter.list", limit=KEPT, reason=reason)
    grouped = groups(answer["letters"])
    shown = {**answer, "letters": answer["letters"][:limit], "groups": grouped}
    if output == "json":
        say_json({"system": target.name, **shown})
    else:
        say(*list_text(shown, width=terminal_width()))
    for line in list_notes(shown, reason):
        note(line)
    return OK if answer["letters"] or (answer["total"] and reason is None) else NOT_FOUND


def list_text(answer: Mapping[str, Any], *, width: int | None = None) -> list[str]:
    """The tables of a list."""
    by_group = table(
        "groups of those that are kept",
        ("count", "reason", "message", "class of target", "newest", "ago"),
        [
            (g["count"], g["reason"], g["message"], g["target_class"], g["newest"], duration(g["ago"]))
            for g in answer["groups"]
        ],
        width=width,
    )
    newest = table(
        "the newest",
        ("letter", "reason", "message", "target", "sender", "ago", "replayed"),
        [
            (
                letter["letter"],
                letter["reason"],
                letter["message"],
                short(letter["target"]),
                letter["sender"] and (letter["sender"] if letter["sender"] == "ask" else short(letter["sender"])),
                duration(letter["ago"]),
                letter["replayed"] or None,
            )
            for letter in answer["letters"]
        ],
        width=width,
        more=answer["kept"] - len(answer["letters"]),
    )
    return [*by_group, *([""] if by_group and newest else []), *newest]


def list_notes(answer: Mapping[str, Any], reason: str | None) -> list[str]:
    """What has to be said about a list."""
    totals = ", ".join(f"{count} {why}" for why, count in answer["by_reason"].items())
    if not answer["total"]:
        notes = ["no message has become a dead letter since this system started"]
    elif reason is not None and not answer["letters"]:
        notes = [f"no dead letter with reason {reason!r} is kept; counted since the start: {totals}"]
    else:
        notes = [f"{answer['total']} dead letters since the start: {totals}"]
    missing = answer.get("unanswered") or ()
    if missing:
        notes.append(f"process {', '.join(map(str, missing))} did not answer: its dead letters are missing here")
    return notes


def show(letter: str, system: str | None, *, output: str, timeout: float) -> int:
    """Show one dead letter with the text of its message."""
    target = choose(system, timeout)
    answer = target.ask("deadletter.show", letter=letter)
    if output == "json":
        say_json({"system": target.name, **answer, "hint": hint(answer["reason"])})
    else:
        say(*show_text(answer))
    return OK


def show_text(answer: Mapping[str, Any]) -> list[str]:
    """Facts, one a line; empty ones are left out."""
    advice = hint(answer["reason"])
    lines = [
        ("letter", answer["letter"]),
        ("died", f"{duration(answer['ago'])} ago in process {answer['process']}"),
        ("reason", answer["reason"]),
        ("target", f"{answer['target']} ({answer['target_class']})" if answer["target_class"] else answer["target"]),
        ("sender", answer["sender"]),
        ("replayed", f"{answer['replayed']} times" if answer["replayed"] else None),
        ("message", f"{answer['message']}: {answer['text']}"),
        ("hint", advice),
    ]
    return [f"{key.ljust(8)}  {value}" for key, value in lines if value is not None]


def replay(
    letters: Sequence[str], system: str | None, *, to: str | None, yes: bool, output: str, timeout: float
) -> int:
    """Send the messages of dead letters again: to their targets, or to somebody else."""
    target = choose(system, timeout, reference=to)
    if len(letters) > 1 and not yes:
        note(f"this would send {len(letters)} messages again: {', '.join(letters)}", "hint: repeat it with --yes")
        return REFUSED
    receiver = resolve(target, to) if to is not None else None
    done = []
    for letter in letters:
        if receiver is None:
            _check_target(target.ask("deadletter.show", letter=letter), target)
        answer = target.ask("deadletter.replay", letter=letter, to=receiver)
        done.append({key: answer[key] for key in ("letter", "message", "target")})
        if output == "table":
            say(f"the {answer['message']} of {letter} was sent to {short_of(answer['target'])}")
    if output == "json":
        say_json({"system": target.name, "replayed": done})
    return OK


def _check_target(letter: Mapping[str, Any], target: Any) -> None:
    """A target that has ended would only make the same dead letter again."""
    address = letter["target"]
    facts = target.ask("actor.show", address=address)
    if facts["state"] in ("ended", "unknown"):
        raise NoSuchActor(
            f"the target of {letter['letter']}, {short(address)}, is {facts['state']}"
            + (f" ({facts['reason']})" if facts.get("reason") else ""),
            hint="send the message to another actor with --to",
        )
