"""Parameters that several commands have: their names on the command line, and what is no value of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

LONGEST = 3600.0
"""Seconds; longer than that no system waits for its processes."""


def _seconds(_type: object, value: float) -> None:
    if not 0 < value <= LONGEST:
        raise ValueError(f"{value:g} is no time: give more than 0 and at most {LONGEST:g} seconds")


def _limit(_type: object, value: int) -> None:
    if not 1 <= value <= 10_000:
        raise ValueError(f"{value} is no limit of a list: give 1 to 10000")


Seconds = Annotated[float, Parameter(validator=_seconds)]
Limit = Annotated[int, Parameter(validator=_limit)]
State = Literal["pending", "starting", "running", "busy", "waiting", "restarting", "suspended", "stopping"]
Sort = Literal["mailbox", "address", "class", "name", "state"]
Name = Annotated[str | None, Parameter(name=["-s", "--system"])]
Output = Annotated[Literal["table", "json"], Parameter(name=["-o", "--output"])]
OutputFile = Annotated[Path, Parameter(name=["-o", "--output"])]
Type = Annotated[str | None, Parameter(name="--type")]
Yes = Annotated[bool, Parameter(name="--yes", negative="")]
