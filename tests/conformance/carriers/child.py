"""A member in a process of its own. Arguments: credentials file, system id. Talks in lines of JSON on stdout.

It counts the frames it gets on lane 1 and sends every other frame back.
"""

from __future__ import annotations

import asyncio
import json
import sys

from garrick.engine.carrier import CarrierEvent
from garrick.engine.feedcodec import encode_delta
from garrick.engine.identity import load_credentials
from garrick.engine.membership import Delta
from garrick.engine.nats.engine import NatsEngine


def say(kind: str, what: object) -> None:
    print(json.dumps([kind, what]), flush=True)


async def main(path: str, system: str) -> None:
    engine = NatsEngine()
    counted = 0

    def on_frame(peer: str, lane: int, frame: bytes) -> None:
        nonlocal counted
        if lane == 1:
            counted += 1
        elif frame == b"count":
            engine.send(peer, 0, b"%d" % counted)
        else:
            engine.send(peer, lane, frame)

    def on_event(event: CarrierEvent) -> None:
        say("event", repr(event))

    def on_members(delta: Delta) -> None:
        say("delta", json.loads(encode_delta(delta)))

    engine.announce({"host": system.partition("@")[0]}, [1, 2], 0.5)
    await engine.start(system, load_credentials(path), on_frame=on_frame, on_event=on_event, on_members=on_members)
    say("joined", system)
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if line.strip() == "leave":
        await engine.leave()
    await engine.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
