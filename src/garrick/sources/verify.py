"""All checks of a bundle in their order: size of the header, signatures, manifest, trust, and only then the archive.

Owns the order. Pure: bytes, trust and time come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from garrick.sources.container import Limits, members, read
from garrick.sources.manifest import Manifest, parse
from garrick.sources.trust import Check, Trust, decide, signed_by_known


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that passed every check."""

    manifest: Manifest
    hash: str
    signers: tuple[str, ...]
    """Names of the keys that stand for it."""
    contents: Mapping[str, bytes] = field(repr=False)


def verify(data: bytes, trust: Trust, now: float, check: Check, limits: Limits | None = None) -> Verified:
    """Check a bundle.

    Args:
        data: the bundle.
        trust: whom this host trusts.
        now: seconds since 1970.
        check: of one signature, see `garrick.sources.keys.check`.
        limits: the largest that is read.

    Raises:
        BundleRefused: with the first reason; its code names the check.
    """
    limits = limits or Limits()
    opened = read(data, limits)
    signatures = signed_by_known(opened, trust, check)
    manifest = parse(opened.text)
    signers = decide(manifest, signatures, trust, now)
    return Verified(manifest, opened.hash, tuple(signers), members(manifest, opened.archive, limits))
