"""Errors on their way to whoever asked: codes, hints and notes arrive."""

from __future__ import annotations

import pytest

from garrick import ActorSystem, HandlerFailed, InvalidArgument
from tests.conformance.log_actors import Complain, Complainer, Messenger


def test_notes_of_an_exception_arrive(system: ActorSystem) -> None:
    with pytest.raises(HandlerFailed, match="GAR-1003 Complainer failed on Complain") as caught:
        system.ask(system.spawn(Complainer), Complain("note"))
    assert isinstance(caught.value.error, LookupError)
    assert caught.value.error.__notes__ == ["in shelf 12"]
    assert any("in shelf 12" in note for note in caught.value.__notes__)  # as a part of the traceback


def test_codes_and_hints_of_our_own_errors_arrive(system: ActorSystem) -> None:
    with pytest.raises(HandlerFailed) as caught:
        system.ask(system.spawn(Complainer), Complain("argument"))
    error = caught.value.error
    assert isinstance(error, InvalidArgument)
    assert (error.code, error.hint) == ("GAR-5001", "give 'shared', 'thread' or 'process'")
    assert error.__notes__ == [f"hint: {error.hint}\nmore: garrick explain GAR-5001"]


def test_notes_that_are_added_on_the_way_arrive(system: ActorSystem) -> None:
    with pytest.raises(HandlerFailed) as caught:
        system.ask(system.spawn(Messenger, system.spawn(Complainer)), Complain("note"))
    inner = caught.value.error
    assert isinstance(inner, HandlerFailed)
    assert "carried by a messenger" in inner.__notes__
    assert isinstance(inner.error, LookupError)
    assert inner.error.__notes__ == ["in shelf 12"]
