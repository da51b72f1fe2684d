"""``thespian.test``: what test suites of programs use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import acting
import pytest

from thespian.actors import ActorSystem
from thespian.test import (
    ActorSystemTestCase,
    actor_system_unsupported,
    asys,  # noqa: F401 - fixtures
    asys2,  # noqa: F401
    delay_for_next_of_kin_notification,
    inTestDelay,
    unstable_test,
)

BASE = "simpleSystemBase"


class TestCase(ActorSystemTestCase):
    def test_the_system_is_there(self) -> None:
        assert ActorSystem().ask(ActorSystem().createActor(acting.Echo), "x", 10) == "x"
        assert ActorSystem()._systemBase is self.system._systemBase


def test_a_fixture_gives_a_system_on_each_base(asys: Any) -> None:  # noqa: F811
    assert asys.ask(asys.createActor(acting.Echo), "x", 10) == "x"
    for check in (actor_system_unsupported, unstable_test):
        check(asys, "no base")
        with pytest.raises(pytest.skip.Exception):
            check(asys, "no base", asys.base_name)


@pytest.mark.parametrize("asys", [BASE], indirect=True)
def test_a_second_system_is_another_one(asys: Any, asys2: Any) -> None:  # noqa: F811
    assert (asys2.base_name, asys.port_num != asys2.port_num) == (BASE, True)
    one, two = asys.createActor(acting.Echo), asys2.createActor(acting.Echo)
    assert one != two
    inTestDelay(timedelta(0))
    delay_for_next_of_kin_notification(asys)
