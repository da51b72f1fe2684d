"""Who may stand for a bundle: the decision, from keys, thresholds and the highest version seen.

Owns the rules and their order. Pure: the time, the keys and the check of a signature come in. Default deny: what no rule allows is
refused. Invariants:

* A wrong signature of a known key is tampering, and refuses the bundle whatever else signed it. Unknown keys count for nothing.
* A key counts once, however often it signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from garrick.errors import BundleRefused
from garrick.sources.container import Opened, Signature, statement
from garrick.sources.manifest import Manifest, version_key

Check = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, what was signed) -> whether it is right."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, and what it may stand for.

    Attributes:
        name: for people.
        public: the 32 bytes of the key.
        groups: patterns of the names of bundles, such as ``bank`` or ``bank-*``.
        valid_from: seconds since 1970 from which it counts.
        valid_until: seconds since 1970 until which it counts.
        revoked: why it does not count any more.
    """

    name: str
    public: bytes
    groups: tuple[str, ...]
    valid_from: int | None = None
    valid_until: int | None = None
    revoked: str | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """All that a host knows about whom to trust.

    Attributes:
        keys: by identity.
        thresholds: how many keys must stand for bundles whose names match; the highest of those that match counts, else one.
        highest: the highest version of each group that was ever accepted here.
    """

    keys: Mapping[str, TrustedKey] = field(default_factory=dict)
    thresholds: Mapping[str, int] = field(default_factory=dict)
    highest: Mapping[str, str] = field(default_factory=dict)

    def threshold(self, group: str) -> int:
        """How many keys must stand for a bundle of this group."""
        return max([number for pattern, number in self.thresholds.items() if fnmatchcase(group, pattern)], default=1)


def signed_by_known(opened: Opened, trust: Trust, check: Check) -> list[Signature]:
    """The right signatures of keys that are known, checked before anything of the bundle is interpreted.

    Raises:
        BundleRefused: there is none, or one is wrong.
    """
    if not opened.signatures:
        raise BundleRefused("nobody has signed the bundle", code="GAR-7103", hint="garrick source sign")
    known = [each for each in opened.signatures if each.key in trust.keys]
    for each in known:
        said = statement(opened.text, each.key, each.expires, each.rollback)
        if not check(trust.keys[each.key].public, each.signature, said):
            raise BundleRefused(
                f"the signature of {trust.keys[each.key].name} is not for this bundle: one of them was changed",
                code="GAR-7105",
            )
    if not known:
        names = ", ".join(each.key[:8] for each in opened.signatures)
        raise BundleRefused(
            f"the bundle is signed by {names}, whom nobody here knows",
            code="GAR-7104",
            hint="if the key is right: garrick key trust",
        )
    return known


def decide(manifest: Manifest, signatures: list[Signature], trust: Trust, now: float) -> list[str]:
    """Whether these signatures, all right, are enough; gives the names of the keys that count.

    Args:
        manifest: of the bundle.
        signatures: what `signed_by_known` gave.
        trust: of this host.
        now: seconds since 1970.

    Raises:
        BundleRefused: with the first reason.
    """
    good: dict[bytes, Signature] = {}
    refusals: list[BundleRefused] = []
    for each in signatures:
        refusal = _refusal(manifest, each, trust.keys[each.key], now)
        if refusal is None:
            public = trust.keys[each.key].public
            if public not in good or each.rollback:
                good[public] = each
        else:
            refusals.append(refusal)
    needed = trust.threshold(manifest.name)
    if not good:
        raise refusals[0]
    if len(good) < needed:
        why = "".join(f"; {refusal.args[0]}" for refusal in refusals)
        raise BundleRefused(
            f"{needed} keys must stand for {manifest.name}, and {len(good)} do{why}",
            code="GAR-7106",
            hint="let the others sign the same bundle: garrick source sign",
        )
    highest = trust.highest.get(manifest.name)
    if highest is not None and version_key(manifest.version) < version_key(highest):
        allowed = sum(each.rollback for each in good.values())
        if allowed < needed:
            raise BundleRefused(
                f"{manifest.name} {manifest.version} is older than {highest}, which was here already",
                code="GAR-7111",
                hint="if going back is meant: garrick source sign --allow-rollback",
            )
    return [trust.keys[each.key].name for each in good.values()]


def _refusal(manifest: Manifest, signature: Signature, key: TrustedKey, now: float) -> BundleRefused | None:
    if key.revoked is not None:
        return BundleRefused(f"the key {key.name} was revoked: {key.revoked}", code="GAR-7109")
    if key.valid_from is not None and now < key.valid_from:
        return BundleRefused(f"the key {key.name} is not valid yet", code="GAR-7108")
    if key.valid_until is not None and now >= key.valid_until:
        return BundleRefused(f"the key {key.name} is not valid any more", code="GAR-7108")
    if not any(fnmatchcase(manifest.name, pattern) for pattern in key.groups):
        return BundleRefused(
            f"the key {key.name} stands for {', '.join(key.groups) or 'nothing'}, not for {manifest.name}",
            code="GAR-7107",
        )
    if signature.expires is not None and now >= signature.expires:
        return BundleRefused(
            f"the signature of {key.name} has expired",
            code="GAR-7110",
            hint="if the bundle is still good, its holder can sign it again: garrick source sign",
        )
    return None
