"""What an operator does to actors and dead letters of a process: stop, restart, tell, ask, show and replay a letter.

Owns doing it as a program in this process would. Code of users (making a message, its ``repr``, reading an answer) runs on a thread
of its own, which exists only meanwhile: never on the lane, which it could hold up, and never in the admin. Invariant: every request is
answered, unless its process ends before.
"""

from __future__ import annotations

import dataclasses
import importlib
import reprlib
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress
from garrick.errors import GarrickError, InvalidArgument, NoSuchActor, NoSuchDeadLetter
from garrick.observe.management import is_plain
from garrick.observe.references import read_address
from garrick.runtime import supervise
from garrick.runtime.ask import Slot
from garrick.runtime.cell import RESTARTING, RUNNING, STATES, SUSPENDED, Cell
from garrick.runtime.inspection import letter_row, type_text
from garrick.runtime.reports import describe
from garrick.runtime.signals import Stop, Verdict
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

LONGEST_TEXT = 2000
"""Characters of a message that are shown."""

Answer = Callable[[Any], None]
Params = Mapping[str, Any]


def act(runtime: Runtime, what: str, params: Params, answer: Answer) -> bool:
    """Do it, and answer now or later; False when there is no such action. Any thread."""
    if what in ON_LANE:
        # What runs on the lane stands in order with everything else there.
        runtime.post(lambda _: ON_LANE[what](runtime, params, answer), None)
    elif what in ASIDE:
        work = threading.Thread(
            target=_aside, args=(ASIDE[what], runtime, params, answer), name="operator", daemon=True
        )
        work.start()
    else:
        return False
    return True


def _aside(action: Callable[[Runtime, Params], Any], runtime: Runtime, params: Params, answer: Answer) -> None:
    try:
        answer(action(runtime, params))
    except BaseException as error:  # user code; whoever asked must hear of it in any case
        answer(refusal(error))


def refusal(error: BaseException) -> dict[str, Any]:
    """An error as an answer."""
    if isinstance(error, GarrickError):
        text = str(error.args[0]) if error.args else type(error).__name__
        return {"error": {"code": error.code, "message": text, "hint": error.hint}}
    return {"error": {"code": InvalidArgument.code, "message": describe(error), "hint": None}}


def _living(runtime: Runtime, params: Params) -> Cell:
    serial = int(params["serial"])
    cell = runtime.cells.get(serial)
    if cell is None:
        reason = runtime.tombstones.get(serial)
        raise NoSuchActor(
            f"{params['address']} has ended: {reason}" if reason else f"{params['address']} is unknown to its process"
        )
    return cell


# --- on the lane ---------------------------------------------------------------------------------------------------------


def _stop(runtime: Runtime, params: Params, answer: Answer) -> bool:
    try:
        cell = _living(runtime, params)
    except NoSuchActor as error:
        answer(refusal(error))
        return False
    slot = Slot(runtime, cell.address, 0.0, None)
    slot.on_done(lambda: answer({"ended": True}))
    runtime.route(cell.address, Stop(notify=slot.address, drain=not params.get("at_once", False)), None, SIGNAL)
    return False


def _restart(runtime: Runtime, params: Params, answer: Answer) -> bool:
    try:
        cell = _living(runtime, params)
        if cell.state not in (RUNNING, RESTARTING, SUSPENDED):
            raise InvalidArgument(
                f"{params['address']} can't be restarted: it "
                + ("waits for a place" if cell in runtime.relocations.waiting else f"is {STATES[cell.state]}"),
                hint=f"garrick actor why {params['address']}",
            )
    except GarrickError as error:
        answer(refusal(error))
        return False
    answer({"restarted": True, "after_message": cell.state == RUNNING and cell.busy})
    if cell.state == RESTARTING:
        return supervise.again(runtime, cell)  # not the end of the back-off, but now
    if cell.state == SUSPENDED:
        return supervise.verdict(runtime, cell, Verdict(restart=True))
    if cell.busy:
        cell.queue.appendleft((runtime.control, _renew, cell))
        return False
    return _renew(cell)


def _renew(cell: Cell) -> bool:
    if cell.state != RUNNING:
        return False
    return supervise.renew(cell.runtime, cell, GarrickError("an operator wants it"))


# --- aside ---------------------------------------------------------------------------------------------------------------


def _tell(runtime: Runtime, params: Params) -> Any:
    cell = _living(runtime, params)
    message = build(params)
    runtime.route(cell.address, message, None)
    return {"sent": type_text(message)}


def _ask(runtime: Runtime, params: Params) -> Any:
    cell = _living(runtime, params)
    value = runtime.ask(cell.address, build(params), float(params.get("timeout", 5.0))).result()
    return {"type": type_text(value), "answer": presentable(value)}


def _letter(runtime: Runtime, params: Params) -> Any:
    kept = _kept(runtime, params)
    return {**letter_row(runtime, kept), "text": text_of(kept.letter.message)}


def _replay(runtime: Runtime, params: Params) -> Any:
    kept = _kept(runtime, params)
    letter = kept.letter
    target = letter.target
    if params.get("to") is not None:
        place = read_address(str(params["to"]))
        if place is None:
            raise InvalidArgument(f"{params['to']!r} is no address", hint="garrick actor ls lists addresses")
        target = Address(place.system or runtime.system, place.process, place.serial)
    if isinstance(target, ReplyAddress):
        raise InvalidArgument(
            f"letter {params['letter']} is an answer to an ask that has ended", hint="send it to an actor with --to"
        )
    sender = None if isinstance(letter.sender, ReplyAddress) else letter.sender
    runtime.route(target, letter.message, sender)
    kept.replayed += 1
    return {"letter": params["letter"], "message": type_text(letter.message), "target": str(target)}


def _kept(runtime: Runtime, params: Params) -> Any:
    kept = runtime.history.find_letter(int(params["number"]))
    if kept is None:
        raise NoSuchDeadLetter(f"there is no dead letter {params['letter']} (any more)")
    return kept


# --- data and messages -----------------------------------------------------------------------------------------------------


def build(params: Params) -> Any:
    """The message that is to be sent: plain data as it is, or an instance of a class made of it.

    Raises:
        InvalidArgument: there is no such class, or it can't be made of this.
    """
    message, name = params.get("message"), params.get("type")
    if name is None:
        return message
    cls = find_class(str(name))
    try:
        if isinstance(message, dict):
            return cls(**message)
        return cls() if message is None else cls(*message) if isinstance(message, list) else cls(message)
    except Exception as error:
        raise InvalidArgument(
            f"no {name} can be made of {message!r}: {describe(error)}",
            hint="an object gives its fields by name, a list by position",
        ) from error


def find_class(name: str) -> Any:
    """A class by ``package.module.Class``; ``__main__`` is the program that started the system.

    Raises:
        InvalidArgument: there is none.
    """
    module, _, rest = name.rpartition(".")
    found: Any = None
    if module == "__main__":
        # The program's main file has a private name in other processes (garrick.node.mainmodule).
        mains = [m for m in list(sys.modules.values()) if getattr(m, "__name__", "").startswith("__garrick_main_")]
        found = next((getattr(m, rest) for m in (*mains, sys.modules["__main__"]) if hasattr(m, rest)), None)
    elif module:
        try:
            found = getattr(importlib.import_module(module), rest, None)
        except ImportError as error:
            raise InvalidArgument(
                f"the process of the actor can't import {module!r}: {error}", hint="give package.module.Class"
            ) from error
    if not isinstance(found, type):
        raise InvalidArgument(f"there is no class {name!r}", hint="give package.module.Class")
    return found


def presentable(value: Any) -> Any:
    """An answer as JSON: plain data as it is, the fields of a dataclass, else its text; its text also if it has no end."""
    try:
        return _presentable(value)
    except RecursionError:
        return text_of(value)


def _presentable(value: Any) -> Any:
    if is_plain(value):
        return value
    if isinstance(value, (tuple, set, frozenset)):
        return [_presentable(item) for item in value]
    if isinstance(value, list):
        return [_presentable(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _presentable(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _presentable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value) if isinstance(value, Address) else text_of(value)


def text_of(value: Any) -> str:
    """The text of a message, cut where it gets long."""
    short = reprlib.Repr()
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = short.maxdeque = 20
    short.maxstring = short.maxother = short.maxlong = LONGEST_TEXT // 2
    try:
        text = short.repr(value)
    except BaseException as error:  # user code
        return f"<{type_text(value)} whose text can't be had: {describe(error)}>"
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


ON_LANE: Mapping[str, Callable[[Runtime, Params, Answer], bool]] = {"stop": _stop, "restart": _restart}
"""Without user code of their own."""
ASIDE: Mapping[str, Callable[[Runtime, Params], Any]] = {
    "tell": _tell,
    "ask": _ask,
    "letter": _letter,
    "replay": _replay,
}
"""With user code: on a thread of their own."""
