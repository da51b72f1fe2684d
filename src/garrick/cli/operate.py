"""``garrick actor stop|restart|tell|ask``: does something to actors of a running system.

Owns what is asked for and what is said about it; functions without a framework, which return the exit code. Each use is in the audit
log of the system (logger ``garrick.audit``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from garrick.cli import OK, REFUSED, TIMED_OUT
from garrick.cli.render import note, say, say_json
from garrick.cli.target import Target, choose, resolve
from garrick.errors import InvalidArgument
from garrick.observe.why import duration, short


def stop(
    references: Sequence[str], system: str | None, *, at_once: bool, yes: bool, output: str, timeout: float
) -> int:
    """End actors, after what was sent to them before or after the message that they handle now."""
    target, addresses = _all(references, system, 5.0)
    if not _confirmed("stop", addresses, yes):
        return REFUSED
    done = []
    for address in addresses:
        answer = target.ask("actor.stop", patience=timeout, address=address, at_once=at_once, timeout=timeout)
        done.append({"address": address, "ended": answer["ended"]})
        if output == "table":
            if answer["ended"]:
                say(f"{short_of(address)} has ended")
            else:
                note(
                    f"{short_of(address)} has not ended within {duration(timeout)}; it will, after what it does now\n"
                    f"hint: garrick actor why {short_of(address)}"
                )
    if output == "json":
        say_json({"system": target.name, "actors": done})
    return OK if all(item["ended"] for item in done) else TIMED_OUT


def restart(references: Sequence[str], system: str | None, *, yes: bool, output: str, timeout: float) -> int:
    """Give actors a new instance."""
    target, addresses = _all(references, system, timeout)
    if not _confirmed("restart", addresses, yes):
        return REFUSED
    done = []
    for address in addresses:
        answer = target.ask("actor.restart", address=address)
        done.append({"address": address, **answer})
        if output == "table":
            later = " after the message that it handles now" if answer["after_message"] else ""
            say(f"{short_of(address)} restarts{later}")
    if output == "json":
        say_json({"system": target.name, "actors": done})
    return OK


def tell(reference: str, message: str, system: str | None, *, of_type: str | None, output: str, timeout: float) -> int:
    """Send a message to an actor."""
    content = read_message(message)
    target = choose(system, timeout, reference=reference)
    address = resolve(target, reference)
    answer = target.ask("actor.tell", address=address, message=content, type=of_type)
    if output == "json":
        say_json({"system": target.name, "address": address, **_without(answer)})
    else:
        say(f"a {answer['sent']} was sent to {short_of(address)}")
    return OK


def ask(reference: str, message: str, system: str | None, *, of_type: str | None, output: str, timeout: float) -> int:
    """Send a message to an actor and print its answer."""
    content = read_message(message)
    target = choose(system, 5.0, reference=reference)
    address = resolve(target, reference)
    answer = target.ask("actor.ask", patience=timeout, address=address, message=content, type=of_type, timeout=timeout)
    if output == "json":
        say_json({"system": target.name, "address": address, **_without(answer)})
    else:
        value = answer["answer"]
        say(value if isinstance(value, str) else json.dumps(value, indent=2))
    return OK


def read_message(text: str) -> Any:
    """A message as it is written on the command line: JSON.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise InvalidArgument("the message is nested too deeply", hint="send it from a program") from None
    except ValueError as error:
        raise InvalidArgument(
            f"{text!r} is no JSON: {error}", hint=f"a text needs quotes of its own: '{json.dumps(text)}'"
        ) from None


def short_of(address: str) -> str:
    """An address without its system; one that was given so stays as it is."""
    return short(address) if "@" in address else address


def _all(references: Sequence[str], system: str | None, timeout: float) -> tuple[Target, list[str]]:
    if not references:
        raise InvalidArgument("no actor is given", hint="give names or addresses; garrick actor ls lists them")
    target = choose(system, timeout, reference=references[0])
    return target, list(dict.fromkeys(resolve(target, reference) for reference in references))


def _confirmed(what: str, addresses: Sequence[str], yes: bool) -> bool:
    if yes or len(addresses) == 1:
        return True
    note(
        f"this would {what} {len(addresses)} actors: {', '.join(map(short_of, addresses))}",
        "hint: repeat it with --yes",
    )
    return False


def _without(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "unanswered"}
