"""The dead letters of a system, added up from its processes, and who wants to see each of them.

Owns the totals, the newest letters and the subscribers. Must not know messages: letters of processes arrive as text. Invariant:
totals never fall, also when the process that counted them is gone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from garrick.address import Address, ReplyAddress

KEPT = 100
"""How many of the newest letters are kept for ``status``."""


class Letters:
    """Totals by reason, the newest letters, and subscribers."""

    def __init__(self) -> None:
        self.subscribers: dict[Address[Any], None] = {}
        self._by_process: dict[int, Counter[str]] = {}
        self._own: Counter[str] = Counter()
        """Of the admin itself and of processes that are gone."""
        self._lists: dict[int, list[Any]] = {}
        """The newest letters of each process, as it told them in its status."""
        self._newest: deque[Any] = deque(maxlen=KEPT)
        self._count = 0
        self._rows: deque[tuple[float, dict[str, Any]]] = deque(maxlen=KEPT)
        """The newest letters that died here, each with the time of its death."""

    def note(self, process: int, total: int, by_reason: Mapping[str, int], newest: Iterable[Any]) -> None:
        """What a process reports: its counts since it started, and the letters since its last report."""
        counts = Counter(by_reason)
        counts["other"] += max(0, total - counts.total())
        self._by_process[process] = +counts
        self._newest.extend({"process": process, "letter": letter} for letter in newest)

    def answered(self, process: int, answer: Mapping[str, Any]) -> None:
        """The same facts in a process's answer to a request for its status."""
        self._by_process[process] = Counter(answer.get("dead_letters", {}))
        self._lists[process] = list(answer.get("dead_letter_list", ()))

    def process_gone(self, process: int) -> None:
        """Keep the counts of a process that will not report again."""
        self._own.update(self._by_process.pop(process, {}))
        self._newest.extend({"process": process, "letter": letter} for letter in self._lists.pop(process, ()))

    def own(self, text: str, target: Address[Any], sender: Address[Any] | None, reason: str, now: float) -> None:
        """A letter that died in the admin itself."""
        self._own[reason] += 1
        self._count += 1
        self._rows.append(
            (
                now,
                {
                    "letter": f"0.{self._count}",
                    "process": 0,
                    "reason": reason,
                    "message": text or None,
                    "target": str(target),
                    "target_class": None,
                    "sender": None if sender is None else "ask" if isinstance(sender, ReplyAddress) else str(sender),
                    "replayed": 0,
                },
            )
        )
        letter = {"message": text, "target": str(target), "sender": str(sender or ""), "reason": reason}
        self._newest.append({"process": 0, "letter": letter})

    def own_rows(self, now: float) -> list[dict[str, Any]]:
        """The newest letters that died in the admin, as plain data. What they said is not known: nothing is decoded here."""
        return [{**row, "ago": now - at} for at, row in self._rows]

    def totals(self, newer: Mapping[int, Mapping[str, int]]) -> Counter[str]:
        """All that is known, with what some processes have just told; they are remembered."""
        self._by_process.update({process: Counter(counts) for process, counts in newer.items()})
        return sum(self._by_process.values(), Counter(self._own))

    def subscribe(self, subscriber: Address[Any], active: bool) -> bool:
        """Add or remove a subscriber; whether that changed anything."""
        if active == (subscriber in self.subscribers):
            return False
        if active:
            self.subscribers[subscriber] = None
        else:
            del self.subscribers[subscriber]
        return True

    def subscribers_at(self, system: str, process: int | None = None) -> list[Address[Any]]:
        """The subscribers in one process, or anywhere in a system."""
        return [s for s in self.subscribers if s.system == system and process in {None, s.process}]

    def status(self) -> dict[str, Any]:
        """Plain data for ``status``."""
        counts = self.totals({})
        newest = [{"process": p, "letter": letter} for p, letters in sorted(self._lists.items()) for letter in letters]
        newest += self._newest
        return {"total": counts.total(), "by_reason": dict(sorted(counts.items())), "newest": newest[-KEPT:]}
