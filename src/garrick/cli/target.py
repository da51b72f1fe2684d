"""Which system a command is about, and which actor is meant.

Owns choosing and resolving. Must not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrick.errors import InvalidArgument, NoSuchActor, NoSuchSystem
from garrick.node.rundir import RunDir, base_directory, running_systems
from garrick.observe.client import request
from garrick.observe.references import read_address
from garrick.observe.why import duration, label, unknown


@dataclass(frozen=True)
class Target:
    """A running system that is asked.

    Attributes:
        name: of the system.
        path: its run directory.
        timeout: seconds for every answer.
    """

    name: str
    path: Path
    timeout: float

    def ask(self, method: str, *, patience: float = 0.0, **params: Any) -> dict[str, Any]:
        """One request; ``patience``: seconds beyond the time-out that what is asked for may take."""
        answer: dict[str, Any] = request(self.path, method, params, timeout=self.timeout + patience)
        return answer


def choose(name: str | None, timeout: float, *, reference: str | None = None) -> Target:
    """The system of that name, or the one that an address names, or the only one that runs.

    Raises:
        NoSuchSystem: there is none.
        InvalidArgument: there are several.
    """
    if name is None and reference is not None:
        place = read_address(reference)
        if place is not None and place.system is not None:
            name = place.system.partition("@")[0]
    if name is None:
        running = sorted(running_systems())
        if not running:
            raise NoSuchSystem(f"no system of this user is running (looked in {base_directory()})")
        if len(running) > 1:
            raise InvalidArgument(
                f"several systems are running: {', '.join(running)}", hint="say which one is meant with --system"
            )
        name = running[0]
    return Target(name, RunDir.find(name).path, timeout)


def resolve(target: Target, reference: str, *, ended: bool = False) -> str:
    """The address of the actor that is meant.

    Args:
        target: where it is.
        reference: its name or address, or an unambiguous part of one.
        ended: whether it may have ended.

    Raises:
        NoSuchActor: there is none.
        InvalidArgument: several fit.
    """
    place = read_address(reference)
    if place is not None:
        return reference  # whoever is asked about it says whether it is known
    found = target.ask("actor.find", reference=reference)
    candidates: list[dict[str, Any]] = list(found["found"])
    if not candidates and ended:
        candidates = found["ended"]
        exact = [item for item in candidates if item["name"] == reference]
        candidates = exact[:1] or candidates  # a name may be used again and again: the last holder is meant
    if not candidates:
        if found["ended"] and not ended:
            last = found["ended"][0]
            raise NoSuchActor(
                f"{label(last)} has ended {duration(last['ago'])} ago ({last['reason']})",
                hint=f"garrick actor why {reference}",
            )
        raise NoSuchActor(unknown(found))
    if len(candidates) > 1:
        raise InvalidArgument(_several(reference, found, candidates), hint="give the whole name or address")
    return str(candidates[0]["address"])


def _several(reference: str, found: Mapping[str, Any], candidates: list[dict[str, Any]]) -> str:
    lines = [f"{reference!r} fits {max(found['count'], len(candidates))} actors:"]
    lines += [f"  {label(item)}" for item in candidates[:10]]
    if len(candidates) > 10:
        lines.append("  ...")
    return "\n".join(lines)
