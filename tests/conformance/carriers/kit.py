"""What a carrier under test has to offer, beside being one: a hub that can be restarted, and a way to make it full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from garrick.address import Address
from garrick.engine.carrier import Carrier, CarrierEvent, OnEvent, OnFrame, Reset, Writable, name_of
from garrick.engine.identity import ConventionKeys, create_convention, issue
from garrick.engine.memory import MemoryCarrier, MemoryNetwork
from garrick.engine.nats.carrier import NatsCarrier
from garrick.engine.nats.server import EmbeddedServer
from garrick.node.peer import Peer
from garrick.wire.codec import dumps, loads
from garrick.wire.envelope import MESSAGE, Raw, decode, encode

PATIENCE = 15.0
"""Seconds: the bound of every wait; none of them is meant to come near it."""


class End:
    """One system's end, with everything that it was told."""

    def __init__(self, carrier: Carrier, system: str) -> None:
        self.carrier = carrier
        self.system = system
        self.name = name_of(system)
        self.frames: list[tuple[str, int, bytes]] = []
        self.events: list[CarrierEvent] = []
        self.listeners: list[OnFrame] = []
        self.watchers: list[OnEvent] = []
        self._news = asyncio.Event()

    def on_frame(self, peer: str, lane: int, frame: bytes) -> None:
        self.frames.append((peer, lane, frame))
        for listener in self.listeners:
            listener(peer, lane, frame)
        self.news()

    def on_event(self, event: CarrierEvent) -> None:
        self.events.append(event)
        for watcher in self.watchers:
            watcher(event)
        self.news()

    def news(self) -> None:
        """Somebody waits, perhaps, for what has just happened."""
        self._news.set()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()
        assert condition(), what

    async def heard(self, count: int) -> None:
        await self.until(lambda: len(self.frames) >= count, f"{count} frames")

    async def saw(self, kind: type[CarrierEvent]) -> None:
        await self.until(lambda: any(isinstance(event, kind) for event in self.events), kind.__name__)

    def on_lane(self, lane: int) -> list[bytes]:
        return [frame for _, at, frame in self.frames if at == lane]


class Talker:
    """A real link over a carrier under test."""

    def __init__(self, end: End, other: str) -> None:
        self.end = end
        self.heard: list[int] = []
        self.came_back: list[Raw] = []
        self.peer = Peer(end.system, other, end.carrier, self, 1)  # type: ignore[arg-type]  # a carrier is all that it needs
        end.listeners.append(self._on_frame)
        end.watchers.append(self._on_event)

    def say(self, number: int) -> None:
        target: Address[Any] = Address(self.peer.system, 1, 1)
        self.peer.send(encode(MESSAGE, target, None, dumps(number), self.end.system))

    def _on_frame(self, _peer: str, _lane: int, frame: bytes) -> None:
        self.peer.frame(frame)

    def _on_event(self, event: CarrierEvent) -> None:
        if isinstance(event, Reset):
            self.peer.reset()
        elif isinstance(event, Writable):
            self.peer.wake()

    def delivered(self, _peer: Peer, envelopes: list[Raw]) -> None:
        for envelope in envelopes:
            self.heard.append(loads(decode(envelope, self.end.system)[3]))
        self.end.news()

    def ended(self, _peer: Peer) -> None:
        """See PeerEvents."""

    def handed_back(self, _peer: Peer, envelopes: list[Raw], _reason: str) -> None:
        self.came_back += envelopes


class Hub(Protocol):
    """What the carriers of one convention meet at."""

    async def open(self) -> None: ...
    async def start(self, system: str, *roles: str) -> End: ...
    async def kill(self) -> None: ...
    async def revive(self) -> None: ...
    async def close(self) -> None: ...


class MemoryHub:
    """The memory network in the time of the loop."""

    def __init__(self, _folder: Path) -> None:
        self._ends: list[End] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._network = MemoryNetwork(loop.call_later, loop.time)

    async def start(self, system: str, *roles: str) -> End:
        end = End(MemoryCarrier(self._network, roles), system)
        await end.carrier.start(system, end.on_frame, end.on_event)
        self._ends.append(end)
        return end

    async def kill(self) -> None:
        self._network.restart_hub(gap=0.05)

    async def revive(self) -> None:
        """It comes back by itself."""

    async def close(self) -> None:
        for end in self._ends:
            await end.carrier.stop()


class NatsHub:
    """An embedded server on a free port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: list[End] = []
        self.keys: ConventionKeys = create_convention(folder / "keys", "kit", ["tls://127.0.0.1:0"])
        self.server = EmbeddedServer(issue(self.keys, "server", ["directory"]), folder / "server", listen="127.0.0.1:0")

    async def open(self) -> None:
        await self.server.start()

    async def start(self, system: str, *roles: str) -> End:
        credentials = issue(self.keys, name_of(system), roles).with_servers([self.server.url])
        end = End(NatsCarrier(credentials), system)
        await end.carrier.start(system, end.on_frame, end.on_event)
        self._ends.append(end)
        return end

    async def kill(self) -> None:
        assert self.server._process is not None
        self.server._process.kill()
        await asyncio.to_thread(self.server._process.wait)

    async def revive(self) -> None:
        await self.server.stop()
        await self.server.start()

    async def close(self) -> None:
        for end in self._ends:
            await end.carrier.stop()
        await self.server.stop()


HUBS: dict[str, Callable[[Path], Hub]] = {"memory": MemoryHub, "nats": NatsHub}
