"""Requirements against capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick import Actor, requires
from garrick.requirements import is_demanding, missing, requirements_of


@requires("db", zone="active")
class Base(Actor): ...


@requires("gpu", zone="spare")
class Below(Base): ...


class Checks(Actor):
    @staticmethod
    def can_run_on(capabilities: Mapping[str, Any]) -> bool:
        return True


def test_requirements_add_up_over_classes_and_the_spawn() -> None:
    assert requirements_of(Base) == {"db": True, "zone": "active"}
    assert requirements_of(Below) == {"db": True, "gpu": True, "zone": "spare"}
    assert requirements_of(Base, {"zone": "test", "host": "h1"}) == {"db": True, "zone": "test", "host": "h1"}
    assert requirements_of(Actor) == {}
    assert requirements_of(None, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("wanted", "capabilities", "expected"),
    [
        ({}, {}, ()),
        ({"db": True}, {"db": True}, ()),
        ({"db": True}, {"db": "postgres"}, ()),
        ({"db": True}, {}, ("db",)),
        ({"db": True}, {"db": False}, ("db",)),
        ({"db": True}, {"db": 0}, ("db",)),
        ({"db": False}, {}, ("db=False",)),
        ({"zone": "a"}, {"zone": "a"}, ()),
        ({"zone": "a"}, {"zone": "b"}, ("zone='a' (has 'b')",)),
        ({"zone": "a"}, {}, ("zone='a'",)),
        ({"cores": 4}, {"cores": 4.0}, ()),
        ({"a": True, "b": 1}, {}, ("a", "b=1")),
    ],
)
def test_missing(wanted: dict[str, Any], capabilities: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert missing(wanted, capabilities) == expected


@given(st.dictionaries(st.text(), st.one_of(st.integers(1), st.text(min_size=1), st.just(value=True))))
def test_what_offers_exactly_that_lacks_nothing(wanted: dict[str, Any]) -> None:
    assert missing(wanted, wanted) == ()
    assert len(missing(wanted, {})) == len(wanted)


@pytest.mark.parametrize(
    ("cls", "extra", "expected"),
    [(Actor, None, False), (Actor, {}, False), (Actor, {"a": 1}, True), (Base, None, True), (Checks, None, True)],
)
def test_is_demanding(cls: type, extra: dict[str, Any] | None, expected: bool) -> None:
    assert is_demanding(cls, extra) is expected
