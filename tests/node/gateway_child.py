"""A system of its own in a process of its own, to be killed: ``python -m tests.node.gateway_child CREDENTIALS NAME``.

It answers every message to its process 1 with ("echo", message), and says "joined" when it takes part.
"""

from __future__ import annotations

import asyncio
import sys

from garrick.engine.identity import load_credentials
from garrick.engine.nats.engine import NatsEngine
from garrick.wire.envelope import MESSAGE
from tests.node.gateway_house import FakeHouse


async def main(credentials: str, system: str) -> None:
    house = FakeHouse(system, NatsEngine(), capabilities={"host": system.partition("@")[0]})
    await house.gateway.start(load_credentials(credentials))
    print("joined", flush=True)
    answered = 0
    while True:
        await house.until(lambda: len(house.got[1]) > answered, timeout=600)  # noqa: B023 - awaited at once
        for kind, _, message, sender in house.got[1][answered:]:
            answered += 1
            if kind == MESSAGE and sender is not None:
                house.send(sender, ("echo", message), house.address(1))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
