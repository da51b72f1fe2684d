"""The Agency: the factory of Step actors.

Owns the living Step actors, one per attempt, so that a failure stays within one step of one action. It has them made where their
step belongs (``provision.catalogue``), by the class's name: whoever asks for a step needs none of its code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick import Actor, on
from garrick.errors import GarrickError
from garrick.messages import ChildExited
from garrick.supervision import Stop
from provision.catalogue import STEPS
from provision.protocol import NO_SYSTEM, GetStep, ReleaseStep, StepGone, StepReady

if TYPE_CHECKING:
    from garrick.address import Address


class Agency(Actor):
    """Supplies Step actors by name.

    Args:
        database: the file that steps with the database get.
    """

    def __init__(self, database: str) -> None:
        self.database = database
        self.steps: dict[str, Address[Any]] = {}
        self.users: dict[Address[Any], tuple[GetStep, Address[Any]]] = {}

    @on
    def get_step(self, message: GetStep) -> None:
        user = self.sender
        assert user is not None
        entry = STEPS.get(message.name)
        if entry is None:
            self.send(user, StepGone(message.exec_id, "unknown_step", f"there is no step {message.name!r}"))
            return
        requires: dict[str, Any] = {"host": message.host} if entry.place == "host" else {}
        if entry.place == "database":
            requires["db"] = True
        arguments = (self.database,) if entry.place == "database" else ()
        try:
            # A step that raises ends, instead of waiting with a fresh memory for a message that will not come.
            path, source = entry.path, message.source or None
            if source is not None:
                path = path.removeprefix("provision.")  # a release is the module of the steps alone
            step = self.spawn(path, *arguments, requires=requires, supervision=Stop(), source=source)
        except GarrickError as error:
            self.send(user, _gone(message, NO_SYSTEM, str(error)))
            return
        self.steps[message.exec_id] = step
        self.users[step] = (message, user)
        self.send(user, StepReady(message.exec_id, step))

    @on
    def release_step(self, message: ReleaseStep) -> None:
        step = self.steps.pop(message.exec_id, None)
        if step is not None:
            self.users.pop(step)
            self.stop(step)

    @on
    def child_exited(self, message: ChildExited) -> None:
        known = self.users.pop(message.child, None)
        if known is None:
            return  # released
        request, user = known
        self.steps.pop(request.exec_id)
        self.send(user, _gone(request, message.reason.replace(" ", "_"), message.detail or message.reason))


def _gone(request: GetStep, code: str, detail: str) -> StepGone:
    return StepGone(request.exec_id, code, f"step {request.name}: {detail}")
