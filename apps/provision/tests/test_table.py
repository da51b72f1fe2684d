from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from provision.claims import Claim
from provision.protocol import Secret
from provision.table import LiveView, PlainView, show_claims

if TYPE_CHECKING:
    import pytest

    from provision.dispatch import Dispatch


def at_work(dispatch: Dispatch) -> None:
    """Some actions that run, one that failed with its host, one that waits for it."""
    for n in range(30):
        dispatch.accept(f"server-{n:02d}", "create", {}, Secret("x"))
    for action in dispatch.claim(limit=20):
        dispatch.step_dispatched(action.id, 0, f"{action.id}-0", "app", 5)
        dispatch.step_done(action.id, 0, f"{action.id}-0", {})
    dispatch.accept("server-01", "reboot")
    dispatch.fail_running_on_host("h2")
    dispatch.release_queue("server-01")
    dispatch.mark_waiting()


def test_the_live_table_shows_hosts_and_actions_of_each_sort_and_fits(dispatch: Dispatch) -> None:
    at_work(dispatch)
    output = io.StringIO()
    view = LiveView(Console(file=output, force_terminal=True, width=110, height=30, no_color=True))
    view.watch(dispatch)
    view.say("a host is gone", alarm=True)
    view.refresh()
    view.close()
    lines = output.getvalue().splitlines()
    assert any("a host is gone" in line for line in lines)
    for words in (("h1", "up"), ("h2", "lost"), ("create", "running"), ("failed", "system lost h2"), ("waiting_host",)):
        assert any(all(word in line for word in words) for line in lines), words
    last = max(n for n, line in enumerate(lines) if "11 queued" in line)
    assert len(lines) - last <= 30


def test_a_terminal_that_knows_only_ascii_gets_ascii(dispatch: Dispatch) -> None:
    at_work(dispatch)
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    view = LiveView(Console(file=file, force_terminal=True, color_system=None, width=110, height=30))
    view.watch(dispatch)
    view.refresh()
    view.close()
    assert b"#>...." in raw.getvalue()


def test_plain_lines_come_every_other_second(dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    at_work(dispatch)
    output = io.StringIO()
    view = PlainView(Console(file=output, width=80))
    view.refresh()
    view.watch(dispatch)
    view.say("a host is gone", alarm=True)
    view.refresh()
    now += 2.5
    view.refresh()
    view.refresh()
    view.close()
    now += 2.5
    view.refresh()
    first, second = output.getvalue().splitlines()
    assert first == "  0.0 s !! a host is gone"
    assert "10 running, 0 succeeded, 10 failed" in second
    assert "h2 lost, 10 servers, 0 running, 1 waiting" in second


def test_broken_claims_show_why() -> None:
    output = io.StringIO()
    show_claims(Console(file=output, width=80), [Claim("good"), Claim("bad", tuple(f"reason {n}" for n in range(12)))])
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert lines[:3] == ["ok  good", "broken  bad", "reason 0"]
    assert lines[-1] == "and 2 more"
