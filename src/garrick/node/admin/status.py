"""The status of a system as plain data, for ``garrick status`` and for programs.

Owns the shape of the answer. Must not ask anybody: it is given what the processes answered. Everything in it is text, numbers,
lists and dicts, except capability values, which are whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrick.node.admin.core import Core
from garrick.node.admin.processes import Process, State


def status_of(core: Core, answers: Mapping[int, Any], now: float) -> dict[str, Any]:
    """What is known about the system, with what its processes answered merged in."""
    actors: list[Any] = []
    processes: list[dict[str, Any]] = []
    for process in core.processes.in_state(State.WAITING, State.STARTING, State.UP):
        answer = answers.get(process.number)
        facts = dict(answer) if isinstance(answer, Mapping) else {}
        for told_elsewhere in ("dead_letters", "dead_letter_list", "process"):
            facts.pop(told_elsewhere, None)
        actors += [{"process": process.number, **actor} for actor in facts.pop("actor_list", ())]
        processes.append(_process(process, answer is not None, facts, now))
    return {
        "system": core.system,
        "uptime": now - core.began,
        "state": "ending" if core.ending is not None else "draining" if core.draining else "running",
        "capabilities": dict(core.capabilities),
        "processes": processes,
        "lost_processes": [
            {"number": p.number, "role": p.role, "reason": p.reason, "detail": p.detail, "ago": now - p.since}
            for p in core.processes.in_state(State.GONE)
            if p.reason == "worker lost"
        ],
        "actors": actors,
        "tombstones": [
            {
                "address": str(t.address),
                "name": t.name,
                "reason": t.reason,
                "detail": t.detail,
                "ago": now - t.at,
            }
            for t in core.top.tombstones
        ],
        "names": {name: str(address) for name, address in core.names.items().items()},
        "systems": [
            {
                "system": info.system,
                "capabilities": dict(info.capabilities),
                "processes": [p.number for p in info.processes],
                "load": sum(p.load for p in info.processes),
            }
            for info in core.members.systems.values()
        ],
        "lost_systems": [{**gone, "ago": now - gone["at"]} for gone in core.members.gone],
        "dead_letters": core.letters.status(),
    }


def _process(process: Process, answered: bool, facts: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        "number": process.number,
        "role": process.role,
        "state": process.state.value,
        "seconds": now - process.since,
        "suspect": None if process.suspect is None else now - process.suspect,
        "pid": process.pid,
        "owner": process.owner,
        "actors": process.load,
        "answered": answered,
        **facts,
    }
