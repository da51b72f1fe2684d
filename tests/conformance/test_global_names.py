"""Names that are unique in the whole convention; a system on its own is one."""

from __future__ import annotations

import pytest

from garrick import ActorSystem, NameTaken
from garrick.errors import InvalidArgument
from tests.conformance.named_actors import Hire, Office, Where

NAMES = ("local", "sim", "multiprocess", "sim-convention")
"""Over the engine there is a test of its own: a new authority grants nothing for the length of a lease."""


@pytest.mark.over(*NAMES)
def test_a_global_name_has_one_holder_and_is_free_after_its_end(system: ActorSystem) -> None:
    first = system.spawn(Office, global_name="office")
    assert system.lookup("office", everywhere=True) == first
    assert system.lookup("office") is None
    with pytest.raises(NameTaken, match="office"):
        system.spawn(Office, global_name="office")
    epoch = system.ask(first, "epoch")
    system.stop_actor(first)
    second = system.spawn(Office, global_name="office")
    assert system.lookup("office", everywhere=True) == second
    assert system.ask(second, "epoch") > epoch
    system.stop_actor(second)
    assert system.lookup("office", everywhere=True) is None


@pytest.mark.over(*NAMES)
def test_actors_use_global_names(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        parent = system.spawn(Office, inbox.address)
        assert system.ask(parent, "epoch") is None
        child = system.ask(parent, Hire("desk"))
        assert system.ask(child, "epoch") > 0
        assert system.ask(parent, Where("desk")) == child
        assert system.ask(parent, Where("nobody's")) is None
        late = system.ask(parent, Hire("desk"))
        assert inbox.receive(10) == (late, "refused")
        system.stop_actor(parent)
    assert system.lookup("desk", everywhere=True) is None


@pytest.mark.over(*NAMES)
def test_who_is_refused_a_global_name_leaves_its_other_name_free(system: ActorSystem) -> None:
    holder = system.spawn(Office, name="plain", global_name="both")
    with pytest.raises(NameTaken, match="both"):
        system.spawn(Office, name="other", global_name="both")
    system.stop_actor(system.spawn(Office, name="other"))
    with pytest.raises(InvalidArgument, match="global_name"):
        system.spawn(Office, global_name="")
    system.stop_actor(holder)
