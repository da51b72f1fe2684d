"""Questions of the admin to all processes at once, and when they are answered.

Owns the one-shot serials that answers come to. Must not know what is asked. Invariant: a survey is closed exactly once, by its last
answer, by the loss of the last process that owes one, or by its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Survey:
    """One question, on behalf of ``token``.

    Attributes:
        token: who wants the result.
        deadline: when it is closed with what is there.
        waiting: processes that have not answered.
        answers: process -> answer.
    """

    token: Any
    deadline: float
    waiting: set[int]
    answers: dict[int, Any] = field(default_factory=dict)


class Surveys:
    """The open surveys and the serials at which answers are expected."""

    def __init__(self) -> None:
        self._counter = 0
        self._expected: dict[int, tuple[Survey, int]] = {}
        self._open: list[Survey] = []

    def open(self, token: Any, processes: Iterable[int], deadline: float) -> dict[int, int]:
        """A survey of these processes: for each the serial of the address to ask with."""
        survey = Survey(token, deadline, set(processes))
        serials: dict[int, int] = {}
        for process in sorted(survey.waiting):
            self._counter += 1
            serials[process] = self._counter
            self._expected[self._counter] = (survey, process)
        self._open.append(survey)
        return serials

    def answer(self, serial: int, value: Any) -> bool:
        """An answer came to this serial; False when none is expected there (any more)."""
        survey, process = self._expected.pop(serial, (None, 0))
        if survey is None:
            return False
        survey.answers[process] = value
        survey.waiting.discard(process)
        return True

    def process_gone(self, process: int) -> None:
        """A process that is gone owes no answer."""
        for survey in self._open:
            survey.waiting.discard(process)

    def take_done(self, now: float) -> list[Survey]:
        """Close and return what is complete or over its time."""
        done = [s for s in self._open if not s.waiting or now >= s.deadline]
        if done:
            self._open = [s for s in self._open if s not in done]
            self._expected = {n: (s, p) for n, (s, p) in self._expected.items() if s not in done}
        return done

    def deadline(self) -> float | None:
        """When the next survey closes at the latest."""
        return min((s.deadline for s in self._open), default=None)
