"""``garrick source ls|why|activate|ramp|drain|rollback|unload``: the versions of sources that a running system has.

Owns what is asked for and what is said about it; functions without a framework, which return the exit code. What changes something is in
the audit log of the system.
"""

from __future__ import annotations

from typing import Any

from garrick.cli import OK, TIMED_OUT
from garrick.cli.operate import short_of
from garrick.cli.render import note, say, say_json, table
from garrick.cli.target import choose
from garrick.observe.why import duration


def ls(system: str | None, *, output: str, timeout: float) -> int:
    """List the versions of a system."""
    target = choose(system, timeout)
    found = target.ask("source.list")
    if output == "json":
        say_json({"system": target.name, **found})
        return OK
    rows = [
        [
            row["name"],
            row["version"],
            row["hash"][:8],
            _state(row),
            duration(row["seconds"]),
            _uses(row["uses"]),
            _oldest(row),
        ]
        for row in found["sources"]
    ]
    if not rows:
        say("no sources")
    say(*table("sources", ["name", "version", "hash", "state", "since", "in use", "oldest actor"], rows))
    _unanswered(found)
    return OK


def why(version: str, system: str | None, *, output: str, timeout: float) -> int:
    """Show what is in use of a version."""
    target = choose(system, timeout)
    found = target.ask("source.why", source=version)
    if output == "json":
        say_json({"system": target.name, **found})
        return OK
    say(
        f"{found['name']}@{found['version']} ({found['hash'][:8]}) is {_state(found)} since {duration(found['seconds'])}"
    )
    say(f"in use: {_uses(found['uses'])}")
    if found["deadline"] is not None:
        say(f"deadline: in {duration(found['deadline'])}")
    rows = [
        [short_of(row["address"]), row["class"].rpartition(".")[2], row["name"], row["state"], row["stays"]]
        for row in found["actors"]
    ]
    say(
        *table(
            "actors",
            ["address", "class", "name", "state", "why it stays"],
            rows,
            more=found["uses"].get("actors", 0) - len(rows),
        )
    )
    say(*(f"still there: {piece}" for piece in found["leaked"]))
    say(*table("events", ["ago", "event"], [[duration(each["ago"]), each["event"]] for each in found["events"]]))
    _unanswered(found)
    return OK


def change(verb: str, version: str, system: str | None, *, output: str, timeout: float, **params: Any) -> int:
    """Change the state of a version."""
    target = choose(system, timeout)
    found = target.ask(f"source.{verb}", source=version, **params)
    if output == "json":
        say_json({"system": target.name, **found})
    else:
        say(f"{found['name']}@{found['version']} ({found['hash'][:8]}) is {_state(found)}")
    return OK


def drain(
    version: str,
    system: str | None,
    *,
    deadline: float | None,
    force: bool,
    wait: bool,
    output: str,
    timeout: float,
) -> int:
    """Let a version come to its end; with ``wait`` the exit code says whether it has."""
    target = choose(system, timeout)
    found = target.ask("source.drain", source=version, seconds=deadline, force=force, wait=wait)
    if output == "json":
        say_json({"system": target.name, **found})
    else:
        say(f"{found['name']}@{found['version']} ({found['hash'][:8]}) is {_state(found)}")
    return TIMED_OUT if wait and found["state"] == "draining" else OK


def unload(version: str, system: str | None, *, force: bool, output: str, timeout: float) -> int:
    """Take a version out of a system."""
    target = choose(system, timeout)
    found = target.ask("source.unload", patience=timeout, source=version, force=force, grace=timeout / 2)
    if output == "json":
        say_json({"system": target.name, **found})
    else:
        say(f"{found['name']}@{found['version']} is out of {found['processes']} processes")
        say(*(f"it complained: {text}" for text in found["complaints"]))
    return OK


def _state(row: dict[str, Any]) -> str:
    if row["state"] == "ramping":
        return f"ramping {row['percent']:g} %"
    return f"{row['state']}, leaked" if row["leaked"] else str(row["state"])


def _uses(uses: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(uses.items()) if number) or "nothing"


def _oldest(row: dict[str, Any]) -> str | None:
    oldest = row["oldest"]
    return f"{oldest['class'].rpartition('.')[2]} {short_of(oldest['address'])}" if oldest else None


def _unanswered(found: dict[str, Any]) -> None:
    if found["unanswered"]:
        note(f"processes {', '.join(map(str, found['unanswered']))} did not answer; what they have is missing")
