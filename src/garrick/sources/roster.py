"""Which versions of sources a system has, and in what state each is: what every process of the system knows.

Owns the words for states and how a name leads to a version. Pure. Must not know processes, nor who decides (`garrick.node.admin.sources`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from garrick.errors import SourceMissing, SourceRetired

INACTIVE: Final = "inactive"
"""Loaded; only who names this version gets it."""
CURRENT: Final = "current"
"""What the name of the group means."""
RAMPING: Final = "ramping"
"""What the name of the group means for some."""
DRAINING: Final = "draining"
"""No new actors but children of those that are there."""
DRAINED: Final = "drained"
"""Nothing of it is left in use."""
UNLOADED: Final = "unloaded"
"""Taken out of all processes."""
OPEN: Final = frozenset({INACTIVE, CURRENT, RAMPING})
"""States in which new actors may be made."""

_PREFIX: Final = "garrick.loaded."
_LENGTH: Final = len(_PREFIX) + 17


@dataclass(frozen=True)
class Version:
    """One version.

    Attributes:
        hash: its identity.
        name: of its group.
        version: such as 1.4.
        state: see the constants of this module.
        successor: the hash of the version that its actors go over to while it drains, if any.
        seconds: until its deadline when this was told; None: there is none.
        closing: whether it is about to be unloaded, if nothing of it is in use.
    """

    hash: str
    name: str
    version: str
    state: str
    successor: str | None = None
    seconds: float | None = None
    closing: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.version} ({self.hash[:8]})"


@dataclass(frozen=True)
class Group:
    """The versions of one name that the name means.

    Attributes:
        current: the hash of the usual one, if any is.
        ramping: the hash of another one.
        percent: of the keys that ``ramping`` is for, 0 to 100.
    """

    current: str | None = None
    ramping: str | None = None
    percent: float = 0.0


@dataclass(frozen=True)
class Roster:
    """All versions; never changed, the next one has a higher epoch."""

    epoch: int = 0
    versions: Mapping[str, Version] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def resolve(self, wanted: str, key: str) -> str:
        """The hash that new actors get.

        Args:
            wanted: a group (``bank``), a version (``bank@1.4``) or a hash.
            key: decides between the current and the ramping version of a group, always alike.

        Raises:
            SourceMissing: there is no such version, or the group has no current one.
            SourceRetired: it takes no new actors.
        """
        version = self.versions.get(wanted)
        if version is None and "@" in wanted:
            name, _, number = wanted.partition("@")
            version = next((v for v in self.versions.values() if (v.name, v.version) == (name, number)), None)
        if version is not None:
            self.check(version.hash)
            return version.hash
        group = self.groups.get(wanted)
        chosen = None
        if group is not None:
            chosen = group.ramping if group.ramping and share(wanted, key) < group.percent else group.current
        if chosen is None:
            raise SourceMissing(
                f"no version of the source {wanted!r} is current" if group else f"there is no source {wanted!r}",
                hint="garrick source ls shows all; load_source takes one in, activate_source makes it current",
            )
        return chosen

    def check(self, digest: str) -> None:
        """Raise `SourceRetired` if this version is known and takes no new actors."""
        version = self.versions.get(digest)
        if version is not None and (version.closing or version.state not in OPEN):
            state = "about to be unloaded" if version.closing else version.state
            raise SourceRetired(f"{version} is {state} and takes no new actors")


def share(group: str, key: str) -> float:
    """Where a key stands between 0 and 100, the same everywhere and always."""
    import hashlib  # late: it loads a library, and every process has this module

    digest = hashlib.sha256(f"{group}\0{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 * 100


def part_of(thing: Any) -> str | None:
    """The source that a class, an instance or the name of a class is of: the last part of its prefix; None: of none."""
    if isinstance(thing, str):
        module: Any = thing
    else:
        module = (thing if isinstance(thing, type) else type(thing)).__module__
    return module[len(_PREFIX) : _LENGTH] if isinstance(module, str) and module.startswith(_PREFIX) else None


def part(digest: str) -> str:
    """The last part of the prefix of a source with this hash."""
    return f"h{digest[:16]}"


DEPTH: Final = 3
WIDTH: Final = 100


def parts_in(message: Any, depth: int = DEPTH) -> set[str]:
    """The sources that a message is of, as far as it shows: its own type, and what is in plain containers."""
    own = part_of(message) if not isinstance(message, str) else None
    found = {own} if own is not None else set()
    if depth:
        if isinstance(message, dict):
            message = [each for item in list(message.items())[:WIDTH] for each in item]
        if isinstance(message, (list, tuple, set, frozenset)):
            for each in list(message)[:WIDTH]:
                found |= parts_in(each, depth - 1)
    return found
