from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from garrick import ActorSystem


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    before = set(threading.enumerate())
    sleep = time.sleep
    yield
    assert set(threading.enumerate()) == before
    assert time.sleep is sleep


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("sim") as system:
        yield system
