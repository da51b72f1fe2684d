"""A run as a page: one line per event, one column per system or actor, without anything from outside.

Owns the HTML. Must not know runs beyond their artefact.
"""

from __future__ import annotations

from html import escape
from typing import Final

from garrick.sim.artefact import Artefact
from garrick.sim.clock import SECOND
from garrick.sim.sentences import sentence
from garrick.sim.trace import Entry, actor_text

SHOWN: Final = 5000
"""Events of a page: the last ones."""
COLUMNS: Final = 40
"""The busiest actors and systems; the others share the last column."""

_STYLE: Final = """
body { font: 13px system-ui, sans-serif; margin: 1em; color: #222; background: #fff }
table { border-collapse: collapse } th { position: sticky; top: 0; background: #eee; text-align: left }
th, td { padding: 1px 8px; border-left: 1px solid #ddd; white-space: nowrap }
td.t { color: #666; text-align: right; font-variant-numeric: tabular-nums; border: 0 }
td.e { background: #dbeafe } tr.gap td { border-top: 2px solid #bbb } .bad { color: #a00 }
"""
_SCRIPT: Final = """
const box = document.getElementById('find');
box.oninput = () => { for (const row of document.querySelectorAll('tbody tr'))
  row.hidden = box.value !== '' && !row.textContent.toLowerCase().includes(box.value.toLowerCase()) };
"""


def page(artefact: Artefact) -> str:
    """The page of a recorded run."""
    events = artefact.events[-SHOWN:]
    columns = _columns(events)
    head = "".join(f"<th>{escape(_title(name, artefact))}</th>" for name in columns)
    rows = []
    before = events[0][0] if events else 0
    for entry in events:
        at, _, _, what = entry
        place = columns.get(_who(entry), COLUMNS - 1)
        cells = "<td></td>" * place + f'<td class="e">{escape(what)}</td>' + "<td></td>" * (len(columns) - place - 1)
        gap = ' class="gap"' if at > before else ""
        rows.append(f'<tr{gap}><td class="t">{at / SECOND:.6f}</td>{cells}</tr>')
        before = at
    failure = f'<p class="bad">{escape(str(artefact.failure))}</p>' if artefact.failure else "<p>does not fail</p>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(artefact.scenario)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(artefact.scenario)}, seed {artefact.seed}</h1>{failure}"
        f"<p>{escape(sentence(artefact.overrides, artefact.names))}</p>"
        f"<p>{len(events)} of {artefact.steps} steps; times in virtual seconds. "
        '<label>Show only lines with <input id="find"></label></p>'
        f"<table><thead><tr><th>time</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<script>{_SCRIPT}</script></html>\n"
    )


def _who(entry: Entry) -> str:
    _, system, serial, _ = entry
    name = system.partition("@")[0]
    return actor_text(system, serial) if serial else f"{name}{system.partition(' ')[1]}{system.partition(' ')[2]}"


def _columns(events: list[Entry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in events:
        who = _who(entry)
        counts[who] = counts.get(who, 0) + 1
    busiest = sorted(counts, key=lambda who: -counts[who])
    kept = set(busiest if len(busiest) <= COLUMNS else busiest[: COLUMNS - 1])
    names = [who for who in counts if who in kept]
    if len(busiest) > COLUMNS:
        names.append("others")
    return {who: index for index, who in enumerate(names)}


def _title(name: str, artefact: Artefact) -> str:
    cls = artefact.names.get(name)
    return name if cls is None else f"{cls} {name}"
