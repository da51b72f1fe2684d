"""Golden conversations: scripts of what happens to a system, and everything that its admin then wants done.

`golden/*.txt` hold commands, each followed by `----` and the effects that are expected. To rewrite them after an intended change:
`GARRICK_REWRITE_GOLDEN=1 pytest tests/unit/node/test_admin_golden.py`; read the difference before it is committed.

Commands: `at SECONDS` sets the time, `start N`, `client [owner]`, `joins N ROLE [owner]`, `dies N DETAIL`, `leaves N` (expected),
`tick`, `system NAME joins|changes|leaves|is lost [key=value ...]`, `N says SIGNAL ...` (a process), `NAME says SIGNAL ...` (another
system), `N answers SERIAL VALUE`, `status`, `shutdown GRACE`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from garrick.address import COUNTER_BITS, Address, ReplyAddress, control
from garrick.messages import ChildExited
from garrick.node.admin import (
    AdminMachine,
    Announce,
    Answer,
    Deliver,
    Effect,
    EndSystem,
    KillProcess,
    Report,
    Send,
    StartProcess,
)
from garrick.runtime import signals
from garrick.runtime.signals import ProcessInfo, SystemInfo
from garrick.wire.envelope import FAILURE, MESSAGE, REPLY, SIGNAL

FOLDER = Path(__file__).parent / "golden"
REWRITE = os.environ.get("GARRICK_REWRITE_GOLDEN") == "1"
SYSTEM = "a@00000000aa"
KINDS = {MESSAGE: "message", SIGNAL: "", REPLY: "reply", FAILURE: "failure"}


def short(address: Address[Any] | None) -> str:
    if address is None:
        return "-"
    where = "" if address.system == SYSTEM else address.system.partition("@")[0] + "/"
    if isinstance(address, ReplyAddress):
        return f"{where}ask {address.process}.{address.serial & ((1 << COUNTER_BITS) - 1)}"
    if address.serial == 0:
        return f"{where}admin" if address.process == 0 else f"{where}{address.process}"
    return f"{where}actor {address.process}.{address.serial & ((1 << COUNTER_BITS) - 1)}"


def system_text(info: SystemInfo) -> str:
    capabilities = " ".join(f"{k}={v}" for k, v in info.capabilities.items())
    processes = ",".join(f"{p.number}" + (f"({p.load})" if p.load else "") for p in info.processes)
    return f"{info.name}[{processes}]" + (f" {capabilities}" if capabilities else "")


def text(message: Any) -> str:
    match message:
        case signals.View(systems):
            return "View " + "; ".join(system_text(info) for info in systems.values())
        case signals.ViewChange(changed, gone):
            news = [system_text(info) for info in changed.values()] + [f"not {s.partition('@')[0]}" for s in gone]
            return "ViewChange " + "; ".join(news)
        case signals.ProcessLost(processes, reason, detail, moved):
            lost = f"ProcessLost {','.join(map(str, processes))} {reason}" + (f": {detail}" if detail else "")
            return lost + "".join(
                f"; {short(a)} {f'is in {place}' if place else 'ended'}" for a, place in moved.items()
            )
        case signals.SystemLost(system, reason, detail):
            return f"SystemLost {system.partition('@')[0]} {reason}: {detail}"
        case signals.NameAnswer(name, address, holder):
            return f"NameAnswer {name} for {short(address)}: held by {short(holder)}"
        case signals.SubscribeDeadLetters(subscriber, active):
            return f"SubscribeDeadLetters {short(subscriber)} {active}"
        case signals.Shutdown(grace):
            return f"Shutdown {grace:g}"
        case Address():
            return short(message)
        case BaseException():
            return str(message).replace("@00000000aa", "")
        case dict():
            keys = (
                "state",
                "processes",
                "lost_processes",
                "actors",
                "names",
                "systems",
                "lost_systems",
                "dead_letters",
            )
            return "status\n" + "\n".join(f"      {key}: {message[key]}" for key in keys)
    return repr(message).removesuffix("()")


def effect_text(effect: Effect) -> str:
    match effect:
        case Send(target, message, kind, sender):
            by = "" if sender is None or sender == control(SYSTEM, 0) else f" from {short(sender)}"
            return f"to {short(target)}: {KINDS[kind]} {text(message)}{by}".replace(":  ", ": ")
        case Deliver(number, envelope):
            return f"deliver to {number}: {envelope.decode()}"
        case StartProcess(number, role, address):
            return f"start {role} {number}" + (f" for {short(address)}" if address else "")
        case KillProcess(number, reason):
            return f"kill {number}: {reason}"
        case Announce(info):
            return f"announce {system_text(info)}"
        case Answer(token, value):
            return f"answer {token}: {text(value)}"
        case Report(level, said):
            return f"{level}: {said.replace('@00000000aa', '')}"
        case EndSystem(reason, abandoned):
            return f"end of the system: {reason}" + (f"; abandoned {', '.join(abandoned)}" if abandoned else "")
    raise AssertionError(effect)


class Script:
    """Runs the commands of one conversation."""

    def __init__(self) -> None:
        self.now = 0.0
        self.machine = AdminMachine(SYSTEM, capabilities={"db": True})

    def run(self, line: str) -> list[str]:
        effects = self.do(line.split())
        deadline = self.machine.deadline
        return [effect_text(e) for e in effects] + ([f"(tick due at {deadline:.2f})"] if deadline is not None else [])

    def do(self, words: list[str]) -> list[Effect]:
        machine, now = self.machine, self.now
        match words:
            case ["at", seconds]:
                self.now = float(seconds)
                return []
            case ["pulse"]:
                self.machine = AdminMachine(SYSTEM, capabilities={"db": True}, now=now, pulse=True)
                return []
            case ["start", count]:
                return machine.start(int(count), now)
            case ["client", *owner]:
                number = machine.allot("client", now)
                return machine.process_joined(number, "client", now, pid=100 + number, owner=bool(owner))
            case ["joins", number, role, *owner]:
                return machine.process_joined(int(number), role, now, pid=100 + int(number), owner=bool(owner))
            case ["dies", number, *detail]:
                return machine.process_died(int(number), " ".join(detail), now)
            case ["leaves", number]:
                return machine.process_died(int(number), "closed", now, expected=True)
            case ["tick"]:
                return machine.tick(now)
            case ["status"]:
                return machine.status_wanted("somebody", now)
            case ["shutdown", grace]:
                return machine.shutdown(float(grace), now)
            case ["load", number, actors]:
                sender = control(machine.core.system, int(number))
                return machine.handle(signals.Load(int(actors)), sender, now)
            case ["system", name, "joins" | "changes" as verb, *rest]:
                capabilities = dict(word.split("=") for word in rest)
                info = SystemInfo(f"{name}@00000000bb", capabilities, (ProcessInfo(1),))
                return (machine.system_joined if verb == "joins" else machine.system_changed)(info, now)
            case ["system", name, "leaves"]:
                return machine.system_left(f"{name}@00000000bb", now)
            case ["system", name, "is", "lost"]:
                return machine.system_lost(f"{name}@00000000bb", "killed", now)
            case [number, "answers", serial, value]:
                target = ReplyAddress(SYSTEM, 0, int(serial))
                return machine.handle(eval(value), control(SYSTEM, int(number)), now, target=target)
            case [who, "says", name, *arguments]:
                return self.say(who, name, arguments)
        raise AssertionError(f"no command: {words}")

    def say(self, who: str, name: str, arguments: list[str]) -> list[Effect]:
        system, process = (SYSTEM, int(who)) if who.isdigit() else (f"{who}@00000000bb", 0)
        sender: Address[Any] = control(system, process)

        def actor(number: str) -> Address[Any]:
            return Address(system, process, process << COUNTER_BITS | int(number))

        def full(text: str) -> Address[Any]:
            hosting, number = text.split(".")
            return Address(SYSTEM, int(hosting), int(number))

        asks = {"NumbersWanted", "Lookup", "StatusWanted", "Shutdown"}
        if name in asks:
            sender = ReplyAddress(system, process, process << COUNTER_BITS | 77)
        make: dict[str, Callable[..., Any]] = {
            "NameClaim": lambda n, a: signals.NameClaim(n, actor(a)),
            "NameReleased": lambda n, a: signals.NameReleased(n, actor(a)),
            "Lookup": signals.Lookup,
            "NumbersWanted": signals.NumbersWanted,
            "StartProcess": lambda n: signals.StartProcess(
                int(n), Address(SYSTEM, int(n), process << COUNTER_BITS | 9)
            ),
            "DeadLetterNote": lambda reason, n: signals.DeadLetterNote(
                int(n), {reason: int(n)}, [f"a letter: {reason}"]
            ),
            "SubscribeDeadLetters": lambda a, *off: signals.SubscribeDeadLetters(actor(a), not off),
            "SetCapability": lambda k, v="": signals.SetCapability(k, v or None),
            "StatusWanted": signals.StatusWanted,
            "Shutdown": lambda grace: signals.Shutdown(float(grace)),
            "Started": lambda a: signals.Started(actor(a)),
            "ChildExited": lambda a, reason: signals.Told(ChildExited(actor(a), reason, "a detail")),
            "ProcessLost": lambda n: signals.ProcessLost((int(n),)),
            "Keep": lambda a, how, *parent: signals.Keep(
                full(a),
                full(parent[0]) if parent else control(SYSTEM, 0),
                how == "dedicated",
                2,
                60.0,
                f"the spawn of {a}".encode(),
            ),
            "KeptName": lambda n, a: signals.NameClaim(n, full(a)),
            "Forget": lambda a: signals.Forget(full(a)),
            "Pong": signals.Pong,
            "Farewell": signals.Farewell,
            "Nonsense": lambda: "nonsense",
        }
        return self.machine.handle(make[name](*arguments), sender, self.now)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda p: p.stem)
def test_conversation(path: Path) -> None:
    script = Script()
    said: list[str] = []
    commands: list[str] = []
    old = path.read_text()
    answer = False
    for line in old.splitlines():
        if line == "----":
            answer = True
        elif not line:
            answer = False
            commands = []
        elif not answer and line.startswith("#"):
            said.append(line)
        elif not answer:
            commands.append(line)
            said += [*([""] if said and not said[-1].startswith("#") else []), line, "----"]
            said += [f"  {effect}" for effect in script.run(line)]
    new = "\n".join(said) + "\n"
    if REWRITE:
        path.write_text(new)
    assert old == new
