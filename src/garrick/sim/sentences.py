"""What a run did otherwise than the simplest one, in words.

Owns the words for each kind of choice. Must not know more of a choice than its label and value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from garrick.sim.choices import Key, Label
from garrick.sim.order import PICK

SHOWN: Final = 12
"""Deviations that are told one by one."""


def sentence(made: Mapping[Label, int], names: Mapping[str, str] | None = None) -> str:
    """One sentence about a run.

    Args:
        made: all choices that are not 0.
        names: the classes of actors, by their names in the order of events.
    """
    if not made:
        return "order of arrival and no faults"
    told = [describe(label, value, names or {}) for label, value in list(made.items())[:SHOWN]]
    rest = len(made) - len(told)
    if rest:
        told.append(f"and {rest} more")
    return "order of arrival and no faults, except: " + "; ".join(told)


def describe(label: Label, value: int, names: Mapping[str, str]) -> str:
    """One choice."""
    kind, key = label
    words = _WORDS.get(kind)
    if words is not None and len(key) == words[0]:
        return words[1](key, value, names)
    where = ", ".join(map(str, key))
    area, dot, what = kind.partition(".")
    return f"{area}: {what} ({where}) = {value}" if dot else f"{kind} ({where}) = {value}"


def _pick(key: Key, value: int, names: Mapping[str, str]) -> str:
    sender, receiver, number = key
    others = "another event" if value == 1 else f"{value} other events"
    if not receiver:
        what = f"{sender} {number}"
    elif number == 0:
        what = f"the creation of {_name(receiver, names)}"
    else:
        what = f"event {number} of {_name(sender, names)} → {_name(receiver, names)}"
    return f"{what} came behind {others}"


def _name(key: str | int, names: Mapping[str, str]) -> str:
    cls = names.get(str(key))
    return str(key) if cls is None else f"{cls} {key}"


def _frame(what: str) -> Callable[[Key, int, Mapping[str, str]], str]:
    def told(key: Key, value: int, _names: Mapping[str, str]) -> str:
        source, target, number = key
        return f"frame {number} of {source} → {target} {what.format(time=_time(value), value=value)}"

    return told


def _buggify(key: Key, _value: int, _names: Mapping[str, str]) -> str:
    return f"buggify({key[0]!r}) fired at its pass {key[1]}"


def _active(key: Key, _value: int, _names: Mapping[str, str]) -> str:
    return f"buggify({key[0]!r}) was active"


def _silent(key: Key, _value: int, _names: Mapping[str, str]) -> str:
    return f"crash {key[1]} of {key[0]} was noticed by nothing but silence"


def _script(what: str) -> _Words:
    def told(key: Key, _value: int, _names: Mapping[str, str]) -> str:
        return f"the scenario's {what}".format(whom=key[0], number=key[1])

    return told


def _back(key: Key, value: int, _names: Mapping[str, str]) -> str:
    return f"{key[0]} took {_time(value)} longer to be back at the engine"


def _time(ns: int) -> str:
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


_Words = Callable[[Key, int, Mapping[str, str]], str]
_WORDS: Final[dict[str, tuple[int, _Words]]] = {
    PICK: (3, _pick),
    "net.drop": (3, _frame("was lost")),
    "net.duplicate": (3, _frame("came twice")),
    "net.corrupt": (3, _frame("was damaged")),
    "net.cut off": (3, _frame("lacked {value} bytes")),
    "net.latency": (3, _frame("took {time} longer")),
    "net.delay": (3, _frame("was delayed")),
    "net.delay by": (3, _frame("was delayed by {time} more")),
    "net.reorder": (3, _frame("could be overtaken")),
    "net.overtaken for": (3, _frame("could be overtaken for {time}")),
    "net.in flight": (3, _frame("was lost in the cut")),
    "net.reconnect": (2, _back),
    "buggify": (2, _buggify),
    "buggify.active": (1, _active),
    "crash.silent": (2, _silent),
    "script.crash": (2, _script("crash {number} of {whom}")),
    "script.pause": (2, _script("pause {number} of {whom}")),
    "script.slow": (2, _script("slowness {number} of {whom}")),
    "script.clock": (2, _script("setting {number} of the clock of {whom}")),
    "script.drift": (2, _script("drift {number} of the clocks of {whom}")),
    "script.full mailbox": (2, _script("full mailboxes {number} of {whom}")),
    "script.spawn failure": (2, _script("failing spawns {number} of {whom}")),
    "script.partition": (2, _script("partition {number}")),
    "script.cut off": (2, _script("cut {number} of a system from the engine")),
    "script.killed process": (2, _script("killed process {number} of {whom}")),
    "script.pause of a process": (2, _script("pause {number} of a process of {whom}")),
    "script.slow process": (2, _script("slowness {number} of a process of {whom}")),
    "script.slow sockets": (2, _script("slowness {number} of the sockets of {whom}")),
    "script.hold": (2, _script("hold {number} of {whom}")),
    "script.slowness": (2, _script("slowness {number} of {whom}")),
    "script.full disk": (2, _script("full disk {number} of {whom}")),
    "script.lost disk": (2, _script("loss {number} of the disk of {whom}")),
    "script.directory": (2, _script("loss of the directory in outage {number} of the engine")),
    "script.engine": (2, _script("outage {number} of the engine")),
}
