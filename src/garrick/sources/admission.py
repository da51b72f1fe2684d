"""From the bytes of a bundle to a source that actors can be spawned from: verify, have it approved, store, load.

Owns the order, and the edge: clock, keyring and store. Every system that loads a bundle goes this way by itself, whoever it got it from.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from garrick.errors import SourceMissing
from garrick.sources import keys
from garrick.sources.authority import SourceOffered, decide
from garrick.sources.keyring import Keyring
from garrick.sources.loading import Loaded, attach, class_of, load, wanted
from garrick.sources.manifest import Manifest
from garrick.sources.roster import part
from garrick.sources.store import Store
from garrick.sources.verify import verify

if TYPE_CHECKING:
    from garrick.actor import Actor


class Source:
    """A loaded version of a bundle.

    Attributes:
        loaded: what this process has of it, see `garrick.sources.loading`.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    def __repr__(self) -> str:
        return repr(self.loaded)

    @property
    def hash(self) -> str:
        """Its identity."""
        return self.loaded.hash

    @property
    def name(self) -> str:
        """Of the group of versions."""
        return self.loaded.storage.manifest.name

    @property
    def version(self) -> str:
        """Such as 1.4."""
        return self.loaded.storage.manifest.version

    def of(self, name: str | type[Actor]) -> type[Actor]:
        """A class of this version.

        Args:
            name: as the bundle calls it: ``bank.tellers.Teller``.

        Raises:
            BadActorClass: there is none, or this is no name.
        """
        found: type[Actor] = class_of(self.loaded, name)
        return found


def admit(
    bundle: bytes | str | Path,
    ask: Callable[[SourceOffered], Mapping[str, object]],
    *,
    development: bool,
    keyring: Keyring | None = None,
    store: Store | None = None,
    before: Callable[[Manifest], None] | None = None,
) -> Source:
    """Take in a bundle.

    Args:
        bundle: its bytes, or where its file is.
        ask: asks the authorities; gives their answers by their names.
        development: whether a key of this user is enough when there is no authority.
        keyring: other than the user's.
        store: other than the user's.
        before: called when all is well, before it is stored: gets what it uses, or raises.

    Raises:
        BundleRefused: it is not what it should be, or nobody trusted signed it.
        SourceDenied: an authority did not approve it, or there is none.
        SourceConflict: it can't be loaded in this process.
    """
    data = bundle if isinstance(bundle, bytes) else Path(bundle).read_bytes()
    keyring = keyring or Keyring()
    trust = keyring.trust()
    verified = verify(data, trust, time.time(), keys.check)
    offered = SourceOffered(verified.hash, verified.manifest.name, verified.manifest.version, verified.signers)
    mine = {key.id for key in keyring.own()} if development else set()
    own = [known.name for key, known in trust.keys.items() if key in mine]
    decide(offered, ask(offered), own, development=development)
    store = store or Store()
    attach(store)
    (before or _check_uses)(verified.manifest)
    store.add(verified, data)
    loaded = load(store.open(verified.hash), store.cache)
    keyring.remember(offered.name, offered.version)
    importlib.import_module(loaded.prefix)
    return Source(loaded)


def _check_uses(manifest: Manifest) -> None:
    for top, digest in manifest.uses:
        try:
            wanted(part(digest))
        except SourceMissing as error:
            raise SourceMissing(
                f"{manifest.name} {manifest.version} uses {top!r} of the source {digest[:8]}, which is not here",
                name=error.name,
                hint="load that first",
            ) from None
