"""The Control actor: takes customers' requests from the database and has their steps done, one after the other.

Requests of one server run in the order of their acceptance, those of different servers at the same time; the order is the
database's (``provision.dispatch``), Control only asks what may run. It knows hosts by their gates: a gate that reports makes its
host ready, and the loss of a gate with its system is how Control learns, through the convention alone, that a host is gone.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from garrick import Actor, on
from garrick.errors import GarrickError
from garrick.messages import ChildExited, Poisoned
from garrick.supervision import Stop
from provision.agency import Agency
from provision.catalogue import STEPS
from provision.dispatch import Dispatch
from provision.hostgate import HostGate
from provision.ids import uuid7
from provision.protocol import (
    NO_SYSTEM,
    SYSTEM_LOST,
    GetStep,
    HostReady,
    QueryStep,
    ReleaseStep,
    RunAction,
    RunStep,
    StepDone,
    StepFailed,
    StepGone,
    StepKnown,
    StepReady,
)

if TYPE_CHECKING:
    from garrick.address import Address
    from provision.protocol import Action, ActionState, Value

SWEEP_SECONDS = 0.5
"""How often the database is looked at without a hint: queued actions, clocks, hosts without a gate."""
AGAIN_SECONDS = 0.2
"""How soon a Step actor that found no system is asked for again."""
GRACE_SECONDS = 2.0
"""How much longer than a step may take its attempt waits for its answer."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Control to itself."""


@dataclass(frozen=True, slots=True)
class Again:
    """Control to itself: have this attempt's Step actor made once more."""

    exec_id: str


@dataclass(slots=True)
class Run:
    """An action under way; ``exec_id`` is the attempt that is out, "" between two steps."""

    action: Action
    pos: int
    facts: dict[str, Value] = field(default_factory=dict)
    exec_id: str = ""


class Control(Actor):
    """See the module.

    Args:
        database: the database's file.
    """

    def __init__(self, database: str) -> None:
        self.database = database
        # The actor may be on different threads, never on two at once.
        self.store = Dispatch(database, f"{socket.gethostname()}:{os.getpid()}", one_thread=False)
        self.runs: dict[int, Run] = {}
        self.attempts: dict[str, Run] = {}
        self.gates: dict[str, Address[Any]] = {}
        self.inherited: dict[str, list[Run]] = {}

    def started(self) -> None:
        for child in self.children:
            self.stop(child)  # those of the instance before a restart, which knew what they are for
        self.agency = self.spawn(Agency, self.database)
        for pending in self.store.take_over():
            run = Run(pending.action, pending.pos, dict(pending.action.facts), pending.exec_id or "")
            self.runs[run.action.id] = run
            if run.exec_id:
                self.attempts[run.exec_id] = run
            # They go on when their host reports.
            self.inherited.setdefault(run.action.host, []).append(run)
        self.every(SWEEP_SECONDS, Sweep())
        self.send(self.address, Sweep())

    def stopping(self, reason: str) -> None:
        self.store.close()

    def restarting(self, error: BaseException) -> None:
        self.store.close()

    # -------------------------------------------------------------------------------------------------------- what may run

    @on
    def run_action(self, _message: RunAction) -> None:
        self.claim()

    @on
    def sweep(self, _message: Sweep) -> None:
        for row in self.store.rows("SELECT name FROM host ORDER BY name"):
            if row["name"] not in self.gates:
                self.reach(row["name"])
        for action_id, reason in self.store.overdue():
            if run := self.runs.get(action_id):
                self.finish(run, "timed_out", "timed_out", reason)
        self.store.mark_waiting()
        self.claim()

    def claim(self) -> None:
        """Start what may run."""
        for action in self.store.claim():
            run = Run(action, 0, dict(action.facts))
            self.runs[action.id] = run
            self.next_step(run)

    # --------------------------------------------------------------------------------------------------- steps of an action

    def next_step(self, run: Run) -> None:
        """Have the run's current step done; an action with no step left has succeeded."""
        if run.pos == len(run.action.steps):
            self.finish(run, "succeeded")
            return
        step = run.action.steps[run.pos]
        if not run.exec_id:
            if step.name not in STEPS:
                self.finish(run, "failed", "unknown_step", f"there is no step {step.name!r}")
                return
            run.exec_id = uuid7()
            self.attempts[run.exec_id] = run
            node = run.action.host if step.place == "host" else self.store.node
            seconds = STEPS[step.name].seconds + GRACE_SECONDS
            self.store.step_dispatched(run.action.id, run.pos, run.exec_id, node, seconds)
        self.send(self.agency, GetStep(run.exec_id, step.name, run.action.host, run.action.source))

    @on
    def step_ready(self, message: StepReady) -> None:
        run = self.attempts.get(message.exec_id)
        if run is None:
            return  # ended meanwhile; its step has been released
        action, name = run.action, run.action.steps[run.pos].name
        order = RunStep(
            exec_id=run.exec_id,
            action_id=action.id,
            seq=action.seq,
            server=action.server,
            host=action.host,
            pos=run.pos,
            name=name,
            seconds=STEPS[name].seconds,
            gate=self.gates.get(action.host),
            facts=dict(run.facts),
            secret=action.secret if STEPS[name].secret else None,
        )
        self.send(message.step, order)

    @on
    def step_done(self, message: StepDone) -> None:
        run = self.take(message.exec_id)
        if run is None:
            return  # too late: the action has ended, and nothing of it counts any more
        run.facts.update(message.result)
        self.store.step_done(run.action.id, run.pos, message.exec_id, message.result)
        run.pos += 1
        self.next_step(run)

    @on
    def step_failed(self, message: StepFailed) -> None:
        if run := self.take(message.exec_id):
            self.finish(run, "failed", message.code, message.reason)

    @on
    def step_gone(self, message: StepGone) -> None:
        if message.exec_id not in self.attempts or message.code == SYSTEM_LOST:
            return  # what ends all of a lost host's actions at once is the loss of its gate
        if message.code in {NO_SYSTEM, "refused"}:
            # What the Agency's process knows of the hosts lags a little behind; the attempt's clock bounds this.
            self.after(AGAIN_SECONDS, Again(message.exec_id))
        elif run := self.take(message.exec_id):
            self.finish(run, "failed", message.code, message.reason)

    @on
    def again(self, message: Again) -> None:
        if run := self.attempts.get(message.exec_id):
            self.next_step(run)

    @on
    def poisoned(self, message: Poisoned) -> None:
        """A step raised on its message; its end, which tells the action, follows from the Agency."""
        self.log.warning("%s failed: %s", message.target, message.error)

    def take(self, exec_id: str) -> Run | None:
        """The run whose attempt has come to its end, if that still counts."""
        run = self.attempts.pop(exec_id, None)
        if run is not None:
            run.exec_id = ""
            self.send(self.agency, ReleaseStep(exec_id))
        return run

    def finish(self, run: Run, state: ActionState, code: str = "", reason: str = "") -> None:
        """The action has ended; its server's next one may run."""
        self.forget(run)
        self.store.finish(run.action.id, state, code, reason)
        self.claim()

    def forget(self, run: Run) -> None:
        """Nothing that still comes from this run's steps counts."""
        if run.exec_id:
            self.take(run.exec_id)
        self.runs.pop(run.action.id, None)

    # --------------------------------------------------------------------------------------------------------------- hosts

    def reach(self, host: str) -> None:
        """Try to get a gate on a host; where there is none yet, the next sweep tries again."""
        try:
            self.gates[host] = self.spawn(HostGate, host, self.address, requires={"host": host}, supervision=Stop())
        except GarrickError as error:
            self.log.debug("host %s: %s", host, error)

    @on
    def host_ready(self, message: HostReady) -> None:
        if self.gates.get(message.host) != self.sender:
            return  # a gate that has been given up since
        self.store.host_up(message.host, message.boot)
        for run in self.inherited.pop(message.host, []):
            if run.exec_id and run.action.steps[run.pos].place == "host":
                self.send(self.gates[message.host], QueryStep(run.exec_id, run.action.server))
            else:
                self.next_step(run)
        self.claim()

    @on
    def step_known(self, message: StepKnown) -> None:
        """A host's journal about an attempt of an earlier Control: adopt what is known, repeat what is not."""
        if message.state == "done":
            self.step_done(StepDone(message.exec_id, message.result))
        elif message.state == "unknown":
            if run := self.attempts.get(message.exec_id):
                self.next_step(run)
        else:
            code = message.code or "interrupted"
            reason = message.reason or "the step was begun, and nobody knows how it ended"
            self.step_failed(StepFailed(message.exec_id, code, reason))

    @on
    def child_exited(self, message: ChildExited) -> None:
        if message.child == self.agency:
            self.replace_agency(message)
            return
        host = next((host for host, gate in self.gates.items() if gate == message.child), None)
        if host is None:
            return
        del self.gates[host]
        if message.reason.replace(" ", "_") == SYSTEM_LOST:
            self.log.warning("host %s is lost", host)
            self.inherited.pop(host, None)
            for action_id in self.store.fail_running_on_host(host):
                if run := self.runs.get(action_id):
                    self.forget(run)
        elif message.reason == "refused":
            self.log.debug("host %s is not there: %s", host, message.detail)
        else:
            self.log.warning("the gate of host %s ended: %s %s", host, message.reason, message.detail)
            self.store.host_unready(host)

    def replace_agency(self, message: ChildExited) -> None:
        """Without the Agency nobody tells of the end of its steps, which ended with it."""
        self.agency = self.spawn(Agency, self.database)
        for run in list(self.attempts.values()):
            self.take(run.exec_id)
            self.finish(run, "failed", "agency_lost", f"the agency ended: {message.reason}")
