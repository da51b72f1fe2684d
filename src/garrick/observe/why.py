"""Why an actor is dead, silent or waiting: one paragraph made of facts.

Owns the words. Pure: it is given what ``actor.show`` and ``actor.find`` answered, and asks nobody. Every sentence states what is known;
what is not known is not guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]
LIVING = ("pending", "starting", "running", "busy", "waiting", "restarting", "suspended", "stopping")
"""States of living actors; pending: it waits for a place."""


def explain(facts: Facts, chain: Sequence[Facts] = ()) -> str:
    """Why the actor is as it is.

    Args:
        facts: the answer of ``actor.show``.
        chain: the same of the actor that it waits for, of the one that that one waits for, and so on.
    """
    sentences = [*_life(facts), *_host(facts)]
    if facts["state"] not in ("ended", "unknown"):
        sentences += [*_work(facts), *_waits(facts, chain), *_mailbox(facts)]
    sentences += _failures(facts)
    return " ".join(sentences)


def unknown(found: Facts) -> str:
    """Why nothing can be said: what was searched, and what may have been meant."""
    text = f"No actor is known by {found['reference']!r}: no living actor and none of the last ended ones has such a name or address"
    text += f" ({found['searched']} processes were asked)."
    if found["unanswered"]:
        text += f" Process {_list(found['unanswered'])} did not answer."
    if found["close"]:
        text += f" Close names: {', '.join(found['close'])}."
    return text


def label(facts: Facts) -> str:
    """An actor as a person reads it."""
    kind = (facts.get("class") or "actor").rpartition(".")[2]
    name = facts.get("name")
    return f"{kind} {name!r} ({short(facts['address'])})" if name else f"{kind} {short(facts['address'])}"


def short(address: str) -> str:
    """An address without its system."""
    return address.partition("/")[2] or address


def relative(address: str, other: str) -> str:
    """An address as it is seen from another one: without its system, if that is the same."""
    return short(address) if address.partition("/")[0] == other.partition("/")[0] else address


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 3 s, 4 min, 2 h 10 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"


_ENDS = {
    "stopped": "it was stopped, or stopped itself",
    "failed": "it failed",
    "refused": "it was refused: it could not be placed, or its name was taken",
    "worker lost": "its process was lost",
    "system lost": "its system was lost",
    "capability lost": "its system lost a capability that it requires",
    "system left": "its system ended, and it was made again elsewhere",
    "moved": "it got its place elsewhere, under another address",
    "parent lost": "its parent was lost",
    "source retired": "the source of its class was retired",
}


def _life(facts: Facts) -> list[str]:
    who, state = label(facts), facts["state"]
    if state == "ended":
        reason = facts.get("reason", "unknown")
        ago = f" {duration(facts['ago'])} ago" if "ago" in facts else ", longer ago than details are kept"
        detail = f": {facts['detail']}" if facts.get("detail") else ""
        return [f"{who} ended{ago} ({reason}): {_ENDS.get(reason, 'that is all that is known')}{detail}."]
    if state == "unknown":
        host = facts.get("host")
        if host is None:
            return [f"{who} is unknown: this system has never had a process {facts['process']}."]
        if host.get("suspect") is not None or (not host["answered"] and host["state"] == "up"):
            return [f"Nothing can be said of {who}: its process does not answer."]
        return [f"{who} is unknown to its process: it was never made, or ended longer ago than is remembered."]
    if facts.get("again"):
        return [f"{who} was lost with its process and is to be made again in process {facts['process']}."]
    words = {
        "pending": "has not started: it waits for a place",
        "starting": "has not started yet: its constructor or started() has not ended",
        "running": "is alive and idle" if not facts.get("mailbox") else "is alive",
        "busy": "is alive; a handler of it is running",
        "waiting": "is alive and waits for an answer",
        "restarting": "failed and is to be restarted",
        "stopping": "is stopping",
        "suspended": "has failed and waits for the decision of its parent or its group",
    }
    sentence = f"{who} {words.get(state, f'is {state}')}"
    if state == "pending" and facts.get("pending"):
        sentence += f": {facts['pending']}"
    if state == "starting" and not facts.get("doing") and facts.get("name"):
        sentence = f"{who} has not started yet: it waits until its name is granted, or for its turn"
    if state == "stopping" and facts.get("children", {}).get("count"):
        children = facts["children"]
        named = ", ".join(short(child["address"]) for child in children["first"][:3])
        sentence += f": it waits for {children['count']} of its children to end ({named})"
    restarts = facts.get("restarts")
    if state == "restarting" and restarts is not None:
        sentence += f": {len(restarts['recent'])} restarts lately"
        if restarts["in_backoff"]:
            until = restarts.get("until_in")
            sentence += ", and it is in its back-off now" + (f" for {duration(max(until, 0.0))} more" if until else "")
    return [sentence + "."]


def _host(facts: Facts) -> list[str]:
    host = facts.get("host")
    if host is None:
        return []
    where = f"process {host['number']}"
    if host["state"] == "gone":
        if facts["state"] == "ended" and facts.get("reason") != host["reason"]:
            return []
        if facts.get("detail") == host["detail"] and facts.get("reason") == host["reason"]:
            return []  # it has been said
        detail = f": {host['detail']}" if host["detail"] else ""
        return [f"Its {where} ended {duration(host['seconds'])} ago ({host['reason']}){detail}."]
    if host.get("suspect") is not None:
        silent = duration(host["suspect"])
        return [
            f"Its {where} is suspect: it has not answered for {silent}; its interpreter is blocked, or it is stopped."
        ]
    if host["state"] == "up" and not host["answered"]:
        return [f"Its {where} (pid {host['pid']}) does not answer: its interpreter is blocked, or it is stopped."]
    return [f"Its {where} is {host['state']}."] if host["state"] != "up" else []


def _work(facts: Facts) -> list[str]:
    doing = facts.get("doing")
    if doing is None:
        return []
    what = f"It handles a {doing['message']}" if doing.get("message") else "Its code runs"
    since = f" for {duration(doing['seconds'])}" if doing.get("seconds") is not None else ""
    where = _innermost(doing.get("stack") or "")
    return [f"{what}{since} on {_thread(doing['thread'])}{f', now at {where}' if where else ''}."]


def _thread(name: str) -> str:
    return name if name == "event loop" else f"thread {name}"


def _innermost(stack: str) -> str:
    lines = [line.strip().removeprefix("File ") for line in stack.splitlines() if line.strip().startswith("File ")]
    # What the user wrote says more than where the standard library waits.
    own = [line for line in lines if "/lib/python" not in line and not line.startswith('"<')]
    return (own or lines)[-1] if lines else ""


def _waits(facts: Facts, chain: Sequence[Facts]) -> list[str]:
    waits = facts.get("waits") or ()
    if not waits:
        return []
    first = waits[-1]
    waited, left = duration(first["seconds"]), duration(max(first["gives_up_in"], 0.0))
    whom = relative(first["target"], facts["address"])
    sentences = [f"It has waited {waited} for an answer of {whom} and gives up in {left}."]
    if len(waits) > 1:
        sentences.append(f"It waits for {len(waits)} answers in all.")
    for link in chain:
        inner = [*_life(link), *_host(link)]
        if link["state"] not in ("ended", "unknown"):
            inner += _work(link)
            if link.get("waits"):
                inner.append(f"It waits for {relative(link['waits'][-1]['target'], link['address'])} in turn.")
            inner += _mailbox(link)
        sentences += inner
    return sentences


def _mailbox(facts: Facts) -> list[str]:
    count, stashed = facts.get("mailbox") or 0, facts.get("stashed") or 0
    aside = [f"It has put {stashed} more aside (stash)."] if stashed else []
    if not count:
        return aside
    bound = facts.get("mailbox_bound")
    if bound and count >= bound:
        aside.insert(0, f"It is full: {bound} are its bound.")
    types = ", ".join(f"{number} {name}" for name, number in list(facts.get("mailbox_types", {}).items())[:3])
    wait = "message waits" if count == 1 else "messages wait"
    return [f"{count} {wait} in its mailbox ({types})." if types else f"{count} {wait} in its mailbox.", *aside]


def _failures(facts: Facts) -> list[str]:
    failures = facts.get("failures") or ()
    if not failures:
        return []
    last = failures[-1]
    if facts.get("detail") == last["error"]:
        return []  # it has been said
    return [f"Its last failure was {duration(last['ago'])} ago, on {last['message']}: {last['error']}"]


def _list(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items))
