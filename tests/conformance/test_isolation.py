"""``isolation="thread"`` and ``"process"``."""

from __future__ import annotations

import os
import threading

import psutil
import pytest

from garrick import ActorSystem, ChildExited, InvalidArgument, Resume
from garrick.inbox import Inbox
from tests.conformance.actors import Consult, Echo, End, Get, Make, Parent, Raise
from tests.conformance.restarting_actors import Counter
from tests.conformance.waiting_actors import Dies, Pid, Threaded


def test_an_actor_with_a_thread_of_its_own_does_everything_on_it(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Threaded, inbox.address, isolation="thread")
    assert inbox.receive(10) == "ticked"
    threads = system.ask(actor, Get())
    assert system.ask(actor, Consult(system.spawn(Echo), 1)) == 1
    system.stop_actor(actor)
    threads += inbox.receive(10)
    assert len(set(threads)) == 1
    if actor.process == system._runtime.number:  # only comparable within the process
        assert threads[0] != threading.get_ident()


def test_each_isolated_actor_has_its_own_thread(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent)
    make = Make(Threaded, (inbox.address,), {"isolation": "thread"})
    threads = {system.ask(system.ask(parent, make), Get())[0] for _ in range(3)}
    assert len(threads) == 3


def test_a_restart_stays_on_the_thread(system: ActorSystem, inbox: Inbox) -> None:
    from garrick import Restart

    actor = system.spawn(
        "tests.conformance.waiting_actors.RestartsOnThread",
        inbox.address,
        isolation="thread",
        supervision=Restart(backoff=None),
    )
    first = inbox.receive(10)
    system.send(actor, Raise(ValueError("again")))
    assert inbox.receive(10) == first


def test_a_failing_isolated_actor_is_supervised_like_any_other(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, isolation="thread", supervision=Resume())
    system.send(actor, Raise(ValueError("boom")))
    assert system.ask(actor, 3) == 3


@pytest.mark.over("local", "sim")
def test_a_base_without_processes_says_so(system: ActorSystem) -> None:
    with pytest.raises(InvalidArgument, match="multiprocess"):
        system.spawn(Pid, isolation="process")


@pytest.mark.over("multiprocess", "convention")
def test_a_process_of_its_own(system: ActorSystem, inbox: Inbox, base: str) -> None:
    parent = system.spawn(Parent, inbox.address)
    make = Make(Pid, options={"isolation": "process"})
    pids = {os.getpid(), *(system.ask(system.spawn(Pid), Get()) for _ in range(4))}
    actors = [system.ask(parent, make), system.ask(parent, make)]
    if base == "multiprocess":
        actors.append(system.spawn(Pid, isolation="process"))
    for actor in actors:
        pid = system.ask(actor, Get())
        assert pid not in pids
        pids.add(pid)
        child = system.ask(actor, Make(Pid))
        assert system.ask(child, Get()) == pid


@pytest.mark.over("multiprocess", "convention")
def test_the_end_of_a_process_is_reported_to_the_parent_once(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Dies, options={"isolation": "process"}))
    inbox.watch(child)
    system.send(child, End())
    told = [inbox.receive(10) for _ in range(2)]
    assert {notice.reason for notice in told} == {"worker lost"}
    assert [notice.child for notice in told if isinstance(notice, ChildExited)] == [child]
    assert system.ask(parent, Get()) == ()


@pytest.mark.over("multiprocess", "convention")
def test_the_process_ends_with_its_actor(system: ActorSystem) -> None:
    actor = system.ask(system.spawn(Parent), Make(Pid, options={"isolation": "process"}))
    process = psutil.Process(system.ask(actor, Get()))
    system.stop_actor(actor)
    process.wait(10)


@pytest.mark.over("convention", "sim-convention")
def test_no_process_can_be_had_from_afar(system: ActorSystem) -> None:
    with pytest.raises(InvalidArgument, match="isolation='process'"):
        system.spawn(Pid, isolation="process")
