"""``garrick status``: asks the systems of this user and shows what they say, on one screen, problems first.

Owns the question, the screen and the judgement whether something is wrong. Must not know how a system collects its status.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from garrick.cli import NOT_FOUND, OK, UNHEALTHY
from garrick.cli.render import note, say, say_json, style, table, terminal_width
from garrick.errors import GarrickError
from garrick.node.rundir import RunDir, base_directory, running_systems
from garrick.observe.client import request
from garrick.observe.why import duration, label, relative, short

ACTORS = 10
"""Actors on the screen: the fullest mailboxes, then those that are busy or wait; ``garrick actor ls`` has all."""
LETTERS = 5
LONGEST = 20
"""Rows of the other tables; JSON has them all."""
INTERVAL = 2.0
"""Seconds between two looks of ``--watch``."""


def show(name: str | None, output: str, timeout: float) -> int:
    """Print the status of one or all systems; returns the exit code.

    Raises:
        NoSuchSystem: no system of that name runs.
        TimeoutError: the named system does not answer.
    """
    answers: list[dict[str, Any]] = []
    for each in sorted(running_systems()) if name is None else [name]:
        try:
            answers.append(request(RunDir.find(each).path, "status", timeout=timeout))
        except (GarrickError, TimeoutError) as error:
            if name is not None:
                raise
            answers.append({"system": each, "state": "no answer", "problem": str(error) or "no answer in time"})
    if output == "json":
        say_json({"systems": answers})
    elif not answers:
        note(f"no system of this user is running (looked in {base_directory()})")
    for answer in answers if output == "table" else ():
        say(*screen(answer, width=terminal_width()))
    if not answers:
        return NOT_FOUND
    return UNHEALTHY if any(problems(answer) for answer in answers) else OK


def watch(name: str | None, output: str, timeout: float, interval: float, rounds: int | None = None) -> int:
    """Show the status again and again until Ctrl-C.

    Args:
        name: of one system; None: all.
        output: ``table`` or ``json``.
        timeout: seconds for each answer.
        interval: seconds between two looks.
        rounds: how many looks; None: until Ctrl-C.

    Returns:
        What the last look returned.
    """
    code = OK
    try:
        while rounds is None or rounds > 0:
            if terminal_width() is not None:
                print("\x1b[2J\x1b[H", end="")  # noqa: T201 - one screen, redrawn
            code = show(name, output, timeout)
            rounds = None if rounds is None else rounds - 1
            if rounds is None or rounds > 0:
                time.sleep(interval)
    except KeyboardInterrupt:
        pass  # how one stops to watch
    return code


def problems(answer: Mapping[str, Any]) -> list[str]:
    """What is wrong with a system, each as one sentence; empty for a healthy one."""
    if "problem" in answer:
        return [answer["problem"]]
    found = []
    for process in answer.get("processes", ()):
        who = f"{process['role']} process {process['number']}"
        if process["state"] == "waiting":
            found.append(f"{who} waits to be started again: its predecessors died")
        elif process.get("suspect") is not None:
            found.append(
                f"{who} (pid {process['pid']}) is suspect: it has not answered for {duration(process['suspect'])};"
                " its interpreter is blocked, or it is stopped"
            )
        elif process["state"] == "up" and not process["answered"]:
            found.append(f"{who} (pid {process['pid']}) does not answer: its interpreter is blocked, or it is stopped")
    return found


def screen(answer: Mapping[str, Any], *, width: int | None = None) -> list[str]:
    """The lines of one system: what is wrong, sums, then tables."""
    state = style(answer["state"], "green" if answer["state"] == "running" else "red")
    up = f"  up {duration(answer['uptime'])}" if "uptime" in answer else ""
    lines = [f"{style('system ' + answer['system'], 'bold')}  {state}{up}"]
    lines += [style(f"problem: {problem}", "red") for problem in problems(answer)]
    if "problem" in answer:
        return lines
    if answer["capabilities"]:
        lines.append(f"capabilities: {_capabilities(answer['capabilities'])}")
    lines.append(_sums(answer))
    for title, columns, rows in tables_of(answer):
        drawn = table(title, columns, rows[:LONGEST], width=width, more=len(rows) - LONGEST)
        lines += ["", *drawn] if drawn else []
    return [*lines, ""]


def _capabilities(capabilities: Mapping[str, Any]) -> str:
    return ", ".join(key if value is True else f"{key}={value}" for key, value in capabilities.items())


def _sums(answer: Mapping[str, Any]) -> str:
    processes, letters = answer["processes"], answer["dead_letters"]
    fullest = max(
        (p["mailbox_max"] for p in processes if p.get("mailbox_max")), key=lambda one: one["mailbox"], default=None
    )
    text = f"actors {sum(p['actors'] for p in processes)}   mailbox max {fullest['mailbox'] if fullest else 0}"
    if fullest:
        text += f" ({label(fullest)})"
    text += f"   dead letters {letters['total']}"
    if letters["by_reason"]:
        by_reason = sorted(letters["by_reason"].items(), key=lambda item: -item[1])
        text += ": " + ", ".join(f"{count} {reason}" for reason, count in by_reason)
    return text


def _noteworthy(actor: Mapping[str, Any]) -> tuple[int, bool, bool]:
    return -actor["mailbox"], not (actor.get("waits_for") or actor.get("pending")), not actor.get("busy")


def tables_of(answer: Mapping[str, Any]) -> list[tuple[str, Sequence[str], list[Sequence[Any]]]]:
    """Titles, columns and rows of a system's tables."""
    letters = answer["dead_letters"]
    actors = sorted(answer["actors"], key=_noteworthy)[:ACTORS]
    more = sum(p["actors"] for p in answer["processes"]) - len(actors)
    return [
        (
            "processes",
            ("process", "role", "state", "pid", "actors", "mailbox", "for"),
            [
                (
                    p["number"],
                    p["role"],
                    p["state"] if p.get("suspect") is None else "suspect",
                    p["pid"],
                    p["actors"],
                    p.get("mailbox"),
                    duration(p["seconds"]),
                )
                for p in answer["processes"]
            ],
        ),
        (
            "lost processes",
            ("process", "role", "reason", "detail", "ago"),
            [(p["number"], p["role"], p["reason"], p["detail"], duration(p["ago"])) for p in answer["lost_processes"]],
        ),
        (
            f"actors (and {more} more: garrick actor ls)" if more > 0 else "actors",
            ("address", "class", "name", "state", "mailbox", "waits for"),
            [
                (
                    short(a["address"]),
                    a["class"],
                    a["name"],
                    "waiting" if a.get("waits_for") else "busy" if a.get("busy") else a["state"],
                    a["mailbox"],
                    "a place" if a.get("pending") else a.get("waits_for") and relative(a["waits_for"], a["address"]),
                )
                for a in actors
            ],
        ),
        (
            "ended top-level actors",
            ("address", "name", "reason", "detail", "ago"),
            [
                (short(t["address"]), t["name"], t["reason"], t["detail"], duration(t["ago"]))
                for t in answer["tombstones"][-ACTORS:]
            ],
        ),
        (
            "other systems",
            ("system", "load", "capabilities"),
            [(s["system"], s["load"], _capabilities(s["capabilities"])) for s in answer["systems"]],
        ),
        (
            "lost systems",
            ("system", "reason", "detail", "ago"),
            [(s["system"], s["reason"], s["detail"], duration(s["ago"])) for s in answer["lost_systems"]],
        ),
        (
            "newest dead letters (garrick deadletter ls)",
            ("process", "reason", "message", "target", "sender"),
            [_letter(item) for item in letters["newest"][-LETTERS:]],
        ),
    ]


def _letter(item: Mapping[str, Any]) -> Sequence[Any]:
    letter = item["letter"]
    if not isinstance(letter, Mapping):
        return item["process"], str(letter), "", "", ""
    sender = letter["sender"] or ""
    return item["process"], letter["reason"], letter["message"], short(letter["target"]), short(sender)
