"""An inbox is the program's own address."""

from __future__ import annotations

import threading

import pytest

from garrick import ActorSystem, SystemStopped, Terminated
from tests.conformance.actors import Echo, Get, Parent, Pass, Recorder, SenderRecorder


def test_messages_come_in_order_with_their_senders(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        echo = system.spawn(Echo)
        for number in range(10):
            inbox.send(echo, number)
        assert [inbox.receive_from(10) for _ in range(10)] == [(number, echo) for number in range(10)]


def test_nothing_in_time_is_a_time_out(system: ActorSystem) -> None:
    inbox = system.inbox()
    with pytest.raises(TimeoutError):
        inbox.receive(0.01)
    with pytest.raises(TimeoutError):
        inbox.receive(0)


def test_an_inbox_watches(system: ActorSystem) -> None:
    inbox, echo = system.inbox(), system.spawn(Echo)
    inbox.watch(echo)
    system.stop_actor(echo)
    assert inbox.receive(10) == Terminated(echo, "stopped")


def test_inboxes_can_write_to_each_other(system: ActorSystem) -> None:
    one, two = system.inbox(), system.inbox()
    one.send(two.address, "hello")
    assert two.receive_from(10) == ("hello", one.address)


def test_the_address_of_an_inbox_can_be_passed_on(system: ActorSystem) -> None:
    inbox, actor = system.inbox(), system.spawn(Parent)
    system.ask(actor, Pass(inbox.address, "by way of the address", 3))
    assert [inbox.receive_from(10) for _ in range(3)] == [("by way of the address", actor)] * 3


def test_a_closed_inbox_neither_sends_nor_receives(system: ActorSystem) -> None:
    inbox, echo = system.inbox(), system.spawn(Echo)
    inbox.close()
    inbox.close()
    for operation in (lambda: inbox.send(echo, 1), lambda: inbox.receive(1), lambda: inbox.watch(echo)):
        with pytest.raises(SystemStopped):
            operation()


@pytest.mark.real_time("sim is driven by one thread of the program at a time")
def test_many_threads_may_send_at_once(system: ActorSystem) -> None:
    target = system.spawn(SenderRecorder)
    inboxes = [system.inbox() for _ in range(4)]

    def send(which: int) -> None:
        for number in range(200):
            inboxes[which].send(target, (which, number))

    threads = [threading.Thread(target=send, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [message for message, _ in system.ask(target, Get())]
    for which in range(4):
        assert [number for source, number in seen if source == which] == list(range(200))
    assert system.ask(system.spawn(Recorder), Get()) == []
