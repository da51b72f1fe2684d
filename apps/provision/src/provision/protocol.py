"""What travels between the actors of the application, and between it and its clients.

Owns the message types. Knows neither the database nor the hosts nor Django, so that a host needs nothing else of the
application than this module, its steps and its driver. Everything here is frozen, is made of plain values (and addresses),
and survives pickling.

``exec_id`` names one attempt of one step. It is the key of idempotency: a host that sees it twice does the work once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from garrick.address import Address

ActionState = Literal["queued", "running", "succeeded", "failed", "cancelled", "timed_out"]
StepState = Literal["pending", "dispatched", "running", "done", "failed", "skipped", "undone"]
Place = Literal["host", "database", "anywhere"]
Value = str | int | float | bool | None
Values = Mapping[str, Value]

TERMINAL: Final[frozenset[str]] = frozenset({"succeeded", "failed", "cancelled", "timed_out"})

SYSTEM_LOST: Final = "system_lost"
WAITING_HOST: Final = "waiting_host"
NO_SYSTEM: Final = "no_capable_system"


class Secret:
    """A text that must not appear in logs, traces, dead letters or dashboards: only ``reveal`` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (self._text,)


# ----------------------------------------------------------------------------------------------------------- the action


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One entry of an action's list of step names."""

    pos: int
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Action:
    """A customer's request as the Control actor takes it: which server, and the step names in their order."""

    id: int
    server: str
    host: str
    seq: int
    type: str
    steps: tuple[StepSpec, ...]
    facts: Values = field(default_factory=dict)
    secret: Secret | None = None
    source: str = ""
    """The release of the steps that the request was accepted with: the hash of a source; empty: the installed ones."""


@dataclass(frozen=True, slots=True)
class RunAction:
    """Client to Control: the database holds a new action. Only a hint; a lost one costs one sweep, never an action."""

    action_id: int


# ------------------------------------------------------------------------------------------------- Control and the Agency


@dataclass(frozen=True, slots=True)
class GetStep:
    """Control to Agency: supply a Step actor of this name, where it belongs."""

    exec_id: str
    name: str
    host: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class StepReady:
    """Agency to Control: here it is. Whether it really starts is told by what it answers, or by ``StepGone``."""

    exec_id: str
    step: Address[Any]


@dataclass(frozen=True, slots=True)
class StepGone:
    """Agency to Control: the Step actor ended without a word (its process, its system, its start failed)."""

    exec_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseStep:
    """Control to Agency: this Step actor is not needed any more."""

    exec_id: str


# ------------------------------------------------------------------------------------------------------ Control and steps


@dataclass(frozen=True, slots=True)
class RunStep:
    """Control to Step: do it. The answer is one ``StepDone`` or ``StepFailed`` to the sender.

    Args:
        gate: the host's gate, for steps that do something there.
        facts: what is known of the server (address, port, quota ...) and the parameters of the action.
        seconds: how long the step may take.
    """

    exec_id: str
    action_id: int
    seq: int
    server: str
    host: str
    pos: int
    name: str
    seconds: float
    gate: Address[Any] | None = None
    facts: Values = field(default_factory=dict)
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class StepDone:
    """Step to Control: done; ``result`` becomes part of what is known of the server."""

    exec_id: str
    result: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepFailed:
    """Step to Control: not done. ``code`` is stable (``disk_full``), ``reason`` is a sentence."""

    exec_id: str
    code: str
    reason: str


# --------------------------------------------------------------------------------------------------- steps and a host's gate


@dataclass(frozen=True, slots=True)
class Effect:
    """Step to gate: do this to a customer's server, once for this ``exec_id``. Answered by ``StepDone`` or ``StepFailed``."""

    exec_id: str
    action_id: int
    seq: int
    server: str
    pos: int
    step: str
    what: str
    values: Values = field(default_factory=dict)
    secret: Secret | None = None
    source: str = ""
    """The release that the asking step is code of: the beginning of its hash; empty: the installed one."""


@dataclass(frozen=True, slots=True)
class Look:
    """Step to gate: read something of a customer's server (``disk``, ``status``). Changes nothing, leaves no record."""

    server: str
    what: Literal["disk", "status"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Gate to step: what ``Look`` found; ``error`` when there is nothing to look at."""

    values: Values = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class QueryStep:
    """Control to gate: what do you know of this attempt? Asked by a Control that took over from another."""

    exec_id: str
    server: str


@dataclass(frozen=True, slots=True)
class StepKnown:
    """Gate to Control: the answer to ``QueryStep``, from the journal; ``interrupted``: begun, and nobody knows its end."""

    exec_id: str
    state: Literal["unknown", "interrupted", "done", "failed"]
    result: Values = field(default_factory=dict)
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HostReady:
    """Gate to Control: this host is here, and has restarted those of its servers that were running."""

    host: str
    boot: int
    servers: int
    restarted: int
