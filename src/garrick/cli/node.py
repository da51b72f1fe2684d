"""``garrick node``: the systems of a convention as one of them sees them, and the draining of one.

Owns what is asked and how it is printed; functions without a framework, which return the exit code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrick.cli import NOT_FOUND, OK, TIMED_OUT, UNHEALTHY
from garrick.cli.render import note, say, say_json, table, terminal_width
from garrick.cli.target import choose
from garrick.observe.why import duration


def ls(system: str | None, *, output: str, timeout: float) -> int:
    """List the systems that one system knows."""
    target = choose(system, timeout)
    answer = target.ask("node.list")
    if output == "json":
        say_json({"asked": target.name, **answer})
        return OK
    say(
        *table(
            "systems",
            ("name", "state", "load", "processes", "capabilities"),
            [
                (
                    f"{row['name']} (here)" if row["here"] else row["name"],
                    row["state"],
                    row["load"],
                    len(row["processes"]),
                    _capabilities(row["capabilities"]),
                )
                for row in answer["systems"]
            ],
            width=terminal_width(),
        )
    )
    gone = [(lost["system"], lost["reason"], lost["detail"], duration(lost["ago"])) for lost in answer["gone"]]
    say(*table("gone", ("system", "reason", "detail", "ago"), gone, width=terminal_width()))
    if answer.get("directory"):
        note(f"the list of members is kept by {answer['directory']}")
    if not answer["member"]:
        note(f"{target.name} takes part in no convention")
    return OK


def show(name: str, system: str | None, *, output: str, timeout: float) -> int:
    """All that one system knows of another."""
    target = choose(system, timeout)
    answer = target.ask("node.list")
    found = [row for row in answer["systems"] if name in (row["name"], row["system"])]
    gone = [lost for lost in answer["gone"] if name in (lost["system"].partition("@")[0], lost["system"])]
    if output == "json":
        say_json({"asked": target.name, "systems": found, "gone": gone})
    else:
        for row in found:
            say(f"{row['system']}: {row['state']}, {row['load']} actors in {len(row['processes'])} processes")
            say(*(f"  {key} = {value!r}" for key, value in sorted(row["capabilities"].items())))
        for lost in gone:
            say(f"{lost['system']}: {lost['reason']} {duration(lost['ago'])} ago: {lost['detail']}")
    if not found and not gone:
        note(f"{target.name} knows no system {name!r}")
    return OK if found else NOT_FOUND


def ping(name: str, system: str | None, *, output: str, timeout: float) -> int:
    """Whether a system answers over the engine."""
    target = choose(system, timeout)
    answer = target.ask("node.ping", patience=1.0, name=name, timeout=timeout)
    if output == "json":
        say_json(answer)
    else:
        text = {
            "unknown": "is not known here",
            "reached": "answers",
            "nobody": "is not connected",
            "silent": "does not answer",
        }[answer["verdict"]]
        say(f"{answer['system']} {text} ({answer['seconds'] * 1000:.1f} ms)")
    return {"reached": OK, "nobody": UNHEALTHY, "unknown": NOT_FOUND}.get(answer["verdict"], TIMED_OUT)


def drain(name: str, *, undo: bool, timeout: float) -> int:
    """Let no new actors come to a system of this host, and those leave that can move."""
    answer = choose(name, timeout).ask("node.drain", undo=undo)
    say(f"{answer['system']} {'takes no new actors' if answer['draining'] else 'takes actors again'}")
    return OK


def _capabilities(capabilities: Mapping[str, Any]) -> str:
    return ", ".join(key if value is True else f"{key}={value}" for key, value in capabilities.items())
