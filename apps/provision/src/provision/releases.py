"""Releases of the steps: signed bundles that are loaded into the running systems, and taken out again.

Owns building, signing, deploying and retiring them. A release is the module ``provision.steps`` alone, as the top-level module
``steps``; what it imports of the application is what is installed. Requests are accepted with the release of their moment
(``Store.accept``), and run on it to their end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import provision.steps
from garrick import ActorSystem
from garrick.errors import GarrickError
from garrick.sources import keys
from garrick.sources.build import build
from garrick.sources.container import Limits, read, write
from garrick.sources.keyring import Keyring
from provision.hosts import APP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.hosts import Convention
    from provision.store import Store

NAME: Final = "steps"
KEY: Final = "operator"


class Releases:
    """The releases of one convention.

    Args:
        convention: with the application server running.
        system: the application server's.
        store: the database.
    """

    def __init__(self, convention: Convention, system: ActorSystem, store: Store) -> None:
        self.convention, self.system, self.store = convention, system, store
        with self._at_home():
            ring = Keyring()
            ring.add(ring.new(KEY), [NAME])

    def deploy(self, version: str) -> str:
        """Make a release current: requests that are accepted from now on have it.

        Returns:
            Its hash.

        Raises:
            GarrickError: it is not accepted.
        """
        file = self.convention.directory / f"release-{version}" / "steps.py"
        file.parent.mkdir()
        text = Path(provision.steps.__file__).read_text(encoding="utf-8")
        file.write_text(f"{text}\nRELEASE = {version!r}\n", encoding="utf-8")
        with self._at_home():
            bundle = read(build([file], NAME, version), Limits())
            signed = keys.sign(bundle, KEY, Keyring().private(KEY))
            data = write(signed.text, signed.signatures, signed.archive)
            source = self.system.load_source(data, development=True)
        self.system.activate_source(source)
        self.store.release_steps(source.hash)
        return source.hash

    def retire(self, digest: str, systems: Sequence[str]) -> list[str]:
        """Drain and unload a release whose requests have all come to their end, on every system that has it.

        Returns:
            What stands against it, as text; empty when it is really gone.
        """
        problems = []
        for name in systems:
            system = self.system if name == APP else ActorSystem.attach(self.convention.name(name))
            try:
                if any(row["hash"] == digest for row in system.sources()):
                    state = system.drain_source(digest, deadline=20, wait=True)["state"]
                    if state != "drained":
                        problems.append(f"{name}: it is {state}")
                        continue
                    system.unload_source(digest)
            except GarrickError as error:
                problems.append(f"{name}: {error}")
            finally:
                if name != APP:
                    system.stop()
        return problems

    @contextmanager
    def _at_home(self) -> Iterator[None]:
        """This program has the keys and the sources of the application server."""
        before = {name: os.environ.get(name) for name in self.convention.sources(APP)}
        os.environ.update(self.convention.sources(APP))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
