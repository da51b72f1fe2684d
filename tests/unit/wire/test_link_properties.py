"""Whatever the carrier does and whoever restarts: each envelope arrives once and in order, or is handed back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrick.errors import WireError
from garrick.wire import envelope as wire
from garrick.wire import link as links
from garrick.wire.frame import DATA, FRAME_SIZE, HELLO, pack, unpack

from .network import SMALL, Network, make, number_of, other

sides = st.sampled_from("ab")
sizes = st.sampled_from([0, 0, 0, 50, 230, 270, 800, 2500])
steps = st.one_of(
    st.tuples(st.just("send"), sides, st.integers(1, 12), sizes),
    st.tuples(st.just("move"), sides, st.integers(1, 30)),
    st.tuples(st.just("move"), sides, st.integers(1, 30)),
    st.tuples(st.just("drop"), sides, st.integers(0, 50)),
    st.tuples(st.just("reset"), sides, st.integers(0, 8)),
    st.tuples(st.just("time"), st.sampled_from([0.0, 0.01, 0.06, 0.3, 0.6, 2.0, 5.0])),
)
upheavals = st.one_of(
    st.tuples(st.just("restart"), sides), st.tuples(st.just("rejoin"), sides), st.tuples(st.just("renew"), sides)
)


def play(network: Network, script: list[tuple[object, ...]]) -> None:
    for step in script:
        match step:
            case ("send", str(name), int(count), int(size)):
                for _ in range(count):
                    network.send(name, size)
            case ("move", str(name), int(count)):
                network.poll(name)
                for _ in range(count):
                    network.deliver(name)
            case ("drop", str(name), int(index)):
                network.poll(name)
                network.drop(name, index)
            case ("reset", str(name), int(repeat)):
                network.reset(name, repeat)
            case ("time", float(seconds)):
                network.pass_time(seconds)
            case ("restart", str(name)):
                network.restart(name)
            case ("rejoin", str(name)):
                network.rejoin(name)
            case ("renew", str(name)):
                network.renew(name)
            case _:
                raise AssertionError(step)
        for name, side in network.sides.items():
            network.revive(name)
            held = side.link.statistics()
            assert held.in_window <= SMALL.window
            assert held.queued <= SMALL.queue_limit


def check(network: Network) -> None:
    for name, side in network.sides.items():
        got = network.sides[other(name)].received
        assert got == sorted(set(got)), "twice, or out of order"
        told = set(got) | set(side.handed_back)
        assert set(side.accepted) <= told, "lost without a word"
        assert side.handed_back == sorted(set(side.handed_back))
        assert not any(isinstance(event, links.Refused) for event in side.events)
        assert set(got) <= set(side.accepted) | set(side.lost)


@given(st.lists(steps, max_size=40))
@settings(max_examples=200, deadline=None)
def test_between_living_systems_everything_arrives_once_and_in_order(script: list[tuple[object, ...]]) -> None:
    network = Network()
    play(network, script)
    network.settle()
    check(network)
    for name, side in network.sides.items():
        assert network.sides[other(name)].received == side.accepted
        assert not side.handed_back


@given(st.lists(st.one_of(steps, steps, steps, upheavals), max_size=40))
@settings(max_examples=200, deadline=None)
def test_when_systems_restart_or_rejoin_nothing_is_lost_without_a_word(script: list[tuple[object, ...]]) -> None:
    network = Network()
    play(network, script)
    network.settle()
    check(network)
    before = {name: len(side.received) for name, side in network.sides.items()}
    for name in "ab":
        assert network.send(name)
    network.settle()
    assert all(len(side.received) == before[name] + 1 for name, side in network.sides.items())


@given(st.lists(st.tuples(sides, st.integers(0, 400)), min_size=1, max_size=30), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_linger_changes_no_promise(sends: list[tuple[str, int]], seed: int) -> None:
    config = links.LinkConfig(linger=0.001, frame_payload=500, window=4000, batch=3)
    network = Network(config)
    for position, (name, size) in enumerate(sends):
        assert network.send(name, size)
        if seed >> position & 1:
            network.poll(name)
            network.pass_time(0.0004)
    network.settle()
    check(network)
    assert all(network.sides[other(name)].received == side.accepted for name, side in network.sides.items())


@given(st.lists(st.binary(max_size=300), max_size=20))
@settings(deadline=None)
def test_random_frames_are_refused_and_change_nothing(noise: list[bytes]) -> None:
    network = Network()
    network.settle()
    link = network.sides["a"].link
    for frame in noise:
        events = link.on_frame(frame, network.now)
        assert all(isinstance(event, links.Refused) for event in events)
    network.send("b")
    network.settle()
    assert network.sides["a"].received == [0]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_frames_never_raise(data: st.DataObject) -> None:
    network = Network()
    network.settle()
    for _ in range(6):
        network.send("a", data.draw(sizes))
    for frame in network.poll("a"):
        damaged = bytearray(frame)
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, min(len(frame) - 1, 90)))] = data.draw(st.integers(0, 255))
        network.sides["b"].link.on_frame(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), network.now)
        network.sides["b"].link.poll_out(network.now + 1)


@pytest.mark.parametrize("cut", [1, 4, 33])
def test_a_frame_that_is_cut_off_is_sent_again(cut: int) -> None:
    network = Network()
    network.settle()
    assert network.send("a")
    assert network.send("a")
    (frame,) = network.poll("a")
    network.wires["a"].clear()
    (event,) = network.sides["b"].link.on_frame(frame[:-cut], network.now)
    assert isinstance(event, links.Refused)
    assert isinstance(event.error, WireError)
    assert network.sides["b"].link.statistics().refused == 1
    network.settle()
    assert network.sides["b"].received == [0, 1]


def test_a_frame_that_acknowledges_what_was_never_sent_is_refused_as_a_whole() -> None:
    network = Network()
    network.settle()
    network.send("a")
    (frame,) = network.poll("a")
    kind, flags, source, target, sequence, _, credit = unpack(frame)
    forged = pack(kind, flags, source, target, sequence, 99, credit) + frame[FRAME_SIZE:]
    (event,) = network.sides["b"].link.on_frame(forged, network.now)
    assert isinstance(event, links.Refused)
    network.settle()
    assert network.sides["b"].received == [0]


def test_a_full_window_and_queue_refuse_and_tell_when_there_is_room() -> None:
    network = Network()
    network.settle()
    while network.send("a", 100):
        network.poll("a")
    held = network.sides["a"].link.statistics()
    assert held.in_window > SMALL.window - 2 * SMALL.frame_payload
    assert held.queued > SMALL.queue_limit - SMALL.frame_payload
    sent = network.next_number
    network.sides["a"].events.clear()
    network.settle()
    assert network.sides["a"].events == [links.Writable()]
    assert network.sides["b"].received == list(range(sent))


def test_credit_of_the_receiver_holds_the_sender_back() -> None:
    network = Network()
    network.sides["b"].link.grant(0, network.now)
    for name in "abab":
        network.poll(name)
        while network.deliver(name):
            pass
    network.send("a")
    assert all(unpack(frame)[0] != DATA for frame in network.poll("a"))
    network.sides["b"].link.grant(1000, network.now)
    network.settle()
    assert network.sides["b"].received == [0]


def test_an_envelope_that_no_link_carries_is_the_callers_mistake() -> None:
    network = Network()
    with pytest.raises(WireError):
        network.send("a", 5000)
    assert network.send("a", 3500)
    network.settle()
    assert network.sides["b"].received == [0]


def test_long_envelopes_are_carried_in_pieces_and_whole_again() -> None:
    network = Network(links.LinkConfig(max_envelope=3 * 1024 * 1024))
    raw = make(7, 2_000_000)
    network.sides["a"].link.send(raw, network.now)
    got: list[wire.Raw] = []
    for _ in range(40):
        for name in "ab":
            network.poll(name)
            while (step := network.deliver(name)) is not None:
                got += [raw for event in step[1] if isinstance(event, links.Delivered) for raw in event.envelopes]
        network.pass_time(0.05)
    assert [bytes(one) for one in got] == [raw]
    assert [number_of(one) for one in got] == [7]


def test_a_dead_incarnations_echo_neither_becomes_the_peer_nor_costs_the_living_one_its_place() -> None:
    network = Network()
    network.poll("a")
    network.restart("a")
    network.restart("b")
    assert isinstance(network.wires["a"][0], bytes)
    echo = network.wires["a"].popleft()
    link = network.sides["b"].link
    assert link.on_frame(echo, network.now) == []
    network.settle()
    assert link.peer == network.sides["a"].system
    assert link.on_frame(echo, network.now) == []
    network.send("b")
    network.settle()
    assert network.sides["a"].received == [0]
    assert not network.sides["b"].handed_back


def test_a_new_peer_that_an_echo_displaced_is_asked_again() -> None:
    network = Network()
    network.settle()
    (echo, *_) = [frame for frame in network.passed["a"] if unpack(frame)[0] != HELLO]
    network.restart("a")
    network.poll("a")
    network.deliver("a")
    network.poll("b")
    network.deliver("b")
    link = network.sides["b"].link
    assert link.on_frame(echo, network.now) == []  # the dead incarnation seems to speak
    network.send("a")
    network.settle()
    assert network.sides["b"].received == [0]
    assert link.peer == network.sides["a"].system


def test_what_was_meant_for_a_former_session_is_not_taken_by_the_next() -> None:
    network = Network()
    network.settle()
    network.send("b")
    (echo,) = network.poll("b")
    network.wires["b"].clear()
    network.rejoin("a")
    network.settle()
    assert network.sides["b"].handed_back == [0]
    assert network.sides["a"].link.on_frame(echo, network.now) == []
    assert network.sides["a"].link.statistics().foreign == 1


def test_a_hello_acknowledges_nothing_of_a_peer_that_is_not_known_yet() -> None:
    network = Network()
    network.settle()
    for _ in range(3):
        network.send("a")
        network.settle()
    network.restart("a")
    network.poll("a")
    while network.deliver("a"):
        pass
    (hello,) = network.poll("b")
    assert unpack(hello)[5] == 0
    network.settle()
    assert not any(isinstance(event, links.Refused) for event in network.sides["a"].events)


def test_what_a_damaged_frame_reveals_about_a_new_peer_is_not_lost_with_it() -> None:
    network = Network()
    network.settle()
    network.send("b")
    network.restart("a")
    network.poll("a")
    while network.deliver("a"):
        pass
    network.poll("b")
    while network.deliver("b"):
        pass
    network.send("a")
    (frame, *_) = network.poll("a")
    events = network.sides["b"].link.on_frame(frame[:-1], network.now)
    assert [type(event) for event in events] == [links.PeerRestarted, links.Met, links.Refused]


def test_rejoining_needs_a_later_session_and_a_link_that_is_open() -> None:
    network = Network()
    with pytest.raises(ValueError, match="session 1"):
        network.sides["a"].link.rejoin(1, network.now)
    network.sides["a"].link.close()
    with pytest.raises(ValueError, match="closed"):
        network.sides["a"].link.rejoin(2, network.now)


def test_a_closed_link_takes_and_says_nothing() -> None:
    network = Network()
    network.settle()
    link = network.sides["a"].link
    assert link.close() == []
    (bye,) = link.poll_out(network.now)
    assert not link.send(make(1), network.now)
    link.on_reset(network.now)
    network.send("b")
    for frame in network.poll("b"):
        assert link.on_frame(frame, network.now) == []
    network.pass_time(10)
    assert (link.poll_out(network.now), link.next_deadline(), link.close()) == ([], None, [])
    (left,) = network.sides["b"].link.on_frame(bye, network.now)
    assert isinstance(left, links.PeerLeft)
    assert list(map(number_of, left.undelivered)) == [0]
    assert network.sides["b"].link.next_deadline() is None


def test_a_side_that_hung_itself_gives_its_peer_a_moment_before_it_suspects() -> None:
    network = Network()
    network.settle()
    network.sides["a"].events.clear()
    network.pass_time(60)
    assert not network.sides["a"].events
    network.pass_time(1)
    assert network.sides["a"].events == [links.Suspected()]
    network.settle()
    network.poll("b")
    network.deliver("b")
    assert links.Recovered() in network.sides["a"].events


def test_every_state_but_closed_can_be_left_and_every_state_can_be_reached() -> None:
    befores = {state for state, _ in links.TRANSITIONS}
    afters = {state for state, _ in links.TRANSITIONS.values()}
    assert befores == set(links.State) - {links.State.CLOSED}
    assert afters == set(links.State)
    for (before, trigger), (after, told) in links.TRANSITIONS.items():
        with contextlib.suppress(KeyError):
            assert links.TRANSITIONS[before, trigger] == (after, told)
        shown = {links.State.UNREACHED, links.State.SUSPECT}
        assert (told is links.Suspected) == (before not in shown and after in shown)
        assert (told is links.Recovered) == (before in shown and after is links.State.UP)
