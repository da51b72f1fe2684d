"""Names that are unique in the whole convention: who decides (`Authority`), and how a system holds what it was given (`Leaseholder`).

Owns both sides of the conversation, as pure machines: `handle`-like methods give effects, time is a float of seconds. Must not know how
requests travel; they may get lost, arrive late or twice. Rules:

* A system holds all its names under ONE lease, which every accepted request renews; a renewal has the same size for one name as for
  thousands: it carries a digest, and only when the authority knows something else does the system say all that it holds.
* The holder counts a lease from the moment at which it *sent* the request, the authority from the moment at which it *got* it. So the
  holder's ends first, whatever the network does, and no two clocks are compared: both only measure how long something lasts.
* The holder fences (`Fence`) before its lease ends; the authority gives a name to another system only when the lease has ended, or
  when the holder has said that its actor has ended.
* A new authority grants nothing for the length of a lease: whoever held a name from an older one has reported it by then, or has fenced it.
* Epochs grow with each grant of a name, also over a change of authority, as long as ``term`` does.

Invariant: at no time do two systems hold one name.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Authority", "Decided", "Fence", "Granted", "Leased", "Leaseholder", "Place", "Reply", "Request", "Terms"]

Place: TypeAlias = tuple[str, int, int]
"""System, process and serial of an actor's address."""


@dataclass(frozen=True)
class Terms:
    """Seconds; the same in the whole convention."""

    lease: float = 5.0
    """How long the authority keeps a name for a system that it does not hear of."""
    renew: float = 1.5
    """A lease is renewed so often."""
    guard: float = 0.5
    """So long before the end of the lease its names are fenced: time for actors to end."""
    retry: float = 0.7
    """A request without an answer is made again after this."""


@dataclass(frozen=True)
class Granted:
    """A name and the epoch under which it is held."""

    name: str
    epoch: int
    place: Place


@dataclass(frozen=True)
class Request:
    """From a system to the authority; ``sequence`` grows with each."""

    system: str
    sequence: int
    digest: int
    """Of what the system holds once ``released`` is taken away."""
    claims: tuple[tuple[str, Place], ...] = ()
    released: tuple[tuple[str, int], ...] = ()
    """Names with their epochs whose actors have ended."""
    held: tuple[Granted, ...] | None = None
    """All that the system holds, when it was asked for it."""
    finds: tuple[str, ...] = ()
    """Names that somebody looks up."""


@dataclass(frozen=True)
class Reply:
    """The answer to the request of that number.

    Attributes:
        sequence: of the request.
        renewed: whether the lease holds; else the authority wants to know all that is held.
        granted: claims that were granted.
        taken: claims that were refused: name, who wanted it, who has it.
        gone: reported names that belong to somebody else, or may: they are to be fenced.
        found: answers to look-ups; None: nobody has it.
        epoch: of the directory that the authority is a part of.
    """

    sequence: int
    renewed: bool
    granted: tuple[Granted, ...] = ()
    taken: tuple[tuple[str, Place, Place], ...] = ()
    gone: tuple[str, ...] = ()
    found: tuple[tuple[str, Place | None], ...] = ()
    epoch: str = ""


def digest_of(held: Iterable[tuple[str, int]]) -> int:
    """The same number for the same names and epochs, whatever their order."""
    total = 0
    for name, epoch in held:
        total ^= zlib.crc32(f"{epoch}:{name}".encode()) | (zlib.adler32(f"{name}:{epoch}".encode()) << 32)
    return total


# -- the authority -----------------------------------------------------------------------------------------------------


@dataclass
class _Lease:
    expires: float
    sequence: int
    names: dict[str, int] = field(default_factory=dict)
    digest: int = 0

    def toggle(self, name: str, epoch: int) -> None:
        self.digest ^= digest_of(((name, epoch),))


class Authority:
    """Decides who holds which name.

    Args:
        term: greater than that of any authority before.
        now: when it begins.
        terms: of all leases.
    """

    def __init__(self, term: int, now: float, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self._epoch = term << 20
        self._names: dict[str, tuple[str, Granted]] = {}
        self._leases: dict[str, _Lease] = {}
        """Those that end first come first: all last equally long."""
        self._grants_from = now + self.terms.lease

    @property
    def names(self) -> Mapping[str, Granted]:
        """Who holds what."""
        return {name: granted for name, (_, granted) in self._names.items()}

    def decide(self, request: Request, now: float) -> Reply | None:
        """Answer one request; None: it is older than another one that was answered."""
        self.expire(now)
        lease = self._leases.get(request.system)
        if lease is None:
            lease = self._leases[request.system] = _Lease(now + self.terms.lease, 0)
        if request.sequence <= lease.sequence:
            return None
        lease.sequence = request.sequence
        gone = () if request.held is None else self._reported(request.system, lease, request.held, now)
        for name, epoch in request.released:
            self._free(request.system, lease, name, epoch)
        found = tuple((name, self._find(name)) for name in request.finds)
        if lease.digest != request.digest and request.held is None:
            return Reply(request.sequence, False, found=found)
        lease.expires = now + self.terms.lease
        self._leases[request.system] = self._leases.pop(request.system)
        granted: list[Granted] = []
        taken: list[tuple[str, Place, Place]] = []
        for name, place in request.claims:
            decided = self._claim(request.system, lease, name, place, now)
            if decided is not None and decided.place == place:
                granted.append(decided)
            elif decided is not None:
                taken.append((name, place, decided.place))
        if not lease.names:
            del self._leases[request.system]
        return Reply(request.sequence, True, tuple(granted), tuple(taken), gone, found)

    def _claim(self, system: str, lease: _Lease, name: str, place: Place, now: float) -> Granted | None:
        """Who has the name now; None: nobody can say yet."""
        holder = self._names.get(name)
        if holder is not None:
            return holder[1]
        if now < self._grants_from:
            return None
        self._epoch += 1
        granted = Granted(name, self._epoch, place)
        self._names[name] = system, granted
        lease.names[name] = self._epoch
        lease.toggle(name, self._epoch)
        return granted

    def _reported(self, system: str, lease: _Lease, held: tuple[Granted, ...], now: float) -> tuple[str, ...]:
        """The system says all that it holds: what it does not name is free, what nobody else can have had since is its own."""
        said = {granted.name: granted for granted in held}
        for name, epoch in list(lease.names.items()):
            if name not in said or said[name].epoch != epoch:
                self._free(system, lease, name, epoch)
        gone = []
        for granted in held:
            if lease.names.get(granted.name) == granted.epoch:
                continue
            if granted.name in self._names or now >= self._grants_from:
                gone.append(granted.name)
                continue
            self._epoch = max(self._epoch, granted.epoch)
            self._names[granted.name] = system, granted
            lease.names[granted.name] = granted.epoch
            lease.toggle(granted.name, granted.epoch)
        return tuple(gone)

    def _free(self, system: str, lease: _Lease, name: str, epoch: int) -> None:
        if lease.names.get(name) == epoch:
            del lease.names[name]
            lease.toggle(name, epoch)
            holder = self._names.get(name)
            if holder is not None and holder[0] == system:
                del self._names[name]

    def _find(self, name: str) -> Place | None:
        holder = self._names.get(name)
        return holder[1].place if holder is not None else None

    def expire(self, now: float) -> None:
        """Free what systems held whose leases have ended."""
        for system, lease in list(itertools.takewhile(lambda item: item[1].expires <= now, self._leases.items())):
            del self._leases[system]
            for name in lease.names:
                del self._names[name]


# -- a system that holds names -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decided:
    """A claim is decided: ``place`` asked for the name; it is the holder's if it was granted, under ``epoch``."""

    name: str
    place: Place
    holder: Place
    epoch: int = 0


@dataclass(frozen=True)
class Fence:
    """The holder of this name must end: the lease is about to, or the name is gone."""

    name: str
    place: Place


@dataclass(frozen=True)
class Leased:
    """These holders fence themselves at ``until``, unless they hear of a later moment."""

    until: float


@dataclass(frozen=True)
class Found:
    """The answer to a look-up."""

    name: str
    token: object
    place: Place | None


Effect: TypeAlias = Request | Decided | Fence | Leased | Found


class Leaseholder:
    """One system's side; see the module. Every method gives effects, among them at most one `Request` to be sent."""

    def __init__(self, system: str, terms: Terms | None = None) -> None:
        self.system = system
        self.terms = terms or Terms()
        self.until = float("-inf")
        """The own end of the lease."""
        self._held: dict[str, Granted] = {}
        self._fenced: set[str] = set()
        """Of those: whose actors have been told to end, and have not said yet that they have."""
        self._digest = 0
        self._claims: dict[tuple[str, Place], None] = {}
        self._released: dict[tuple[str, int], None] = {}
        self._finds: dict[str, list[object]] = {}
        self._report = False
        self._sequence = 0
        self._sent_at: float | None = None
        """When the request under way was sent."""
        self._sent: Request | None = None
        self._retry_at = float("-inf")
        self._renew_at = float("-inf")

    @property
    def fence_at(self) -> float:
        """When holders have to end unless the lease is renewed before."""
        return self.until - self.terms.guard

    @property
    def held(self) -> Mapping[str, Granted]:
        """What is held now."""
        return self._held

    def claim(self, name: str, place: Place, now: float) -> list[Effect]:
        """An actor wants the name; answered by `Decided`, whenever that is possible."""
        granted = self._held.get(name)
        if granted is not None and granted.place == place and name not in self._fenced:
            return [Decided(name, place, place, granted.epoch)]  # it was made again elsewhere, with its address
        self._claims[name, place] = None
        return self._speak(now)

    def release(self, name: str, place: Place, now: float) -> list[Effect]:
        """The actor has ended, or no longer wants the name."""
        self._claims.pop((name, place), None)
        granted = self._held.get(name)
        if granted is not None and granted.place == place:
            self._drop(granted)
        return self._speak(now)

    def find(self, name: str, token: object, now: float) -> list[Effect]:
        """Somebody looks a name up; answered by `Found`."""
        self._finds.setdefault(name, []).append(token)
        return self._speak(now)

    def replied(self, reply: Reply, now: float) -> list[Effect]:
        """The authority has answered."""
        request = self._sent
        if request is None or reply.sequence != request.sequence or self._sent_at is None:
            return []
        sent_at, self._sent_at, self._sent = self._sent_at, None, None
        self._retry_at = now
        out: list[Effect] = []
        for name, place in reply.found:
            out += [Found(name, token, place) for token in self._finds.pop(name, ())]
        for released in request.released:
            self._released.pop(released, None)
        if not reply.renewed:
            self._report = True
            return out + self._speak(now)
        if request.held is not None:
            self._report = False
        self.until = sent_at + self.terms.lease
        self._renew_at = now + self.terms.renew
        fence_at = self.until - self.terms.guard
        for name in reply.gone:
            granted = self._held.get(name)
            if granted is not None:
                out += self._fence(granted)
                self._take(granted)
        for name, place, holder in reply.taken:
            if self._claims.pop((name, place), False) is None:
                out.append(Decided(name, place, holder))
        for granted in reply.granted:
            self._held[granted.name] = granted
            self._digest ^= digest_of(((granted.name, granted.epoch),))
            if self._claims.pop((granted.name, granted.place), False) is None and now < fence_at:
                out.append(Decided(granted.name, granted.place, granted.place, granted.epoch))
            else:  # nobody wants it any more, or it came too late to be used
                self._drop(granted)
                if now >= fence_at:
                    self._claims[granted.name, granted.place] = None
        if self._held.keys() - self._fenced and fence_at > now:
            out.append(Leased(fence_at))
        if any(claim in self._claims for claim in request.claims):
            self._retry_at = now + self.terms.retry  # it can't be decided yet
        return out + self._speak(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed."""
        out: list[Effect] = []
        if now >= self.until - self.terms.guard:
            for granted in self._held.values():
                out += self._fence(granted)
        return out + self._speak(now)

    def next_wake(self) -> float | None:
        """When `tick` is due."""
        times = []
        if len(self._held) > len(self._fenced):
            times.append(self.until - self.terms.guard)
        if self._sent is not None or self._has_news:
            times.append(self._retry_at)
        elif self._held:
            times.append(max(self._renew_at, self._retry_at))
        return min(times, default=None)

    @property
    def _has_news(self) -> bool:
        return bool(self._claims or self._released or self._finds or self._report)

    def _fence(self, granted: Granted) -> list[Effect]:
        """The actor has to end. Its name is not released before it has: until then the authority may only forget it."""
        if granted.name in self._fenced:
            return []
        self._fenced.add(granted.name)
        return [Fence(granted.name, granted.place)]

    def _take(self, granted: Granted) -> None:
        del self._held[granted.name]
        self._fenced.discard(granted.name)
        self._digest ^= digest_of(((granted.name, granted.epoch),))

    def _drop(self, granted: Granted) -> None:
        self._take(granted)
        self._released[granted.name, granted.epoch] = None

    def _speak(self, now: float) -> list[Effect]:
        if now < self._retry_at:
            return []
        if self._sent is None and not self._has_news and not (self._held and now >= self._renew_at):
            return []
        self._sequence += 1
        self._sent_at, self._retry_at = now, now + self.terms.retry
        self._sent = Request(
            self.system,
            self._sequence,
            self._digest,
            tuple(self._claims),
            tuple(self._released),
            tuple(self._held.values()) if self._report else None,
            tuple(self._finds),
        )
        return [self._sent]
