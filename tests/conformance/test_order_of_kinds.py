"""Order holds for every kind of mailbox and handler, also while the target is created and when its address was only heard of."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import ActorSystem, Bounded
from tests.conformance.actors import Burst, Make, Pass
from tests.conformance.order_actors import (
    TURN,
    AsyncStashing,
    Becoming,
    InOrder,
    Interleaving,
    Introduce,
    Introducer,
    Mixing,
    Stashing,
)
from tests.conformance.test_order import await_seen

pytestmark = pytest.mark.concurrency

IN_ORDER = list(range(1000))
TURNED = [TURN, *range(TURN), *range(TURN + 1, 1000)]
ROOM = {"mailbox": Bounded(5000)}

KINDS = [
    pytest.param(InOrder, ROOM, IN_ORDER, id="bounded"),
    pytest.param(Stashing, {}, TURNED, id="stash"),
    pytest.param(AsyncStashing, {}, TURNED, id="async stash"),
    pytest.param(Stashing, ROOM, TURNED, id="bounded stash"),
    pytest.param(Stashing, {"isolation": "thread"}, TURNED, id="stash on a thread"),
    pytest.param(Becoming, {}, IN_ORDER, id="behaviours"),
    pytest.param(Becoming, ROOM, IN_ORDER, id="bounded behaviours"),
    pytest.param(Interleaving, {}, IN_ORDER, id="reentrant"),
    pytest.param(Interleaving, ROOM, IN_ORDER, id="bounded reentrant"),
    pytest.param(Mixing, {}, IN_ORDER, id="reentrant by receive"),
]


@pytest.mark.parametrize(("actor_class", "options", "expected"), KINDS)
def test_order(system: ActorSystem, actor_class: Any, options: dict[str, Any], expected: list[int]) -> None:
    source = system.spawn(Burst)
    target = system.spawn(actor_class, **options)
    system.ask(source, Pass(target, "a", 1000))
    assert await_seen(system, target, 1000) == expected


SOME = [kind for kind in KINDS if kind.id in {"bounded", "bounded stash", "behaviours", "bounded reentrant"}]


@pytest.mark.parametrize(("actor_class", "options", "expected"), SOME)
def test_order_while_it_is_created(
    system: ActorSystem, actor_class: Any, options: dict[str, Any], expected: list[int]
) -> None:
    target = system.ask(system.spawn(Burst), Make(actor_class, (), options))
    assert await_seen(system, target, 1000) == expected


@pytest.mark.parametrize(("actor_class", "options", "expected"), SOME)
def test_order_of_one_who_only_heard_of_it(
    system: ActorSystem, actor_class: Any, options: dict[str, Any], expected: list[int]
) -> None:
    relay, introducer = system.spawn(Burst), system.spawn(Introducer)
    target = system.ask(introducer, Introduce(relay, actor_class, options))
    assert await_seen(system, target, 1000) == expected
