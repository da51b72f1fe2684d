from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from provision import views
from provision.dispatch import Dispatch
from provision.errors import Conflict, Fenced, PoolExhausted, UnknownServer
from provision.protocol import Secret
from provision.store import Store

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = Secret("hunter2-hunter2")


def create(dispatch: Dispatch, name: str) -> int:
    """A server that is created and active; its host."""
    accepted = dispatch.accept(name, "create", secret=PASSWORD)
    assert [a.id for a in dispatch.claim()] == [accepted.action_id]
    assert dispatch.finish(accepted.action_id, "succeeded")
    return accepted.action_id


def host_of(dispatch: Dispatch, name: str) -> str:
    return str(dispatch.rows("SELECT host FROM server WHERE name = ?", name)[0]["host"])


def test_requests_of_a_server_get_its_numbers_in_the_order_of_acceptance(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    assert [dispatch.accept("a", "reboot").seq for _ in range(3)] == [2, 3, 4]
    assert dispatch.accept("b", "create", secret=PASSWORD).seq == 1


def test_parallel_clients_share_one_sequence_without_gap_or_repetition(dispatch: Dispatch, database: Path) -> None:
    create(dispatch, "a")
    seqs: list[int] = []

    def client() -> None:
        with Store(database) as store:
            seqs.extend(store.accept("a", "reboot").seq for _ in range(10))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seqs) == list(range(2, 42))


def test_only_the_head_of_a_line_is_claimed_and_other_servers_do_not_wait(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    create(dispatch, "b")
    first, _second, other = (
        dispatch.accept("a", "reboot"),
        dispatch.accept("a", "reboot"),
        dispatch.accept("b", "reboot"),
    )
    assert [a.id for a in dispatch.claim()] == [first.action_id, other.action_id]
    assert dispatch.claim() == []
    dispatch.finish(first.action_id, "failed", "boom", "it broke")
    assert [a.seq for a in dispatch.claim()] == [3]


def test_two_running_actions_on_one_server_are_refused_by_the_database_itself(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    dispatch.accept("a", "reboot")
    second = dispatch.accept("a", "reboot")
    dispatch.claim()
    with pytest.raises(sqlite3.IntegrityError, match="active_server"):
        dispatch.rows("UPDATE action SET state = 'running', active_server = server WHERE id = ?", second.action_id)


def test_new_servers_are_placed_on_the_host_with_the_fewest(dispatch: Dispatch) -> None:
    for name in "abcd":
        dispatch.accept(name, "create", secret=PASSWORD)
    assert sorted(a.host for a in dispatch.claim()) == ["h1", "h1", "h2", "h2"]


def test_nothing_is_claimed_while_no_host_is_up(database: Path) -> None:
    with Dispatch(database) as dispatch:
        dispatch.add_host("h1")
        dispatch.take_over()
        dispatch.accept("a", "create", secret=PASSWORD)
        assert dispatch.claim() == []
        dispatch.host_up("h1", 1)
        assert [a.host for a in dispatch.claim()] == ["h1"]


def test_a_lost_host_fails_what_ran_there_and_lets_the_rest_wait_with_a_reason(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    create(dispatch, "b")
    assert host_of(dispatch, "a") == "h1"
    running, queued, elsewhere = (dispatch.accept(s, "reboot").action_id for s in ("a", "a", "b"))
    (action, _) = dispatch.claim()
    dispatch.step_dispatched(action.id, 0, "x-1", "h1", 5)
    assert dispatch.fail_running_on_host("h1") == [running]

    by_id = {a.id: a for a in views.actions(dispatch, 0.0)}
    assert (by_id[running].state, by_id[running].reason) == ("failed", "system lost h1")
    assert (by_id[queued].state, by_id[queued].reason_code) == ("queued", "waiting_host")
    assert by_id[elsewhere].state == "running"
    assert dispatch.rows("SELECT outcome FROM step_attempt")[0]["outcome"] == "lost"
    later = dispatch.accept("a", "reboot").action_id
    dispatch.mark_waiting()
    assert {a.id: a.reason_code for a in views.actions(dispatch, 0.0)}[later] == "waiting_host"
    assert dispatch.claim() == []

    dispatch.host_up("h1", 2)
    assert [a.id for a in dispatch.claim()] == [queued]


def test_the_late_result_of_a_failed_action_changes_nothing(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    action_id = dispatch.accept("a", "reboot").action_id
    dispatch.claim()
    dispatch.step_dispatched(action_id, 0, "x-1", "h1", 5)
    dispatch.fail_running_on_host("h1")
    assert not dispatch.step_done(action_id, 0, "x-1", {"port": 1})
    assert not dispatch.finish(action_id, "succeeded")
    assert (
        dispatch.rows("SELECT state FROM action_step WHERE action = ? AND pos = 0", action_id)[0]["state"] == "failed"
    )


def test_a_failed_creation_holds_the_queue_until_it_is_released(dispatch: Dispatch) -> None:
    first = dispatch.accept("a", "create", secret=PASSWORD)
    dispatch.accept("a", "reboot")
    dispatch.claim()
    dispatch.finish(first.action_id, "failed", "no_address", "no address is free")
    assert dispatch.claim() == []
    assert "no address is free" in dispatch.rows("SELECT held_reason FROM server")[0]["held_reason"]
    dispatch.release_queue("a")
    assert [a.type for a in dispatch.claim()] == ["reboot"]


def test_results_of_steps_become_facts_of_the_server(dispatch: Dispatch) -> None:
    action_id = dispatch.accept("a", "create", {"boot_seconds": 0.5, "quota": 777}, PASSWORD).action_id
    (action,) = dispatch.claim()
    assert action.facts["boot_seconds"] == 0.5
    address = dispatch.reserve_address("a")
    dispatch.step_dispatched(action_id, 1, "x-1", "h1", 5)
    assert dispatch.step_done(action_id, 1, "x-1", {"port": 8081})
    dispatch.finish(action_id, "succeeded")
    dispatch.accept("a", "reboot")
    (reboot,) = dispatch.claim()
    assert (reboot.facts["address"], reboot.facts["port"], reboot.facts["quota"]) == (address, 8081, 777)


def test_a_replaced_control_is_fenced_off_and_the_next_one_sees_what_was_under_way(
    dispatch: Dispatch, database: Path
) -> None:
    action_id = dispatch.accept("a", "create", secret=PASSWORD).action_id
    dispatch.claim()
    dispatch.step_dispatched(action_id, 0, "x-0", "db", 5)
    dispatch.step_done(action_id, 0, "x-0", {})
    dispatch.step_dispatched(action_id, 1, "x-1", "h1", 5)
    with Dispatch(database, "standby") as standby:
        (pending,) = standby.take_over()
        assert (pending.action.id, pending.pos, pending.exec_id) == (action_id, 1, "x-1")
        with pytest.raises(Fenced, match="standby"):
            dispatch.finish(action_id, "succeeded")
        with pytest.raises(Fenced):
            dispatch.claim()
        assert standby.finish(action_id, "succeeded")


def test_overdue_names_the_clock_that_ran_out(dispatch: Dispatch) -> None:
    action_id = dispatch.accept("a", "create", secret=PASSWORD).action_id
    dispatch.claim(now=1000.0)
    assert dispatch.overdue(now=1001.0) == []
    assert dispatch.overdue(now=1e12) == [(action_id, "the action took more than its time")]
    dispatch.step_dispatched(action_id, 0, "x-0", "db", 0.0)
    assert dispatch.overdue(now=1e12) == [(action_id, "step reserve_ip took more than its time")]


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_password_is_encrypted_at_rest_and_wiped_when_its_action_ends(
    dispatch: Dispatch, database: Path, state: str
) -> None:
    action_id = dispatch.accept("a", "create", secret=PASSWORD).action_id
    (action,) = dispatch.claim()
    assert action.secret == PASSWORD
    assert "hunter2" not in repr(action)
    stored = b"".join(p.read_bytes() for p in database.parent.iterdir())
    assert b"hunter2" not in stored
    dispatch.finish(action_id, "succeeded" if state == "succeeded" else "failed")
    assert dispatch.rows("SELECT secret_params FROM action")[0]["secret_params"] is None


def test_the_key_beside_the_database_belongs_to_its_user_alone(dispatch: Dispatch, database: Path) -> None:
    assert database.with_name("provision.db.key").stat().st_mode & 0o777 == 0o600


def test_requests_that_contradict_what_is_are_refused_at_once(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    with pytest.raises(Conflict, match="already"):
        dispatch.accept("a", "create", secret=PASSWORD)
    with pytest.raises(UnknownServer, match="nowhere"):
        dispatch.accept("nowhere", "reboot")
    with pytest.raises(Conflict, match="password"):
        dispatch.accept("a", "password")
    deletion = dispatch.accept("a", "delete")
    with pytest.raises(Conflict, match="being deleted"):
        dispatch.accept("a", "reboot")
    dispatch.claim()
    dispatch.finish(deletion.action_id, "succeeded")
    with pytest.raises(UnknownServer):
        dispatch.accept("a", "reboot")
    assert dispatch.accept("a", "create", secret=PASSWORD).seq == 1


def test_a_deletion_that_failed_can_be_asked_for_again(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    first = dispatch.accept("a", "delete")
    dispatch.claim()
    dispatch.finish(first.action_id, "failed")
    assert dispatch.accept("a", "delete").seq == first.seq + 1


def test_an_address_is_reserved_once_per_server_and_comes_back_to_the_pool(dispatch: Dispatch) -> None:
    first = dispatch.reserve_address("a")
    assert dispatch.reserve_address("a") == first
    others = {dispatch.reserve_address(f"s{n}") for n in range(9)}
    assert len(others | {first}) == 10
    with pytest.raises(PoolExhausted):
        dispatch.reserve_address("one too many")
    assert dispatch.release_address("a") == first
    assert dispatch.release_address("a") is None
    assert dispatch.reserve_address("b") == first


def test_views_count_hosts_and_actions(dispatch: Dispatch) -> None:
    create(dispatch, "a")
    dispatch.accept("a", "reboot")
    dispatch.accept("a", "reboot")
    dispatch.claim()
    (first, _) = views.hosts(dispatch)
    assert (first.name, first.state, first.servers, first.running, first.waiting) == ("h1", "up", 1, 1, 1)
    assert views.counts(dispatch) == {"queued": 1, "running": 1, "succeeded": 1}
    assert [a.state for a in views.actions(dispatch, 0.0)] == ["running", "queued", "succeeded"]
    assert views.actions(dispatch, 0.0)[0].step == "check_disk"


def test_a_lost_host_stays_lost_until_it_reports(dispatch: Dispatch) -> None:
    """New gates are refused again and again while the host is away; its servers' requests keep their reason."""
    create(dispatch, "web")
    assert host_of(dispatch, "web") == "h1"
    dispatch.fail_running_on_host("h1")
    dispatch.host_unready("h1")
    waiting = dispatch.accept("web", "reboot").action_id
    dispatch.mark_waiting()
    assert dispatch.rows("SELECT state FROM host WHERE name = 'h1'")[0]["state"] == "lost"
    assert dispatch.rows("SELECT reason_code FROM action WHERE id = ?", waiting)[0]["reason_code"] == "waiting_host"
    dispatch.host_up("h1", 2)
    assert dispatch.rows("SELECT reason_code FROM action WHERE id = ?", waiting)[0]["reason_code"] == "queued"
