"""Who decides after the signatures: what an authority is asked, and what its answers mean.

Owns the rule. Pure. Default deny: without an authority nothing is loaded, unless the host is a development system and one of its user's own
keys stands for the bundle; an authority that is silent, fails, or answers with anything but `True` has refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from garrick.errors import SourceDenied
from garrick.messages import Request

AUTHORITY = "source-authority"
"""The name of the actor that is asked, unless others are given."""


@dataclass(frozen=True)
class SourceOffered(Request[bool]):
    """May this bundle be loaded? Its signatures were checked before. An authority answers `True`; anything else refuses.

    Attributes:
        hash: the identity of the bundle.
        name: of its group.
        version: of it.
        signers: names of the trusted keys that stand for it.
    """

    hash: str
    name: str
    version: str
    signers: tuple[str, ...]


def decide(offered: SourceOffered, answers: Mapping[str, object], own: Collection[str], *, development: bool) -> None:
    """Raise unless the bundle may be loaded.

    Args:
        offered: the bundle.
        answers: of the authorities, by their names; an exception where there is none.
        own: names of the trusted keys that are this user's own.
        development: whether an own key is enough when there is no authority.

    Raises:
        SourceDenied: with the reason.
    """
    what = f"{offered.name} {offered.version} ({offered.hash[:8]})"
    if not answers:
        if development and set(own) & set(offered.signers):
            return
        raise SourceDenied(f"{what} is signed well, and nobody here decides about sources")
    for name, answer in answers.items():
        if isinstance(answer, BaseException):
            raise SourceDenied(f"{what} was not approved: {name} did not answer: {answer}")
        if answer is not True:
            raise SourceDenied(f"{what} was not approved: {name} said {answer!r:.200}")
