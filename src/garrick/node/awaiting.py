"""Envelopes whose classes are of sources that this host does not have yet: they wait while the source is fetched, and then go on in order.

Owns what waits in one process, and the fetching on its behalf. Must not know how an envelope is delivered
(`garrick.node.inbound`). Invariants:

* What follows to the same actor waits behind what waits for it.
* What waits is bounded, in number, size and time; what can't wait fails at once, as anything does that can't be decoded.
* Whatever comes from another host is verified here, by the keys and the authority of this one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from garrick.address import COUNTER_BITS, Address, control
from garrick.errors import GarrickError, SourceMissing
from garrick.runtime.signals import Lookup, SourceAct, SourceWanted
from garrick.sources.roster import UNLOADED
from garrick.sources.roster import part as part_of_hash
from garrick.wire.envelope import SIGNAL, Raw

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime
    from garrick.sources.manifest import Manifest

log = logging.getLogger("garrick.node")

MOST = 10_000
"""Envelopes that wait."""
LARGEST = 64 * 1024 * 1024
"""Bytes of them."""
PATIENCE = 60.0
"""Seconds that fetching one source may take."""
ANSWER = 10.0
"""Seconds that a holder has for one chunk, and an authority for its answer."""
AGAIN = 30.0
"""Seconds in which a source that could not be had is not asked for again."""
HOLDERS = 8
"""Other systems that are asked beside the one that the source is known from."""
USES = 20
"""Other sources that one may use."""
POLICY = "remote_sources"
"""The capability of a system that says which sources are fetched: ``approved`` by its authority (the default), ``signed`` by those whom its
user trusts, or ``no``."""


class Awaiting:
    """See the module.

    Args:
        runtime: of the process.
        again: handles an envelope as if it had just come.
    """

    def __init__(self, runtime: Runtime, again: Callable[[Raw], None]) -> None:
        self.runtime = runtime
        self.active = False
        """Whether anything waits; then who receives has to hold `lock` and to ask `behind`."""
        self.lock = threading.RLock()
        self._again = again
        self._waiting: list[tuple[int, Raw]] = []
        """Serial of the target, and the envelope; in the order in which they came."""
        self._targets: set[int] = set()
        self._bytes = 0
        self._fetching: set[str] = set()
        self._refused: dict[str, tuple[float, GarrickError]] = {}
        if runtime.threads:
            runtime.fetch_source = self.fetch

    def behind(self, serial: int, raw: Raw) -> bool:
        """Let an envelope wait if something for its target does; with the lock held."""
        if serial not in self._targets or not self._room(raw):
            return False
        self._waiting.append((serial, bytes(raw)))
        self._bytes += len(raw)
        return True

    def missing(
        self, error: GarrickError, target: Address[Any], sender: Address[Any] | None, raw: Raw
    ) -> GarrickError | None:
        """An envelope can't be decoded; None: it waits. Otherwise why that is so."""
        part = str(getattr(error, "name", None) or "").rpartition(".")[2]
        if not isinstance(error, SourceMissing) or not part.startswith("h"):
            return error
        with self.lock:
            refused = self._refused.get(part)
            if refused is not None and time.monotonic() < refused[0] and not self._loaded(part):
                return refused[1]
            if error.retired or not self.runtime.threads or not self._room(raw):
                return error
            self._targets.add(target.serial)
            self._waiting.append((target.serial, bytes(raw)))
            self._bytes += len(raw)
            self.active = True
            if part not in self._fetching:
                self._fetching.add(part)
                origin = _origin(target, sender)
                self.runtime.aside(lambda: self._work(part, origin))
        return None

    def _loaded(self, part: str) -> bool:
        """Whether the system has it by now."""
        roster = self.runtime.roster
        return roster is not None and any(
            version.hash.startswith(part[1:]) and version.state != UNLOADED for version in roster.versions.values()
        )

    def _room(self, raw: Raw) -> bool:
        return len(self._waiting) < MOST and self._bytes + len(raw) <= LARGEST

    def _work(self, part: str, origin: Address[Any] | None) -> None:
        """On a thread of its own: get it, and let go on what waits."""
        try:
            self.fetch(part, origin)
        except GarrickError as error:
            log.warning("%s: %s", self.runtime.system, error)
        except Exception as error:
            log.exception("%s: the source %s can't be fetched", self.runtime.system, part[1:])
            self._refused[part] = (time.monotonic() + AGAIN, SourceMissing(f"{type(error).__name__}: {error}"))
        with self.lock:
            self._fetching.discard(part)
            waiting, self._waiting = self._waiting, []
            self._targets.clear()
            self._bytes = 0
            # What still misses another source waits again, and with it what is for the same actor.
            for serial, raw in waiting:
                if not self.behind(serial, raw):
                    self._again(raw)
            self.active = bool(self._waiting)

    # --- fetching --------------------------------------------------------------------------------------------------------

    def fetch(self, part: str, origin: Address[Any] | None = None) -> None:
        """Get a source from another system, unless this host has it; on a thread that may wait.

        Args:
            part: ``h`` and the first 16 digits of its hash.
            origin: the control address of a process that has it.

        Raises:
            GarrickError: it can't be had, or is not accepted here.
        """
        from garrick.sources import fetching, loading  # late: most processes fetch nothing
        from garrick.sources.store import Store

        policy = self.runtime.capabilities.get(POLICY, "approved")
        deadline = time.monotonic() + PATIENCE
        try:
            if policy == "no":
                raise SourceMissing(
                    f"the source {part[1:]} is not on this host, and it fetches none",
                    hint=f"load it here, or let the capability {POLICY!r} be 'approved' or 'signed'",
                )
            store = Store()
            with fetching.alone(store, part, deadline):
                if not any(digest.startswith(part[1:]) for each in loading.stores() for digest in each.hashes()):
                    data = fetching.fetch(part, self._holders(part, origin), store, deadline)
                    fetching.forget(part, store)
                    self._admit(part, data, origin, signed=policy == "signed")
            loaded = self._loaded_with_uses(part, origin)
            manifest = loaded.storage.manifest
            params = {"hash": loaded.hash, "name": manifest.name, "version": manifest.version}
            self.runtime.ask(self.runtime.admin, SourceAct("source.add", params), ANSWER, kind=SIGNAL).result()
        except GarrickError as error:
            self._refused[part] = (time.monotonic() + AGAIN, error)
            raise
        self._refused.pop(part, None)

    def _holders(self, part: str, origin: Address[Any] | None) -> Iterator[Callable[[int], Any]]:
        own = self.runtime.system
        others = [
            control(info.system, info.processes[0].number)
            for info in self.runtime.view.systems.values()
            if info.system != own and info.processes
        ]
        first = [origin] if origin is not None and origin.system != own else []
        for holder in (*first, *others[:HOLDERS]):
            yield lambda offset, holder=holder: self.runtime.ask(  # type: ignore[misc]
                holder, SourceWanted(part, offset), ANSWER, kind=SIGNAL
            ).result()

    def _loaded_with_uses(self, part: str, origin: Address[Any] | None) -> Any:
        from garrick.sources import loading

        for _ in range(USES):
            try:
                return loading.wanted(part)
            except SourceMissing as error:  # of another one, that it uses
                other = str(error.name).rpartition(".")[2]
                if other == part or error.retired:
                    raise
                self.fetch(other, origin)
        return loading.wanted(part)

    def _admit(self, part: str, data: bytes, origin: Address[Any] | None, *, signed: bool) -> None:
        from garrick.sources.admission import admit  # late: needs cryptography
        from garrick.sources.authority import AUTHORITY, SourceOffered

        runtime = self.runtime

        def ask(offered: SourceOffered) -> dict[str, object]:
            if not offered.hash.startswith(part[1:]):
                raise SourceMissing(f"what came for the source {part[1:]} is {offered.hash[:16]}")
            if signed:
                return {"signatures": True}
            found = runtime.ask(runtime.admin, Lookup(AUTHORITY), ANSWER, kind=SIGNAL).result()
            if found is None:
                return {}
            try:
                return {AUTHORITY: runtime.ask(found, offered, ANSWER).result()}
            except GarrickError as error:
                return {AUTHORITY: error}

        def before(manifest: Manifest) -> None:
            for _, digest in manifest.uses:
                self.fetch(part_of_hash(digest), origin)

        admit(data, ask, development=False, before=before)


def _origin(target: Address[Any], sender: Address[Any] | None) -> Address[Any] | None:
    """The process that an envelope was made in: that of its sender, or, where that is an admin, of who has spawned its target."""
    if sender is None:
        return None
    number = sender.process or (target.serial >> COUNTER_BITS) & ((1 << COUNTER_BITS) - 1)
    return control(sender.system, number) if number else None
