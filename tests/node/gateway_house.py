"""The admin's process without processes: a machine, a gateway, and boxes in place of workers."""

from __future__ import annotations

import asyncio
from typing import Any

from garrick.address import Address
from garrick.node.admin import AdminMachine, Announce, Effect, Send
from garrick.node.gateway import Gateway
from garrick.runtime.signals import SystemInfo, View, ViewChange
from garrick.runtime.systems import changed_by
from garrick.wire.codec import dumps, loads
from garrick.wire.envelope import MESSAGE, Raw, decode, encode
from garrick.wire.link import LinkConfig

Got = tuple[int, Address[Any], Any, Address[Any] | None]

QUICK = LinkConfig(resend_after=0.1, hello_every=0.05, heartbeat=0.2, suspect_after=1.0)


class FakeHouse:
    """One system of a convention; its processes are lists of what they got."""

    def __init__(
        self, name: str, engine: Any, *, workers: int = 2, capabilities: dict[str, Any] | None = None, hold: float = 0.3
    ) -> None:
        self.system = name if "@" in name else f"{name}@{abs(hash(name)) % (1 << 40):010x}"
        loop = asyncio.get_running_loop()
        self.machine = AdminMachine(self.system, capabilities=capabilities, now=loop.time())
        self.effects: list[Effect] = []
        self.got: dict[int, list[Got]] = {}
        self.news = asyncio.Event()
        self.gateway = Gateway(self.system, self, engine, config=QUICK, hold=hold)
        self.apply(self.machine.start(workers, loop.time()))
        for number in range(1, workers + 1):
            self.got[number] = []
            self.apply(self.machine.process_joined(number, "worker", loop.time()))

    # --- House -----------------------------------------------------------------------------------------------------------

    def deliver(self, number: int, envelope: Raw) -> None:
        kind, target, sender, body = decode(envelope, self.system)
        self._box(number, (kind, target, loads(body), sender))

    def to_admin(self, envelope: Raw, origin: str) -> None:
        _, target, sender, body = decode(envelope, self.system)
        now = asyncio.get_running_loop().time()
        self.apply(self.machine.handle(loads(body), sender, now, target=target, origin=origin))

    def apply(self, effects: list[Effect]) -> None:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Send) and effect.target.system != self.system:
                self.gateway.post(effect.target, effect.message, effect.sender, effect.kind)
            elif isinstance(effect, Send):
                self._box(effect.target.process, (effect.kind, effect.target, effect.message, effect.sender))
            elif isinstance(effect, Announce):
                self.gateway.announce(effect.info)
        deadline = self.machine.deadline
        if deadline is not None:
            asyncio.get_running_loop().call_at(deadline, self._tick)
        self.news.set()

    def _tick(self) -> None:
        deadline = self.machine.deadline
        now = asyncio.get_running_loop().time()
        if deadline is not None and now >= deadline - 0.001:
            self.apply(self.machine.tick(max(now, deadline)))

    def _box(self, number: int, got: Got) -> None:
        self.got.setdefault(number, []).append(got)
        self.news.set()

    # --- what a test does ------------------------------------------------------------------------------------------------

    def address(self, process: int, counter: int = 1) -> Address[Any]:
        return Address(self.system, process, process << 40 | counter)

    def send(self, target: Address[Any], message: Any, sender: Address[Any] | None = None, kind: int = MESSAGE) -> None:
        """As a worker would: over the admin, since the target is in another system."""
        self.gateway.forward(encode(kind, target, sender, dumps(message), self.system))

    def messages(self, number: int, kind: type = object) -> list[Any]:
        return [message for _, _, message, _ in self.got.get(number, []) if isinstance(message, kind)]

    def view(self, number: int) -> dict[str, SystemInfo]:
        """The systems that a process knows, by all that it was told."""
        systems: dict[str, SystemInfo] = {}
        for message in self.messages(number):
            if isinstance(message, View):
                systems = dict(message.systems)
            elif isinstance(message, ViewChange):
                systems = changed_by(systems, message.changed, message.gone)
        return systems

    def die(self, number: int) -> None:
        self.apply(self.machine.process_died(number, "killed", asyncio.get_running_loop().time()))

    async def until(self, condition: Any, timeout: float = 5.0) -> None:
        async with asyncio.timeout(timeout):
            while not condition():
                self.news.clear()
                await self.news.wait()
