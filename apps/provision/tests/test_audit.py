from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.audit import Boot, Claim, Violation, audit, judge
from provision.catalogue import ACTIONS, effects
from provision.journal import Entry, Journal
from provision.protocol import Effect, Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.dispatch import Dispatch


def claim(id_: int, kind: str, seq: int, state: str = "succeeded", server: str = "web", code: str = "") -> Claim:
    return Claim(id_, server, "h1", seq, kind, state, code or state, ACTIONS[kind].steps)


def entries(of: Claim, *, until: int | None = None) -> list[Entry]:
    """The journal of an action that went well, up to a number of its lines."""
    lines = []
    for pos, what in effects(of.steps):
        common: dict[str, Any] = {
            "exec_id": f"x{of.id}.{pos}",
            "action_id": of.id,
            "seq": of.seq,
            "server": of.server,
            "pos": pos,
            "step": what,
            "what": what,
        }
        lines += [Entry("begin", 0.0, **common), Entry("end", 0.0, **common, outcome="ok")]
    return lines[:until]


class World:
    """A sound history of one server on one host; the tests plant one fault each."""

    def __init__(self) -> None:
        self.claims = [
            claim(1, "create", 1),
            claim(2, "reboot", 2),
            claim(3, "reboot", 3, "failed", code="system_lost"),
            claim(4, "password", 4),
            claim(5, "reboot", 5, "queued", code="waiting_host"),
        ]
        create, reboot, lost, password, _ = self.claims
        self.journal = [
            Entry("agent", 0.0, boot=1),
            Entry("recover", 0.0, boot=1),
            *entries(create),
            *entries(reboot),
            *entries(lost, until=1),
            Entry("agent", 0.0, boot=2),
            Entry("recover", 0.0, boot=2, restarted=["web"]),
            *entries(password),
        ]
        self.boots = [Boot("h1", "web", cause) for cause in ("x1.2", "x2.1", "recover-2")]
        self.host = "h1"

    def judge(self) -> list[Violation]:
        return judge(self.claims, {self.host: self.journal}, self.boots)

    def find(self, kind: str, what: str, action_id: int) -> int:
        return next(n for n, e in enumerate(self.journal) if (e.kind, e.what, e.action_id) == (kind, what, action_id))


def no_effect(w: World) -> None:
    del w.journal[w.find("begin", "reboot", 2) : w.find("begin", "reboot", 2) + 2]
    w.boots.remove(Boot("h1", "web", "x2.1"))


def effect_twice(w: World) -> None:
    at = w.find("begin", "set_password", 4)
    w.journal[at:at] = [replace(e, exec_id="again") for e in w.journal[at : at + 2]]


def failed_effect_twice(w: World) -> None:
    at = w.find("begin", "reboot", 3)
    w.journal.insert(at, replace(w.journal[at], kind="end", outcome="error"))
    w.journal.insert(at, w.journal[at + 1])


def no_end(w: World) -> None:
    del w.journal[w.find("end", "set_password", 4)]


def bad_end(w: World) -> None:
    at = w.find("end", "set_password", 4)
    w.journal[at] = replace(w.journal[at], outcome="error")


def unknown_action(w: World) -> None:
    w.claims = [c for c in w.claims if c.id != 4]


def effect_of_a_queued_action(w: World) -> None:
    w.journal += entries(w.claims[4])
    w.boots.append(Boot("h1", "web", "x5.1"))


def effect_on_another_server(w: World) -> None:
    w.claims[3] = replace(w.claims[3], server="other")


def effect_that_is_no_step(w: World) -> None:
    at = w.find("begin", "set_password", 4)
    w.journal[at] = replace(w.journal[at], what="destroy")
    w.journal[at + 1] = replace(w.journal[at + 1], what="destroy")


def other_host(w: World) -> None:
    w.claims = [replace(c, host="h2") for c in w.claims]


def requests_swapped(w: World) -> None:
    w.claims[1], w.claims[3] = replace(w.claims[1], seq=4), replace(w.claims[3], seq=2)
    w.journal = [replace(e, seq={2: 4, 4: 2}.get(e.action_id, e.seq)) for e in w.journal]


def steps_swapped(w: World) -> None:
    start, password = w.find("begin", "start", 1), w.find("begin", "set_password", 1)
    w.journal[start : start + 2], w.journal[password : password + 2] = (
        w.journal[password : password + 2],
        w.journal[start : start + 2],
    )


def two_at_once(w: World) -> None:
    at = w.find("end", "set_password", 1)
    w.journal.insert(at + 1, w.journal.pop(at))


def boot_of_unknown_cause(w: World) -> None:
    w.boots.append(Boot("h1", "web", "nobody"))


def boot_for_a_recovery_that_was_not(w: World) -> None:
    w.boots.append(Boot("h1", "web", "recover-3"))


def boot_twice(w: World) -> None:
    w.boots.append(Boot("h1", "web", "x2.1"))


def never_booted(w: World) -> None:
    w.boots.remove(Boot("h1", "web", "x2.1"))


def forgotten_by_the_new_agent(w: World) -> None:
    w.claims[2] = replace(w.claims[2], state="succeeded")
    at = w.find("begin", "reboot", 3)
    w.journal.insert(at + 1, replace(w.journal[at], kind="end", outcome="ok"))
    w.boots.append(Boot("h1", "web", "x3.1"))
    at = next(n for n, e in enumerate(w.journal) if e.kind == "recover" and e.boot == 2)
    w.journal[at] = replace(w.journal[at], restarted=[])
    w.boots.remove(Boot("h1", "web", "recover-2"))


def stuck(w: World) -> None:
    w.claims[4] = replace(w.claims[4], reason_code="queued")


def still_running(w: World) -> None:
    w.claims[3] = replace(w.claims[3], state="running")


def test_a_sound_history_has_no_violation() -> None:
    assert World().judge() == []


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (no_effect, {"missing effect"}),
        (effect_twice, {"repeated effect"}),
        (failed_effect_twice, {"repeated effect"}),
        (no_end, {"unfinished effect"}),
        (bad_end, {"unfinished effect"}),
        (unknown_action, {"effect without action"}),
        (effect_of_a_queued_action, {"effect without action"}),
        (effect_on_another_server, {"effect without action"}),
        (effect_that_is_no_step, {"effect without action", "missing effect"}),
        (other_host, {"wrong host"}),
        (requests_swapped, {"out of order"}),
        (steps_swapped, {"out of order"}),
        (two_at_once, {"overlap"}),
        (boot_of_unknown_cause, {"unaccounted boot"}),
        (boot_for_a_recovery_that_was_not, {"unaccounted boot"}),
        (boot_twice, {"repeated boot"}),
        (never_booted, {"missing boot"}),
        (forgotten_by_the_new_agent, {"not recovered"}),
        (stuck, {"not ended"}),
        (still_running, {"not ended"}),
    ],
    ids=lambda p: getattr(p, "__name__", ""),
)
def test_a_planted_fault_is_found_and_called_by_its_name(plant: Callable[[World], None], kinds: set[str]) -> None:
    world = World()
    plant(world)
    assert {violation.kind for violation in world.judge()} == kinds


def test_a_name_used_again_after_a_deletion_starts_its_numbers_again() -> None:
    history = [claim(1, "create", 1), claim(2, "delete", 2), claim(3, "create", 1)]
    journal = [entry for c in history for entry in entries(c)]
    assert judge(history, {"h1": journal}, [Boot("h1", "web", "x3.2")]) == []


def test_claims_come_from_the_database_and_effects_from_the_hosts_files(dispatch: Dispatch, tmp_path: Path) -> None:
    dispatch.accept("web", "create", secret=Secret("x"))
    (action,) = dispatch.claim()
    (tmp_path / "servers" / "web").mkdir(parents=True)
    (tmp_path / "servers" / "web" / "boots.jsonl").write_text('{"boot": 1, "cause": "x2", "pid": 1}\n')
    journal = Journal(tmp_path / "journal.jsonl")
    for pos, what in effects(ACTIONS["create"].steps):
        effect = Effect(f"x{pos}", action.id, action.seq, "web", pos, what, what)
        journal.begin(effect)
        journal.done(effect, {})
    journal.close()
    hosts = {"h1": tmp_path, "h2": tmp_path / "absent"}
    assert [v.kind for v in audit(dispatch, hosts)] == ["not ended"]
    dispatch.finish(action.id, "succeeded")
    assert audit(dispatch, hosts) == []
    (tmp_path / "journal.jsonl").write_text("")
    assert {v.kind for v in audit(dispatch, hosts)} == {"missing effect", "unaccounted boot"}
