"""One of several directory systems, as a candidate for their lease: runs the pure `Candidate` over a key in the servers' replicated store.

Owns the bucket and the one question to it that is under way. Decides nothing; must not know what a directory does. The store is an aid
for the election and never the only copy of anything: if it is lost, a later term follows from the clock and from what members have said.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors
from nats.js.api import KeyValueConfig, StorageType

from garrick.engine import lease as machine
from garrick.engine.identity import bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.js.kv import KeyValue

__all__ = ["Candidacy"]

_log = logging.getLogger("garrick.engine")
_KEY = "lease"
_ANSWER = 1.0  # seconds; the store answers in milliseconds unless it has lost its majority
_FAREWELL = 1.0


class Candidacy:
    """Leads, follows, and takes over.

    Args:
        system: own id.
        namespace: the convention.
        replicas: how many servers hold the lease.
        client: gives the live client or None.
        least: the lowest term that may be taken, at this moment.
        on_lead: this system is the directory from now on, under this term.
        on_step_down: it is no more, and why.
    """

    def __init__(
        self,
        system: str,
        namespace: str,
        replicas: int,
        client: Callable[[], Client | None],
        least: Callable[[], int],
        on_lead: Callable[[int], None],
        on_step_down: Callable[[str], None],
    ) -> None:
        self._system = system
        self._bucket = bucket_of(namespace)
        self._replicas = replicas
        self._client = client
        self._least = least
        self._on_lead = on_lead
        self._on_step_down = on_step_down
        self._machine: machine.Candidate | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._store: tuple[Client, KeyValue] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin; whether and when this system leads is told."""
        self._machine = machine.Candidate(self._system, asyncio.get_running_loop().time())
        self._feed(machine.Tick())

    def leads(self) -> bool:
        """Whether this system is the directory at this moment; if it just ceased to be, that has been told when this returns."""
        candidate = self._machine
        if candidate is None or not candidate.leads:
            return False
        if candidate.leads_at(asyncio.get_running_loop().time()):
            return True
        self._feed(machine.Tick())
        return False

    async def stop(self) -> None:
        """Give the lease up, if it is held, so that another one need not wait for its end."""
        self._feed(machine.Resign())
        for _ in range(2):  # what is under way, and then the good-bye
            if self._task is not None:
                await asyncio.wait({self._task}, timeout=_FAREWELL)
        self._machine = None
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _feed(self, event: machine.Event) -> None:
        candidate = self._machine
        if candidate is None:
            return
        loop = asyncio.get_running_loop()
        for effect in candidate.handle(event, loop.time()):
            match effect:
                case machine.Look() | machine.Write():
                    self._task = asyncio.create_task(self._ask(effect), name="garrick-directory-lease")
                case machine.Lead(term):
                    _log.info("%s is the directory of its convention, term %d", self._system, term)
                    self._on_lead(term)
                case machine.StepDown(why):
                    _log.warning("%s is the directory no more: %s", self._system, why)
                    self._on_step_down(why)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake := candidate.next_wake()) != float("inf"):
            self._timer = loop.call_at(max(loop.time() + 0.001, wake), self._feed, machine.Tick())

    async def _ask(self, question: machine.Look | machine.Write) -> None:
        try:
            async with asyncio.timeout(_ANSWER):
                answer = await self._put(question)
            self._failing = False
        except (TimeoutError, nats.errors.Error, OSError, ValueError, TypeError) as error:
            if not self._failing:
                _log.warning(
                    "the lease of the directory can't be read or written; it takes most of the servers: %r", error
                )
            self._failing, self._store = True, None
            answer = machine.Failed()
        self._feed(answer)

    async def _put(self, question: machine.Look | machine.Write) -> machine.Event:
        client = self._client()
        if client is None:
            return machine.Failed()
        store = await self._open(client)
        if isinstance(question, machine.Write):
            body = json.dumps([question.holder, question.term]).encode()
            try:
                return machine.Written(await store.update(_KEY, body, last=question.expected))
            except nats.js.errors.KeyWrongLastSequenceError:
                return machine.Conflict()
        try:
            found = await store.get(_KEY)
        except nats.js.errors.KeyNotFoundError:
            return machine.Read(machine.Entry(0), self._least())
        holder, term = json.loads(found.value or b'["", 0]')
        return machine.Read(machine.Entry(found.revision or 0, str(holder), int(term)), self._least())

    async def _open(self, client: Client) -> KeyValue:
        if self._store is not None and self._store[0] is client:
            return self._store[1]
        context = client.jetstream(timeout=_ANSWER)
        try:
            store = await context.key_value(self._bucket)
        except nats.js.errors.BucketNotFoundError:
            store = await context.create_key_value(
                KeyValueConfig(
                    bucket=self._bucket,
                    history=1,
                    replicas=self._replicas,
                    storage=StorageType.FILE,
                    max_value_size=512,
                )
            )
        self._store = client, store
        return store
