"""Which steps an action of a type consists of, where each runs, and which of them change something on the host.

Owns the list of step names and of action types. Steps are named by their class's path, not imported: the Agency has them
loaded where they are needed, so that Control knows nothing of their code. Knows no actor and no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from provision.protocol import StepSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.protocol import Place


@dataclass(frozen=True, slots=True)
class StepType:
    """A step name's entry.

    Args:
        path: "package.module.Class" of the Step actor.
        place: on the server's host, where the database is, or anywhere (the application server, if it fits).
        effect: what it does to the customer's server, as the host's journal calls it; None for steps that only look.
        secret: it needs the secret parameter of its action; other steps never see it.
        seconds: how long it may take.
    """

    path: str
    place: Place
    effect: str | None = None
    secret: bool = False
    seconds: float = 15.0


STEPS: Final[Mapping[str, StepType]] = {
    "reserve_ip": StepType("provision.steps.ReserveIp", "database"),
    "define": StepType("provision.steps.Define", "host", "define"),
    "start": StepType("provision.steps.Start", "host", "start"),
    "set_password": StepType("provision.steps.SetPassword", "host", "set_password", secret=True),
    "wait_http": StepType("provision.steps.WaitHttp", "anywhere"),
    "notify": StepType("provision.steps.Notify", "database"),
    "check_disk": StepType("provision.steps.CheckDisk", "host"),
    "reboot": StepType("provision.steps.Reboot", "host", "reboot"),
    "wait_down": StepType("provision.steps.WaitDown", "anywhere"),
    "wait_up": StepType("provision.steps.WaitUp", "anywhere"),
    "probe": StepType("provision.steps.Probe", "anywhere"),
    "stop": StepType("provision.steps.Stop", "host", "stop"),
    "destroy": StepType("provision.steps.Destroy", "host", "destroy"),
    "release_ip": StepType("provision.steps.ReleaseIp", "database"),
}


@dataclass(frozen=True, slots=True)
class ActionType:
    """An action type's step names, and what its failure means for the requests queued behind it."""

    steps: tuple[str, ...]
    after_failure: Literal["continue", "hold"] = "continue"


ACTIONS: Final[Mapping[str, ActionType]] = {
    # The password comes after the start: a guest's agent sets it.
    "create": ActionType(("reserve_ip", "define", "start", "set_password", "wait_http", "notify"), "hold"),
    # The article's: a full disk would prevent the boot; the port is probed three times before it is believed.
    "reboot": ActionType(("check_disk", "reboot", "wait_down", "wait_up", "probe", "probe", "probe")),
    "password": ActionType(("set_password",)),
    "delete": ActionType(("stop", "destroy", "release_ip")),
}


def step_specs(names: Sequence[str]) -> tuple[StepSpec, ...]:
    """Positions and places for a list of step names.

    Raises:
        KeyError: there is no step of a name.
    """
    return tuple(StepSpec(pos, name, STEPS[name].place) for pos, name in enumerate(names))


def effects(names: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """(position, effect) of those steps of a list that change something on the host."""
    return tuple((pos, effect) for pos, name in enumerate(names) if (effect := STEPS[name].effect) is not None)
