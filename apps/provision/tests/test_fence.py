from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from provision.errors import Fenced
from provision.fence import Fence

if TYPE_CHECKING:
    from pathlib import Path


def test_each_agent_gets_a_higher_number_also_after_a_restart(tmp_path: Path) -> None:
    assert [Fence(tmp_path).take() for _ in range(3)] == [1, 2, 3]


def test_a_replaced_agent_begins_nothing_any_more(tmp_path: Path) -> None:
    fence = Fence(tmp_path)
    old = fence.take()
    with fence.held(old):
        pass
    new = Fence(tmp_path).take()
    with pytest.raises(Fenced, match="replaced by agent 2"), fence.held(old):
        pytest.fail("an old agent acted")
    with fence.held(new), fence.held(new):
        pass  # effects of several servers at the same time


def test_a_new_agent_waits_for_the_effects_that_are_under_way(tmp_path: Path) -> None:
    fence = Fence(tmp_path)
    number = fence.take()
    taken = threading.Event()

    def take() -> None:
        Fence(tmp_path).take()
        taken.set()

    with fence.held(number):
        thread = threading.Thread(target=take)
        thread.start()
        assert not taken.wait(0.1)
    assert taken.wait(10)
    thread.join(10)
