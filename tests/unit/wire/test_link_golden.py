"""Golden conversations: scripts with everything that the two links then say, byte counts and times included.

`golden/*.txt` hold commands, each followed by `----` and the output that is expected. To rewrite them after an intended change:
`GARRICK_REWRITE_GOLDEN=1 pytest tests/unit/wire/test_link_golden.py`; read the difference before it is committed.

    send SIDE COUNT [SIZE]     poll SIDE            frames go onto the wire
    deliver SIDE [COUNT]       drop SIDE [COUNT]    the oldest frames that SIDE sent
    ghost SIDE COUNT           the last frames of SIDE that arrived come once more
    wait SECONDS               time passes, without anybody looking
    run SECONDS                a perfect network, driven by the links' own deadlines
    hang SIDE SECONDS          the same, while SIDE neither reads nor writes
    reset SIDE                 restart SIDE         rejoin SIDE       close SIDE       show SIDE
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from garrick.wire import link as links
from garrick.wire.frame import describe

from .network import Network, number_of, other

FOLDER = Path(__file__).parent / "golden"
SCRIPTS = sorted(FOLDER.glob("*.txt"))
REWRITE = os.environ.get("GARRICK_REWRITE_GOLDEN") == "1"


class Stage:
    """Runs the commands of one script and writes down what happens."""

    def __init__(self) -> None:
        self.network = Network(now=0.0)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(f"{self.network.now:7.3f} {text}")

    def tell(self, name: str, events: list[links.Event]) -> None:
        for event in events:
            match event:
                case links.Delivered(envelopes):
                    text = f"Delivered {numbers(list(map(number_of, envelopes)))}"
                case links.Met(system, session):
                    text = f"Met {system} session {session}"
                case links.PeerRestarted(system, session, undelivered):
                    text = (
                        f"PeerRestarted {system} session {session}, back: {numbers(list(map(number_of, undelivered)))}"
                    )
                case links.PeerLeft(undelivered):
                    text = f"PeerLeft, back: {numbers(list(map(number_of, undelivered)))}"
                case links.Refused(error):
                    text = f"Refused {error}"
                case _:
                    text = type(event).__name__
            self.say(f"  {name}: {text}")

    def poll(self, name: str) -> None:
        for frame in self.network.poll(name):
            self.say(f"{name} sends {describe(frame, self.network.names)}")

    def deliver(self, name: str) -> bool:
        step = self.network.deliver(name)
        if step is None:
            return False
        frame, events = step
        if events:
            self.say(f"{other(name)} gets {describe(frame, self.network.names)}")
            self.tell(other(name), events)
        return True

    def run(self, seconds: float, names: str = "ab") -> None:
        end = self.network.now + seconds
        for _ in range(2000):
            moved = False
            for name in names:
                self.poll(name)
            for name in names:
                while self.network.wires[other(name)] and self.deliver(other(name)):
                    moved = True
            if moved:
                continue
            deadlines = [self.network.sides[name].link.next_deadline() for name in names]
            due = min((at for at in deadlines if at is not None), default=end)
            self.network.now = max(self.network.now, min(due, end))
            for name in names:
                self.tell(name, self.network.tick(name))
            if due >= end:
                return
        raise AssertionError("the links never come to rest")

    def command(self, words: list[str]) -> None:
        network = self.network
        match words:
            case ["send", name, count, *size]:
                taken = [network.send(name, *map(int, size)) for _ in range(int(count))]
                self.say(f"{name} took {taken.count(True)} of {count}")
            case ["poll", name]:
                self.poll(name)
            case ["deliver", name, *count]:
                for _ in range(int(count[0]) if count else len(network.wires[name])):
                    self.deliver(name)
            case ["drop", name, *count]:
                for _ in range(int(count[0]) if count else len(network.wires[name])):
                    frame = network.drop(name)
                    self.say("nothing" if frame is None else f"lost: {describe(frame, network.names)}")
            case ["ghost", name, count]:
                network.wires[name].extend(list(network.passed[name])[-int(count) :])
                while self.network.wires[name]:
                    self.deliver(name)
            case ["wait", seconds]:
                network.now += float(seconds)
                for name in "ab":
                    self.tell(name, network.tick(name))
            case ["run", seconds]:
                self.run(float(seconds))
            case ["hang", name, seconds]:
                self.run(float(seconds), other(name))
            case ["reset", name]:
                network.reset(name)
            case ["restart", name]:
                network.restart(name)
                network.wires[name].clear()
            case ["rejoin", name]:
                side = network.sides[name]
                before = len(side.handed_back)
                network.rejoin(name)
                self.say(f"{name} has session {side.session}, back: {numbers(side.handed_back[before:])}")
            case ["close", name]:
                self.say(f"{name} back: {numbers(list(map(number_of, network.sides[name].link.close())))}")
            case ["show", name]:
                held = network.sides[name].link.statistics()
                self.say(" ".join(f"{key}={value}" for key, value in held._asdict().items() if value))
            case _:
                raise AssertionError(f"no such command: {words}")


def numbers(values: list[int]) -> str:
    """`1-3 7`, or `nothing`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return " ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in runs) or "nothing"


def parse(text: str) -> list[tuple[str, str | None]]:
    """(what to keep as it is, command or None) of each block."""
    blocks: list[tuple[str, str | None]] = []
    kept: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line and not line.startswith("#"):
            blocks.append(("\n".join(kept), line))
            kept = []
            for skipped in lines:
                if not skipped:
                    break
        else:
            kept.append(line)
    if kept:
        blocks.append(("\n".join(kept), None))
    return blocks


def play(text: str) -> str:
    stage = Stage()
    out: list[str] = []
    for kept, command in parse(text):
        if kept:
            out.append(kept)
        if command is not None:
            stage.lines = []
            stage.command(command.split())
            out += [command, "----", *stage.lines, ""]
    return "\n".join(out).rstrip() + "\n"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_conversation(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    played = play(text)
    if REWRITE:
        path.write_text(played, encoding="utf-8")
    else:
        assert played == text


def test_there_are_conversations() -> None:
    assert len(SCRIPTS) >= 8
