"""Names, messages, exceptions and addresses."""

from __future__ import annotations

import pickle

import acting
import pytest
from houses import Start, free_port

import thespian.actors as api
from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystem,
    ActorSystemException,
    ActorSystemFailure,
    ActorSystemMessage,
    ActorSystemRequestTimeout,
    ActorSystemStartupFailure,
    ChildActorExited,
    DeadEnvelope,
    InvalidActorAddress,
    InvalidActorSourceHash,
    InvalidActorSpecification,
    NoCompatibleSystemForActor,
    PoisonMessage,
    ThespianGeneration,
    WakeupMessage,
    requireCapability,
)

UPSTREAM = {
    "Actor",
    "ActorAddress",
    "ActorExitRequest",
    "ActorSystem",
    "ActorSystemConventionUpdate",
    "ActorSystemException",
    "ActorSystemFailure",
    "ActorSystemMessage",
    "ActorSystemRequestTimeout",
    "ActorSystemStartupFailure",
    "ActorTypeDispatcher",
    "ChildActorExited",
    "DeadEnvelope",
    "ExternalContext",
    "InvalidActorAddress",
    "InvalidActorSourceHash",
    "InvalidActorSpecification",
    "LoadedSource",
    "NoCompatibleSystemForActor",
    "PoisonMessage",
    "ThespianGeneration",
    "ThespianWatch",
    "Thespian_ActorStatus",
    "Thespian_StatusReq",
    "Thespian_SystemStatus",
    "UnloadedSource",
    "ValidateSource",
    "ValidatedSource",
    "WakeupMessage",
    "WatchMessage",
    "contextmanager",
    "inspect",
    "logging",
    "requireCapability",
}


def test_star_import_gives_upstreams_names() -> None:
    names: dict[str, object] = {}
    exec("from thespian.actors import *", names)
    names.pop("__builtins__")
    assert set(names) == UPSTREAM
    assert ThespianGeneration == (3, 10)
    assert set(names) == set(api.__all__)


def test_texts_of_messages() -> None:
    address = ActorAddress("here")
    assert str(ActorExitRequest()) == "ActorExitRequest"
    assert str(ChildActorExited(address)) == "ChildActorExited:ActorAddr-here"
    assert str(PoisonMessage("pill")) == "Poison<pill>"
    assert str(PoisonMessage("pill", "why")) == "Poison<pill>: why"
    assert str(WakeupMessage(3, "x")) == "WakeupMessage(3, x)"
    letter = DeadEnvelope(address, "message")
    assert str(letter) == "DeadEnvelope(message)->ActorAddr-here"
    letter.deadMessage = letter
    assert str(letter) == "DeadEnvelope(self)->ActorAddr-here"


def test_equality_of_messages() -> None:
    here, there = ActorAddress("here"), ActorAddress("there")
    not_recursive = ActorExitRequest()
    not_recursive.notRecursive()
    assert (ActorExitRequest().isRecursive, not_recursive.isRecursive) == (True, False)
    assert ActorExitRequest() == not_recursive
    assert ChildActorExited(here) == ChildActorExited(ActorAddress("here")) != ChildActorExited(there)
    assert PoisonMessage("a", "x") == PoisonMessage("a", "y") != PoisonMessage("b")
    assert WakeupMessage(1, 2) == WakeupMessage(1, 2) != WakeupMessage(1, 3)
    assert DeadEnvelope(here, 1) == DeadEnvelope(here, 1) != DeadEnvelope(there, 1)
    for message in (
        not_recursive,
        ChildActorExited(here),
        PoisonMessage(1, "d"),
        WakeupMessage(1),
        DeadEnvelope(here, 1),
    ):
        assert isinstance(message, ActorSystemMessage)
        assert pickle.loads(pickle.dumps(message)) == message


def test_texts_of_exceptions_also_after_pickling() -> None:
    errors = {
        InvalidActorAddress("where", "not valid"): "where is not valid",
        NoCompatibleSystemForActor("Foo", "Nothing fits"): "Nothing fits for Actor Foo",
        InvalidActorSourceHash("abc"): "Source hash abc does not match any loaded sources.",
        InvalidActorSpecification("Foo"): "Invalid Actor Specification: Foo",
        InvalidActorSpecification("Foo", "why"): "Invalid Actor Specification: Foo (why)",
        ActorSystemFailure("broken"): "broken",
    }
    for error, text in errors.items():
        assert isinstance(error, ActorSystemException)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), str(error)) == (type(error), text, text)
    assert issubclass(ActorSystemStartupFailure, ActorSystemFailure)
    assert issubclass(ActorSystemRequestTimeout, ActorSystemFailure)


def test_addresses_are_equal_hashed_pickled_and_sent(start: Start, base: str) -> None:
    asys = start(base)
    one, two = asys.createActor(acting.Facts), asys.createActor(acting.Facts)
    assert one != two
    assert one != "one"
    assert one == asys.ask(one, "address", 10) == pickle.loads(pickle.dumps(one))
    assert {one: 1, two: 2}[asys.ask(two, "address", 10)] == 2
    assert len({str(one), str(two)}) == 2
    assert str(one).startswith("ActorAddr-")
    allowed = set("-~/():., '|>")
    assert all(c.isalnum() or c in allowed for c in str(one))
    if base in {"multiprocTCPBase", "multiprocUDPBase"}:
        assert f"|:{asys.capabilities['Admin Port']})" in str(one)
    assert asys.ask(one, "facts", 10)[3] == f"{{A:Facts @ {one}}}"


def test_actors_can_be_made_outside_of_any_system() -> None:
    actor = acting.Raising()
    actor.send = lambda targetAddr, msg: sent.append(msg)
    sent: list[object] = []
    actor.receiveMessage("seen?", ActorAddress("x"))
    assert sent == [[]]
    with pytest.raises(AttributeError):
        _ = actor.myAddress
    with pytest.raises(AssertionError):
        Actor().receiveMessage("x", ActorAddress("x"))


def test_requirements_stack_and_keep_the_classes_own_check() -> None:
    @requireCapability("a")
    @requireCapability("b", 2)
    class Both:
        @staticmethod
        def actorSystemCapabilityCheck(capabilities: object, requirements: object) -> bool:
            return requirements != "no"

    def fits(capabilities: dict[str, object], requirements: object = None) -> bool:
        return bool(Both.actorSystemCapabilityCheck(capabilities, requirements))

    assert fits({"a": 1, "b": 2})
    assert not fits({"a": 0, "b": 2})
    assert not fits({"a": 1, "b": 3})
    assert not fits({"a": 1, "b": 2}, "no")


def test_own_capabilities_are_written_into_the_programs_dict(base: str) -> None:
    capabilities: dict[str, object] = {"mine": 1, "Admin Port": free_port()}
    asys = ActorSystem(base, capabilities, False, transientUnique=True)
    assert asys.capabilities is capabilities
    expected = "simpleSystem" if base == "simpleSystemBase" else base
    assert capabilities["Thespian ActorSystem Name"] == expected
    assert capabilities["Thespian Generation"] == (3, 10)
    assert capabilities["mine"] == 1
    asys.shutdown()
