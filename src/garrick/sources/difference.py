"""What differs between two bundles, for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from garrick.sources.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Difference:
    """From one bundle to another."""

    fields: dict[str, tuple[str, str]]
    """Fields that changed: before and after."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def difference(old: Manifest, new: Manifest) -> Difference:
    """What differs."""
    names = ("name", "version", "python", "isolation", "native", "uses")
    before, after = ({file.path: file.digest for file in each.files} for each in (old, new))
    return Difference(
        {
            each: (str(getattr(old, each)), str(getattr(new, each)))
            for each in names
            if getattr(old, each) != getattr(new, each)
        },
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(path for path in before.keys() & after.keys() if before[path] != after[path])),
    )
