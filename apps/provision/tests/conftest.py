from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.dispatch import Dispatch
from provision.store import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "provision.db"


@pytest.fixture
def dispatch(database: Path) -> Iterator[Dispatch]:
    """A Control's connection with two hosts that are up and ten addresses."""
    with Dispatch(database) as dispatch:
        for host in ("h1", "h2"):
            dispatch.add_host(host)
        dispatch.add_addresses(addresses(99, 10))
        dispatch.take_over()
        for host in ("h1", "h2"):
            dispatch.host_up(host, 1)
        yield dispatch
