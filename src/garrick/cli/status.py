"""``garrick status``: asks the systems of this user and shows what they say.

Owns the question, the table and the judgement whether something is wrong. Must not know how a system collects its status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from garrick.cli import NOT_FOUND, OK, UNHEALTHY
from garrick.errors import GarrickError
from garrick.node.rundir import RunDir, base_directory, running_systems
from garrick.observe.client import request

SCHEMA = 1
"""Version of the JSON; grows when a field changes its meaning or goes away."""
LONGEST = 30
"""Rows of a table; JSON has them all."""


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
        print(json.dumps({"schema": SCHEMA, "systems": answers}, indent=2))  # noqa: T201
    elif not answers:
        print(f"no system of this user is running (looked in {base_directory()})", file=sys.stderr)  # noqa: T201
    else:
        _tables(answers)
    if not answers:
        return NOT_FOUND
    return UNHEALTHY if any(problems(answer) for answer in answers) else OK


def problems(answer: Mapping[str, Any]) -> list[str]:
    """What is wrong with a system, each as one sentence; empty for a healthy one."""
    if "problem" in answer:
        return [answer["problem"]]
    found = []
    for process in answer.get("processes", ()):
        label = f"{process['role']} process {process['number']}"
        if process["state"] == "waiting":
            found.append(f"{label} waits to be started again: its predecessors died")
        elif process.get("suspect") is not None:
            found.append(
                f"{label} (pid {process['pid']}) does not answer since {duration(process['suspect'])}:"
                " its interpreter is blocked, or it is stopped"
            )
        elif process["state"] == "up" and not process["answered"]:
            found.append(
                f"{label} (pid {process['pid']}) does not answer: its interpreter is blocked, or it is stopped"
            )
    return found


def _tables(answers: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()

    def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        drawn = Table(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim"
        )
        for column in columns:
            right = column in {"mailbox", "actors", "count", "load", "pid", "process"}
            drawn.add_column(column, justify="right" if right else "left", overflow="fold")
        for row in rows[:LONGEST]:
            drawn.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        console.print(drawn)
        if len(rows) > LONGEST:
            console.print(f"  ... and {len(rows) - LONGEST} more (-o json shows all)", style="dim")
        console.print()

    for answer in answers:
        headline = Text(f"system {answer['system']}", style="bold")
        headline.append(f"  {answer['state']}", style="green" if answer["state"] == "running" else "red")
        if "uptime" in answer:
            headline.append(
                f"  up {duration(answer['uptime'])}  dead letters {answer['dead_letters']['total']}", style=""
            )
        console.print(headline)
        for problem in problems(answer):
            console.print(Text(f"problem: {problem}", style="red"))
        if "problem" in answer:
            continue
        capabilities = ", ".join(
            key if value is True else f"{key}={value}" for key, value in answer["capabilities"].items()
        )
        if capabilities:
            console.print(Text(f"capabilities: {capabilities}"))
        console.print()
        for title, columns, rows in tables_of(answer):
            table(title, columns, rows)


def tables_of(answer: Mapping[str, Any]) -> list[tuple[str, Sequence[str], list[Sequence[Any]]]]:
    """Titles, columns and rows of a system's tables."""
    own = answer["system"] + "/"
    letters = answer["dead_letters"]
    return [
        (
            "processes",
            ("process", "role", "state", "pid", "actors", "for"),
            [
                (p["number"], p["role"], _state(p), p["pid"], p["actors"], duration(p["seconds"]))
                for p in answer["processes"]
            ],
        ),
        (
            "lost processes",
            ("process", "role", "reason", "detail", "ago"),
            [(p["number"], p["role"], p["reason"], p["detail"], duration(p["ago"])) for p in answer["lost_processes"]],
        ),
        (
            "actors",
            ("address", "class", "name", "state", "mailbox", "waits for"),
            [
                (
                    a["address"].removeprefix(own),
                    a["class"],
                    a["name"],
                    "busy" if a.get("busy") else a["state"],
                    a["mailbox"],
                    a.get("waits_for"),
                )
                for a in answer["actors"]
            ],
        ),
        (
            "ended top-level actors",
            ("address", "name", "reason", "detail", "ago"),
            [
                (t["address"].removeprefix(own), t["name"], t["reason"], t["detail"], duration(t["ago"]))
                for t in answer["tombstones"]
            ],
        ),
        (
            "other systems",
            ("system", "load", "capabilities"),
            [
                (
                    s["system"],
                    s["load"],
                    ", ".join(k if v is True else f"{k}={v}" for k, v in s["capabilities"].items()),
                )
                for s in answer["systems"]
            ],
        ),
        (
            "lost systems",
            ("system", "reason", "detail", "ago"),
            [(s["system"], s["reason"], s["detail"], duration(s["ago"])) for s in answer["lost_systems"]],
        ),
        ("dead letters", ("reason", "count"), list(letters["by_reason"].items())),
        (
            "newest dead letters",
            ("process", "reason", "message", "target", "sender"),
            [
                (
                    item["process"],
                    *(
                        (letter["reason"], letter["message"], letter["target"].removeprefix(own), letter["sender"])
                        if isinstance(letter := item["letter"], dict)
                        else (str(letter), "", "", "")
                    ),
                )
                for item in letters["newest"][-10:]
            ],
        ),
    ]


def _state(process: Mapping[str, Any]) -> str:
    return process["state"] if process.get("suspect") is None else "suspect"


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 3 s, 4 min, 2 h 10 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"
