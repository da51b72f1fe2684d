"""``garrick actor``: lists, shows and explains the actors of a running system.

Owns what is asked and how it is printed; functions without a framework, which return the exit code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from garrick.cli import NOT_FOUND, OK
from garrick.cli.render import note, say, say_json, table, terminal_width
from garrick.cli.target import Target, choose, resolve
from garrick.observe.references import natural
from garrick.observe.why import duration, explain, relative, short

LONGEST_CHAIN = 10
"""How many waits are followed from one actor to the next."""
FAILED_SHOWN = 10
TREE_LIMIT = 2000
SIBLINGS = 10
"""Children of one class that a tree shows below one parent."""


# --- ls ------------------------------------------------------------------------------------------------------------------


def ls(
    system: str | None,
    filters: Mapping[str, Any],
    *,
    sort: str,
    limit: int,
    output: str,
    timeout: float,
) -> int:
    """List actors, and those that failed within the last hour."""
    target = choose(system, timeout)
    wanted = {key: value for key, value in filters.items() if value}
    answer = target.ask("actor.list", sort=sort, limit=limit, **wanted)
    if output == "json":
        say_json({"system": target.name, **answer})
    else:
        say(*list_text(answer, failed_only=bool(wanted.get("failed")), width=terminal_width()))
    for line in list_notes(answer, wanted):
        note(line)
    return OK if answer["rows"] or answer["failed"] else NOT_FOUND


def list_text(answer: Mapping[str, Any], *, failed_only: bool = False, width: int | None = None) -> list[str]:
    """The tables of a list."""
    rows = [
        (
            short(row["address"]),
            row["name"],
            row["class"],
            row["state"],
            row["process"],
            row["mailbox"],
            "a place" if row.get("pending") else row["waits_for"] and relative(row["waits_for"], row["address"]),
        )
        for row in answer["rows"]
    ]
    columns = ("address", "name", "class", "state", "process", "mailbox", "waits for")
    lines = table("", columns, rows, width=width, more=answer["matched"] - len(rows))
    shown = answer["failed"] if failed_only else answer["failed"][:FAILED_SHOWN]
    failed = table(
        "" if failed_only else "ended within the last hour, but not by being stopped",
        ("address", "name", "class", "reason", "detail", "ago"),
        [
            (short(row["address"]), row["name"], row["class"], row["reason"], row["detail"], duration(row["ago"]))
            for row in shown
        ],
        width=width,
        more=answer["failed_count"] - len(shown),
    )
    return [*lines, *([""] if lines and failed else []), *failed]


def list_notes(answer: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What has to be said about a list: what was searched when nothing was found, and who did not answer."""
    notes = []
    if not answer["rows"] and not wanted.get("failed"):
        what = " ".join(f"{key}={value}" for key, value in wanted.items()) or "any actor"
        notes.append(
            f"no living actor matches {what}: searched {answer['actors']} actors in {answer['processes']} processes; "
            f"{answer['failed_count']} failed within the last hour"
        )
    elif not answer["failed"] and wanted.get("failed"):
        notes.append(f"none of {answer['processes']} processes knows of an actor that failed within the last hour")
    return notes + unanswered(answer)


def unanswered(answer: Mapping[str, Any]) -> list[str]:
    """A note about processes that did not answer."""
    missing = answer.get("unanswered") or ()
    return [f"process {', '.join(map(str, missing))} did not answer: its actors are missing here"] if missing else []


# --- tree ----------------------------------------------------------------------------------------------------------------


def tree(reference: str | None, system: str | None, *, every: bool, output: str, timeout: float) -> int:
    """Show who spawned whom."""
    target = choose(system, timeout, reference=reference)
    root = resolve(target, reference) if reference is not None else None
    answer = target.ask("actor.list", sort="address", limit=TREE_LIMIT)
    if output == "json":
        rows = answer["rows"] if root is None else _below(_full(answer["rows"], root), answer["rows"])
        say_json({"system": target.name, "rows": rows, "matched": answer["matched"]})
    else:
        say(*tree_text(answer["rows"], root=root, every=every))
    if answer["matched"] > len(answer["rows"]):
        note(f"{answer['matched'] - len(answer['rows'])} more actors are not shown")
    for line in unanswered(answer):
        note(line)
    return OK


def tree_text(rows: Sequence[Mapping[str, Any]], *, root: str | None = None, every: bool = False) -> list[str]:
    """Parents and children, over all processes; an actor whose parent is not in the list is a root."""
    addresses = {row["address"] for row in rows}
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: natural(row["address"])):
        below.setdefault(row["parent"] if row["parent"] in addresses else None, []).append(row)
    if root is None:
        tops = below.get(None, [])
    else:
        full = _full(rows, root)
        tops = [row for row in rows if row["address"] == full]
    lines: list[str] = []

    def draw(row: Mapping[str, Any], first: str, rest: str) -> None:
        lines.append(first + _tree_line(row))
        children, hidden = _siblings(below.get(row["address"], []), every)
        for at, child in enumerate(children):
            last = at == len(children) - 1 and not hidden
            draw(child, f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")
        if hidden:
            lines.append(f"{rest}└─ ... and {hidden} more")

    shown, hidden = _siblings(tops, every)
    for row in shown:
        draw(row, "", "")
    if hidden:
        lines.append(f"... and {hidden} more")
    return lines


def _siblings(rows: Sequence[Mapping[str, Any]], every: bool) -> tuple[list[Mapping[str, Any]], int]:
    if every:
        return list(rows), 0
    seen: dict[str, int] = {}
    shown = []
    for row in rows:
        seen[row["class"]] = seen.get(row["class"], 0) + 1
        if seen[row["class"]] <= SIBLINGS:
            shown.append(row)
    return shown, len(rows) - len(shown)


def _tree_line(row: Mapping[str, Any]) -> str:
    name = f" {row['name']!r}" if row["name"] else ""
    waiting = f", {row['mailbox']} waiting" if row["mailbox"] else ""
    state = "" if row["state"] == "running" else f", {row['state']}"
    return f"{row['class'].rpartition('.')[2]}{name}  {short(row['address'])}{state}{waiting}"


def _full(rows: Sequence[Mapping[str, Any]], address: str) -> str:
    return next((row["address"] for row in rows if address in (row["address"], short(row["address"]))), address)


def _below(root: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    inside = {root}
    grew = True
    while grew:
        more = {row["address"] for row in rows if row["parent"] in inside} - inside
        inside |= more
        grew = bool(more)
    return [row for row in rows if row["address"] in inside]


# --- show and why --------------------------------------------------------------------------------------------------------


def show(reference: str, system: str | None, *, output: str, timeout: float) -> int:
    """Show everything that is known of one actor."""
    target = choose(system, timeout, reference=reference)
    facts = target.ask("actor.show", address=resolve(target, reference, ended=True))
    if output == "json":
        say_json({"system": target.name, **facts})
    elif facts["state"] == "unknown":
        note(explain(facts))
    else:
        say(*show_text(facts))
    return NOT_FOUND if facts["state"] == "unknown" else OK


def show_text(facts: Mapping[str, Any]) -> list[str]:
    """Facts, one a line; empty ones are left out."""
    host = facts.get("host") or {}
    lines = [
        ("address", facts["address"]),
        ("class", facts.get("class")),
        ("name", facts.get("name")),
        ("state", facts["state"]),
        ("waits for", f"a place: {facts['pending']}" if facts.get("pending") else None),
        ("reason", facts.get("reason")),
        ("detail", facts.get("detail")),
        ("ended", f"{duration(facts['ago'])} ago" if "ago" in facts else None),
        ("process", f"{host['number']} ({host['role']}, pid {host['pid']}, {host['state']})" if host else None),
        ("parent", facts.get("parent")),
        ("isolation", facts.get("isolation")),
        ("supervision", facts.get("supervision")),
        ("requires", _pairs(facts.get("requires"))),
        ("mailbox", _mailbox(facts)),
        ("stashed", f"{facts['stashed']} put aside" if facts.get("stashed") else None),
        ("behaviour", facts.get("behaviour")),
        ("under way", f"{facts['under_way']} handlers" if facts.get("under_way") else None),
        *((f"waits for {relative(w['target'], facts['address'])}", _wait(w)) for w in facts.get("waits", ())),
        ("restarts", _restarts(facts.get("restarts"))),
        ("children", _relatives(facts.get("children"))),
        ("watched by", _relatives(facts.get("watchers"))),
        ("watches", _relatives(facts.get("watching"))),
        *(("timer", _timer(timer)) for timer in facts.get("timers", ())),
    ]
    doing = facts.get("doing")
    if doing:
        seconds = f" for {duration(doing['seconds'])}" if doing.get("seconds") is not None else ""
        lines.append(("handles", f"{doing.get('message') or 'a message'}{seconds} on {doing['thread']}"))
    wide = max(len(key) for key, value in lines if value is not None)
    text = [f"{key.ljust(wide)}  {value}" for key, value in lines if value is not None]
    if doing and doing.get("stack"):
        text += ["", "where it is:", *doing["stack"].rstrip().splitlines()]
    for failure in facts.get("failures", ()):
        text += ["", f"failed {duration(failure['ago'])} ago on {failure['message']}:"]
        text += failure["traceback"].rstrip().splitlines()
    return text


def _pairs(pairs: Mapping[str, Any] | None) -> str | None:
    return ", ".join(f"{key}={value}" for key, value in pairs.items()) if pairs else None


def _mailbox(facts: Mapping[str, Any]) -> str | None:
    if "mailbox" not in facts:
        return None
    types = ", ".join(f"{count} {name}" for name, count in facts.get("mailbox_types", {}).items())
    bound = f" of at most {facts['mailbox_bound']}" if facts.get("mailbox_bound") else ""
    return f"{facts['mailbox']}{bound} waiting ({types})" if types else f"{facts['mailbox']}{bound} waiting"


def _wait(wait: Mapping[str, Any]) -> str:
    return f"{duration(wait['seconds'])}, gives up in {duration(max(wait['gives_up_in'], 0.0))}"


def _restarts(restarts: Mapping[str, Any] | None) -> str | None:
    if not restarts or not restarts["recent"]:
        return None
    last = duration(min(restarts["recent"]))
    text = f"{len(restarts['recent'])} lately, the last {last} ago"
    return f"{text}, in its back-off" if restarts["in_backoff"] else text


def _relatives(relatives: Mapping[str, Any] | None) -> str | None:
    if not relatives or not relatives["count"]:
        return None
    first = [f"{short(r['address'])} {r['name']}" if r["name"] else short(r["address"]) for r in relatives["first"][:8]]
    more = relatives["count"] - len(first)
    return ", ".join(first) + (f", ... and {more} more" if more else "")


def _timer(timer: Mapping[str, Any]) -> str:
    period = f", every {timer['period']:g} s" if timer["period"] is not None else ""
    return f"{timer['message']} in {duration(max(timer['due_in'], 0.0))}{period}{', kept' if timer['keep'] else ''}"


def why(reference: str, system: str | None, *, output: str, timeout: float) -> int:
    """Explain in one paragraph why an actor is dead, silent or waiting."""
    target = choose(system, timeout, reference=reference)
    facts = target.ask("actor.show", address=resolve(target, reference, ended=True))
    chain = follow(target, facts)
    if output == "json":
        say_json({"system": target.name, "text": explain(facts, chain), "facts": facts, "waits": chain})
    else:
        say(explain(facts, chain))
    return NOT_FOUND if facts["state"] == "unknown" else OK


def follow(target: Target, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The actors that it waits for, one by the other, as far as they are in this system."""
    chain: list[dict[str, Any]] = []
    seen = {facts["address"]}
    now: Mapping[str, Any] = facts
    while now.get("waits") and len(chain) < LONGEST_CHAIN:
        following = now["waits"][-1]["target"]
        own = facts["address"].partition("/")[0]
        if following in seen or following.partition("/")[0] != own or following.endswith("/0.0"):
            break
        seen.add(following)
        now = target.ask("actor.show", address=following)
        chain.append(dict(now))
    return chain
