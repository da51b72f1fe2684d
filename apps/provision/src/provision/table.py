"""What the demonstration shows while it runs: a live table on a terminal, plain lines elsewhere.

Owns the presentation. Reads the database through ``provision.views`` and changes nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from provision import views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType

    from provision.claims import Claim
    from provision.store import Store

FRAME_SECONDS: Final = 0.15
PLAIN_SECONDS: Final = 2.0
OTHER_LINES: Final = 14
"""Lines of the screen that actions can't have: hosts, headings, and what has been told last."""
LEAST_LINES: Final = 6
STATES: Final = {
    "up": "green",
    "expected": "dim",
    "lost": "bold red",
    "running": "cyan",
    "queued": "dim",
    "waiting_host": "yellow",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
}


class View(Protocol):
    """Where the demonstration tells what it does."""

    def say(self, text: str, *, alarm: bool = False) -> None:
        """Something worth telling has happened."""
        ...

    def watch(self, store: Store) -> None:
        """From now on there is a database to show."""
        ...

    def refresh(self) -> None:
        """Show how things stand, if it is time again."""
        ...

    def close(self) -> None:
        """Show nothing any more but what is said."""
        ...


class PlainView:
    """Lines, for files and pipes: what happens, and every other second how things stand.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._told = time.monotonic()
        self._store: Store | None = None

    def say(self, text: str, *, alarm: bool = False) -> None:
        self._line(("!!" if alarm else "--") + f" {text}")

    def watch(self, store: Store) -> None:
        self._store = store

    def refresh(self) -> None:
        if self._store is None or time.monotonic() < self._told + PLAIN_SECONDS:
            return
        hosts = "; ".join(
            f"{h.name} {h.state}, {h.servers} servers, {h.running} running, {h.waiting} waiting"
            for h in views.hosts(self._store)
        )
        self._line(f"   {_totals(self._store)} | {hosts}")

    def close(self) -> None:
        self._store = None

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        self._console.print(f"{self._told - self._began:5.1f} s {text}", soft_wrap=True, markup=False, highlight=False)


class LiveView:
    """A table that changes in place; what is said scrolls by above it.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._drawn = 0.0
        self._store: Store | None = None
        self._live = Live(console=console, auto_refresh=False, transient=True)
        plain = console.options.ascii_only
        self._glyphs = ("#", ">", ".") if plain else ("●", "◐", "·")

    def say(self, text: str, *, alarm: bool = False) -> None:
        line = Text(f"{time.monotonic() - self._began:5.1f} s  ", style="dim")
        line.append(text, style="bold red" if alarm else "default not dim")
        self._console.print(line)
        self._draw()

    def watch(self, store: Store) -> None:
        self._store = store
        self._live.start()

    def refresh(self) -> None:
        if time.monotonic() >= self._drawn + FRAME_SECONDS:
            self._draw()

    def close(self) -> None:
        self._live.stop()
        self._store = None

    def _draw(self) -> None:
        if self._store is not None:
            self._drawn = time.monotonic()
            self._live.update(self._picture(self._store), refresh=True)

    def _picture(self, store: Store) -> RenderableType:
        title = Text(f"{_totals(store)}", style="bold")
        rows = max(LEAST_LINES, self._console.height - OTHER_LINES)
        return Group(Text(), title, self._hosts(views.hosts(store)), self._actions(store, rows))

    @staticmethod
    def _hosts(hosts: Iterable[views.HostView]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
        for column in ("host", "state", "starts", "servers", "running", "waiting"):
            table.add_column(column, justify="left" if column in {"host", "state"} else "right")
        for host in hosts:
            numbers = (str(n) for n in (host.boot, host.servers, host.running, host.waiting))
            table.add_row(host.name, Text(host.state, STATES.get(host.state, "")), *numbers)
        return table

    def _actions(self, store: Store, rows: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
        for column in ("action", "server", "host", "request", "steps", "state", "at"):
            table.add_column(column, justify="right" if column == "action" else "left", no_wrap=True)
        for action in _most_telling(views.actions(store, time.time()), rows):
            state = action.reason_code if action.state == "queued" else action.state
            at = action.step if action.state == "running" else action.reason
            table.add_row(
                str(action.id),
                action.server,
                action.host,
                f"{action.seq} {action.type}",
                self._bar(action),
                Text(state, STATES.get(state, "")),
                Text(at, "" if action.state == "running" else "dim"),
            )
        return table

    def _bar(self, action: views.ActionView) -> Text:
        done, now, todo = self._glyphs
        under_way = int(action.state == "running" and action.done < action.total)
        bar = Text(done * action.done, "green")
        bar.append(now * under_way, "cyan")
        bar.append(todo * (action.total - action.done - under_way), "red" if action.state == "failed" else "dim")
        return bar


def _most_telling(actions: list[views.ActionView], rows: int) -> list[views.ActionView]:
    """As many as fit: some of each sort, so that none hides the others; then what has ended last."""
    chosen = []
    for state, share in (("running", 2), ("failed", 4), ("queued", 4)):
        sort = [action for action in actions if action.state == state]
        # Those that wait for more than their turn first.
        sort.sort(key=lambda action: action.reason_code == "queued")
        chosen += sort[: max(1, rows // share)]
    return (chosen + [action for action in actions if action.state == "succeeded"])[:rows]


def _totals(store: Store) -> str:
    counts = views.counts(store)
    waiting = views.reasons(store).get("waiting_host", 0)
    parts = [f"{counts.get(state, 0)} {state}" for state in ("queued", "running", "succeeded", "failed")]
    parts[0] += f" ({waiting} wait for a host)" if waiting else ""
    return f"{sum(counts.values())} actions: {', '.join(parts)}; {views.steps_done(store)} steps done"


def show_claims(console: Console, claims: Iterable[Claim]) -> None:
    """The claims, each with how it stands, and with the particulars where it is broken."""
    for claim in claims:
        line = Text("  broken  " if claim.broken else "  ok  ", style="bold red" if claim.broken else "green")
        line.append(claim.text, style="default")
        console.print(line, soft_wrap=True)
        for particular in claim.broken[:10]:
            console.print(f"            {particular}", style="red", markup=False, highlight=False, soft_wrap=True)
        if len(claim.broken) > 10:
            console.print(f"            and {len(claim.broken) - 10} more", style="red")
