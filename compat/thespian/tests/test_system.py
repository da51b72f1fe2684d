"""What a program does with its system."""

from __future__ import annotations

import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import acting
import pytest
from houses import PROCESSES, Start, free_port, processes_of

from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ActorSystem,
    ActorSystemFailure,
    ActorSystemStartupFailure,
    InvalidActorSourceHash,
    InvalidActorSpecification,
    PoisonMessage,
)


@pytest.fixture
def no_singleton() -> Iterator[None]:
    yield
    if ActorSystem.systemBase is not None:
        ActorSystem().shutdown()


@pytest.mark.usefixtures("no_singleton")
def test_one_system_in_a_process() -> None:
    first = ActorSystem(logDefs=False)
    assert first._systemBase is ActorSystem.systemBase
    assert ActorSystem()._systemBase is first._systemBase
    assert ActorSystem("simpleSystemBase", {"ignored": 1})._systemBase is first._systemBase
    assert ActorSystem(first._systemBase)._systemBase is first._systemBase
    beside = ActorSystem("simpleSystemBase", logDefs=False, transientUnique=True)
    assert beside._systemBase is not first._systemBase
    beside.shutdown()
    assert ActorSystem.systemBase is first._systemBase
    other = ActorSystem("multiprocQueueBase", logDefs=False)
    assert ActorSystem.systemBase is other._systemBase is not first._systemBase
    first.shutdown()
    assert ActorSystem()._systemBase is other._systemBase
    other.shutdown()
    assert ActorSystem.systemBase is None


def test_unknown_base() -> None:
    with pytest.raises(ModuleNotFoundError):
        ActorSystem("noSuchBase", transientUnique=True)


def test_handles_take_any_attribute(asys: ActorSystem) -> None:
    asys.port_num = 1900  # type: ignore[attr-defined]
    assert asys.port_num == 1900  # type: ignore[attr-defined]


def test_ask_tell_listen(start: Start, base: str) -> None:
    asys = start(base)
    echo = asys.createActor(acting.Echo)
    assert asys.ask(echo, "one", timedelta(seconds=10)) == "one"
    asys.tell(echo, "two")
    asys.tell(echo, "three")
    assert asys.listen(10) == "two"
    assert asys.listen(10.0) == "three"
    begun = time.monotonic()
    assert asys.listen(0.1) is None
    assert time.monotonic() - begun < 5


def test_answers_that_are_not_fetched_stay(asys: ActorSystem) -> None:
    echo = asys.createActor(acting.Echo)
    asys.tell(echo, "leftover")
    time.sleep(0)
    assert asys.ask(echo, "new", 10) == "leftover"
    assert asys.listen(10) == "new"


def test_ask_and_listen_pass_over_messages_of_the_system(asys: ActorSystem) -> None:
    echo = asys.createActor(acting.Echo)
    for hidden in (acting.WakeupMessage(1), PoisonMessage(acting.WakeupMessage(1))):
        asys.tell(echo, hidden)
    poison = PoisonMessage("pill")
    assert asys.ask(echo, poison, 10) == poison
    assert asys.ask(echo, acting.WakeupMessage(1), 0.2) is None


def test_bad_arguments(asys: ActorSystem) -> None:
    echo = asys.createActor(acting.Echo)
    for bad in ("echo", None, ActorAddress("somewhere")):
        with pytest.raises(ValueError, match="not a valid ActorAddress"):
            asys.tell(bad, "x")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="not a valid ActorAddress"):
            asys.ask(bad, "x", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        asys.ask(echo, "x", "soon")  # type: ignore[arg-type]


def test_a_question_to_nobody_is_answered_at_once(start: Start, base: str) -> None:
    asys = start(base)
    echo = asys.createActor(acting.Echo)
    assert asys.ask(echo, "there?", 10) == "there?"
    processes = processes_of(asys)
    asys.tell(echo, ActorExitRequest())
    begun = time.monotonic()
    while asys.ask(echo, "still there?", 10) is not None:
        pass
    assert asys.ask(echo, "there?", 10) is None
    assert time.monotonic() - begun < 5
    del processes


@pytest.mark.parametrize("base", PROCESSES)
def test_what_is_told_must_be_picklable(start: Start, base: str) -> None:
    asys = start(base)
    echo = asys.createActor(acting.Echo)
    with pytest.raises(TypeError, match="pickle"):
        asys.tell(echo, threading.Lock())
    assert asys.ask(echo, "fine", 10) == "fine"


def test_private_addresses(asys: ActorSystem) -> None:
    echo = asys.createActor(acting.Echo)
    with asys.private() as one, asys.private() as two:
        one.tell(echo, "for one")
        two.tell(echo, "for two")
        asys.tell(echo, "for all")
        assert one.listen(10) == "for one"
        assert two.listen(10) == "for two"
        assert asys.listen(10) == "for all"
        assert one.ask(two.createActor(acting.Echo), "x", 10) == "x"
        assert not hasattr(one, "capabilities")
        assert not hasattr(one, "updateCapability")


def test_a_private_address_is_closed_also_after_an_exception(asys: ActorSystem) -> None:
    contexts: list[Any] = []
    with pytest.raises(KeyError), asys.private() as context:
        contexts.append(context)
        raise KeyError
    with pytest.raises(ActorSystemFailure):
        contexts[0].listen(1)


@pytest.mark.parametrize("base", PROCESSES[:1])
def test_threads_with_private_addresses_get_their_own_answers(start: Start, base: str) -> None:
    asys = start(base)
    echo = asys.createActor(acting.Echo)
    wrong: list[object] = []

    def work(number: int) -> None:
        with asys.private() as mine:
            wrong.extend(i for i in range(50) if mine.ask(echo, (number, i), 10) != (number, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bad_classes(asys: ActorSystem) -> None:
    simple = asys._systemBase is not None and asys._systemBase.in_program
    with pytest.raises(InvalidActorSpecification):
        asys.createActor("Echo")
    with pytest.raises(ImportError) as missing_module:
        asys.createActor("no_such_module.Echo")
    assert isinstance(missing_module.value, ModuleNotFoundError) == simple
    with pytest.raises(AttributeError if simple else InvalidActorSpecification):
        asys.createActor("acting.NoSuchClass")
    for bad in (42, acting.NoActor):
        with pytest.raises(TypeError if simple else InvalidActorSpecification):
            asys.createActor(bad)
    with pytest.raises(InvalidActorSourceHash):
        asys.createActor(acting.Echo, sourceHash="abc")
    assert asys.ask(asys.createActor("acting.Echo"), "by name", 10) == "by name"


def test_a_class_inside_another_can_be_created(asys: ActorSystem) -> None:
    assert asys.ask(asys.createActor(acting.Outer.Inner), "inside", 10) == "inside"


def test_an_actor_that_cannot_be_made(asys: ActorSystem) -> None:
    for cls in (acting.Broken, acting.WantsMore):
        if asys._systemBase is not None and asys._systemBase.in_program:
            with pytest.raises((RuntimeError, TypeError)):
                asys.createActor(cls)
        else:
            assert asys.ask(asys.createActor(cls), "hello?", 10) is None


def test_constructor_gets_capabilities_and_requirements(start: Start, some_base: str) -> None:
    asys = start(some_base, {"colour": "red"})
    told, required = asys.ask(asys.createActor(acting.WantsArguments, {"size": 3}), "?", 10)
    assert (told["colour"], required) == ("red", {"size": 3})
    assert asys.ask(asys.createActor(acting.WantsArguments), "?", 10)[1] is None


def test_no_operation_in_the_constructor(asys: ActorSystem) -> None:
    assert asys.ask(asys.createActor(acting.ActsTooEarly), "?", 10) == "AttributeError"


def test_shutdown_is_idempotent_and_final(asys: ActorSystem) -> None:
    echo = asys.createActor(acting.Echo)
    asys.shutdown()
    asys.shutdown()
    for use in (lambda: asys.ask(echo, "x", 1), lambda: asys.createActor(acting.Echo), asys.listen):
        with pytest.raises(ActorSystemFailure):
            use()


def test_shutdown_tells_all_actors(start: Start, base: str, tmp_path: Any) -> None:
    asys = start(base)
    for number in range(2):
        assert asys.ask(asys.createActor(acting.Testament), str(tmp_path / str(number)), 10) == "noted"
    assert asys.ask(asys.createActor(acting.LongSleeper), "go", 10) == "asleep"  # its wakeup keeps nobody
    begun = time.monotonic()
    asys.shutdown()
    assert time.monotonic() - begun < 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "0-child", "1", "1-child"]


def test_a_message_that_the_receiver_cannot_decode(start: Start) -> None:
    asys = start("multiprocTCPBase")
    echo = asys.createActor(acting.Echo)
    here_only = types.ModuleType("a_module_of_this_process")
    exec("class Message: pass", here_only.__dict__)
    sys.modules[here_only.__name__] = here_only
    try:
        with pytest.raises(ActorSystemFailure, match="BadPacketError"):
            asys.ask(echo, here_only.Message(), 10)
    finally:
        del sys.modules[here_only.__name__]
    assert asys.ask(echo, "fine", 10) == "fine"


def test_ask_without_a_limit_can_be_interrupted(start: Start, some_base: str) -> None:
    asys = start(some_base)
    quiet = asys.createActor(acting.Sums if some_base != "simpleSystemBase" else acting.Dozing)
    timer = threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        asys.ask(quiet, 1)
    timer.join()
    assert asys.ask(asys.createActor(acting.Echo), "goes on", 10) == "goes on"


def test_a_name_denotes_one_actor(asys: ActorSystem) -> None:
    one = asys.createActor(acting.Facts, globalName="the one")
    assert asys.createActor("no_such_module.Nothing", globalName="the one") == one
    assert asys.ask(one, "facts", 10)[2] == "the one"
    unnamed = asys.createActor(acting.Facts, globalName="")
    assert asys.ask(unnamed, "facts", 10)[2] is None
    named = asys.createActor(acting.Named)
    assert asys.ask(named, (acting.Facts, "the one"), 10) == one
    other = asys.ask(named, (acting.Facts, "the other"), 10)
    assert other == asys.createActor(acting.Facts, globalName="the other")
    assert asys.ask(other, "facts", 10)[2] == "the other"


@pytest.mark.parametrize("base", PROCESSES[:2])
def test_joining_another_system_is_refused_and_not_pretended(base: str) -> None:
    with pytest.raises(ActorSystemStartupFailure, match="convention"):
        ActorSystem(base, {"Admin Port": free_port(), "Convention Address.IPv4": "10.1.2.3:1900"}, transientUnique=True)


@pytest.mark.parametrize("base", PROCESSES[:2])
def test_two_handles_of_one_port_are_one_system(start: Start, base: str) -> None:
    one = start(base)
    two = ActorSystem(base, {"Admin Port": one.capabilities["Admin Port"]}, False, transientUnique=True)
    counter = one.createActor(acting.Sums, globalName="sums")
    assert two.createActor(acting.Sums, globalName="sums") == counter
    two.tell(counter, 1)
    one.tell(counter, 2)
    assert set(one.ask(counter, "all", 10)) <= {1, 2}
    two.shutdown()
    with pytest.raises(ActorSystemFailure):
        one.createActor(acting.Echo)
    one.shutdown()


@pytest.mark.parametrize("base", PROCESSES)
def test_every_actor_is_a_process_and_runs_on_its_main_thread(start: Start, base: str) -> None:
    asys = start(base)
    facts = [asys.ask(asys.createActor(acting.Facts), "facts", 10) for _ in range(3)]
    assert len({pid for pid, *_ in facts}) == 3
    assert all(main for _, main, *_ in facts)


def test_logging_definitions(start: Start, tmp_path: Any) -> None:
    definitions = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"f": {"format": "%(name)s %(actorAddress)s %(message)s"}},
        "filters": {"actors": {"()": "thespian._logging.OfActors", "actors": True}},
        "handlers": {
            "h": {
                "class": "logging.FileHandler",
                "filename": str(tmp_path / "log"),
                "formatter": "f",
                "filters": ["actors"],
            }
        },
        "root": {"handlers": ["h"], "level": "INFO"},
    }
    asys = start("multiprocTCPBase", logDefs=definitions)
    address = asys.ask(asys.createActor(acting.Logging), "hello", 10)
    assert (tmp_path / "log").read_text() == f"of.actor {address} said hello\n"
