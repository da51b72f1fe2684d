"""The steps that actions consist of, each an actor of its own, named in ``provision.catalogue``.

A step does one thing for one action and answers once. It may block as long as it needs (``time.sleep`` included): nothing but its
own action waits for it. Steps of a host run on that host and ask its gate for the effect; the others run on the application server.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from garrick import Actor, on
from garrick.errors import AskError
from provision.errors import ProvisionError, StepError
from provision.probe import probe
from provision.protocol import Effect, Look, RunStep, Seen, StepDone, StepFailed
from provision.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.protocol import Values

SOURCE = __name__.partition("garrick.loaded.h")[2].partition(".")[0]
"""The release that this code is: the beginning of its hash; empty: the installed one."""
PERIOD = 0.05
"""Seconds between two looks at something that is being waited for."""


class Step(Actor):
    """Base of all steps: runs ``perform`` and tells the Control actor how it went."""

    @on
    def run_step(self, message: RunStep) -> None:
        try:
            result = self.perform(message)
            answer: StepDone | StepFailed = StepDone(
                message.exec_id, {**result, "source": SOURCE} if SOURCE else result
            )
        except StepError as error:
            answer = StepFailed(message.exec_id, error.reason_code, error.reason)
        except ProvisionError as error:
            answer = StepFailed(message.exec_id, "refused", str(error))
        self.reply(answer)

    def perform(self, step: RunStep) -> Values:
        """Do it.

        Returns:
            What the following steps should know.

        Raises:
            StepError: it can't be done.
        """
        raise NotImplementedError


# ------------------------------------------------------------------------------------------------------ steps on the host


class HostStep(Step):
    """A step that asks its host's gate."""

    what = ""

    def perform(self, step: RunStep) -> Values:
        return self.effect(step, self.what)

    def effect(self, step: RunStep, what: str) -> Values:
        """Have the effect done, once for this attempt."""
        effect = Effect(
            exec_id=step.exec_id,
            action_id=step.action_id,
            seq=step.seq,
            server=step.server,
            pos=step.pos,
            step=step.name,
            what=what,
            values=step.facts,
            secret=step.secret,
            source=SOURCE,
        )
        answer = self._ask_gate(step, effect)
        if isinstance(answer, StepFailed):
            raise StepError(answer.code, answer.reason)
        assert isinstance(answer, StepDone)
        return answer.result

    def look(self, step: RunStep, what: Look) -> Values:
        """Read something of the server."""
        seen = self._ask_gate(step, what)
        assert isinstance(seen, Seen)
        if seen.error is not None:
            raise StepError("driver_error", seen.error)
        return seen.values

    def _ask_gate(self, step: RunStep, question: object) -> object:
        if step.gate is None:
            raise StepError("no_gate", f"host {step.host} has no gate")
        try:
            return self.ask(step.gate, question, timeout=step.seconds).result()
        except AskError as error:
            raise StepError("gate_lost", f"the gate of host {step.host} did not answer: {error}") from error


class Define(HostStep):
    """Make the server: its directory, its disk, its port."""

    what = "define"


class Start(HostStep):
    """Start it for the first time."""

    what = "start"


class SetPassword(HostStep):
    """Give it the customer's password."""

    what = "set_password"


class CheckDisk(HostStep):
    """A full disk would prevent the boot: refuse before anything is switched off."""

    def perform(self, step: RunStep) -> Values:
        disk = self.look(step, Look(step.server, "disk"))
        if disk["full"]:
            raise StepError("disk_full", f"the disk of {step.server} is full ({disk['used']} of {disk['quota']} bytes)")
        return {"disk_used": disk["used"]}


class Reboot(HostStep):
    """Shut it down and start it again; later steps see whether it comes back."""

    what = "reboot"


class Stop(HostStep):
    """Shut it down for good."""

    what = "stop"


class Destroy(HostStep):
    """Remove it and its disk."""

    what = "destroy"


# ------------------------------------------------------------------------------------------ steps that look from outside


class WaitHttp(Step):
    """Wait until the server answers on its port, and is the right one."""

    def perform(self, step: RunStep) -> Values:
        boot = int(step.facts.get("boot") or 0)
        wait_until(lambda: _answers(step, boot), step, "does not answer")
        return {}


class WaitDown(Step):
    """Wait until the server has gone down: nobody answers, or the one that answers has been booted since."""

    def perform(self, step: RunStep) -> Values:
        boot = int(step.facts.get("boot") or 0)

        def down() -> bool:
            answer = probe(*_port(step))
            return answer is None or (answer.name == step.server and answer.boot >= boot)

        wait_until(down, step, "does not go down")
        return {}


class WaitUp(WaitHttp):
    """Wait until the rebooted server answers again."""


class Probe(Step):
    """One look at the port, which must succeed at once."""

    def perform(self, step: RunStep) -> Values:
        if not _answers(step, int(step.facts.get("boot") or 0)):
            raise StepError(
                "no_network", f"{step.server} does not answer on {step.facts['address']}:{step.facts['port']}"
            )
        return {}


def _port(step: RunStep) -> tuple[str, int]:
    return str(step.facts["address"]), int(step.facts["port"] or 0)


def _answers(step: RunStep, boot: int) -> bool:
    answer = probe(*_port(step))
    return answer is not None and answer.name == step.server and answer.boot >= boot


def wait_until(true: Callable[[], bool], step: RunStep, complaint: str) -> None:
    """Look again and again, for as long as the step may take.

    Raises:
        StepError: it did not become true in time.
    """
    deadline = time.monotonic() + step.seconds
    while not true():
        if time.monotonic() > deadline:
            raise StepError("no_network", f"{step.server} {complaint} within {step.seconds:g} s")
        time.sleep(PERIOD)


# ------------------------------------------------------------------------------------------------ steps with the database


class DatabaseStep(Step):
    """A step that needs the database.

    Args:
        database: its file.
    """

    def __init__(self, database: str) -> None:
        self.database = database


class ReserveIp(DatabaseStep):
    """Take an address from the pool; a repetition gets the same."""

    def perform(self, step: RunStep) -> Values:
        with Store(self.database) as store:
            return {"address": store.reserve_address(step.server)}


class ReleaseIp(DatabaseStep):
    """Give the address back."""

    def perform(self, step: RunStep) -> Values:
        with Store(self.database) as store:
            store.release_address(step.server)
        return {}


class Notify(DatabaseStep):
    """Tell the customer, in the time-line of the action."""

    def perform(self, step: RunStep) -> Values:
        with Store(self.database) as store:
            text = f"your server {step.server} answers on http://{step.facts['address']}:{step.facts['port']}/"
            store.notice(step.server, step.action_id, text)
        return {}
