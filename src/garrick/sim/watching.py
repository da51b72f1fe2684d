"""`Watching`: the part of `World` for those who look: checks, goals, breakpoints, steps, and questions about what happened.

Owns the surface; the work is done in `garrick.sim.checks`, `garrick.sim.debugging` and `garrick.sim.story`. Nothing here changes what
happens in the world, except that it is let happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.errors import InvalidArgument
from garrick.runtime import inspection
from garrick.runtime.once import Once
from garrick.sim import leaks
from garrick.sim.checks import (
    LIVELOCK_STEPS,
    Always,
    Checks,
    DeadLetters,
    Deadlock,
    Eventually,
    Failures,
    LeadsTo,
    Livelock,
    Predicate,
)
from garrick.sim.clock import SECOND
from garrick.sim.debugging import Breaks, Handling
from garrick.sim.story import Chain, Event
from garrick.sim.units import Duration, nanoseconds

if TYPE_CHECKING:
    from garrick.errors import SimFailure
    from garrick.sim.hands import Crew
    from garrick.sim.node import SimNode
    from garrick.sim.runtime import SimRuntime

LAST = 20
"""Events of an actor that `Watching.inspect` shows."""
PATIENCE = "1min"
"""How long several systems may have nothing to do but heartbeats, before handlers under way are stuck: longer than links try."""


class Watching:
    """See the module."""

    _crew: Crew
    _nodes: dict[str, SimNode]
    _alone: bool
    _sources: Mapping[tuple[str, str], int]
    checks: Checks
    breaks: Breaks

    # --- checks --------------------------------------------------------------------------------------------------------------

    def always(self, name: str, predicate: Predicate, *, every: int = 1) -> None:
        """``predicate()`` is true after each step from now on.

        Args:
            name: says what is wrong when it does not hold.
            predicate: looks at actors, systems or the program's own variables, and changes nothing.
            every: look only after so many steps, if it is expensive.
        """
        self.checks.add(Always(name, predicate, every))

    def eventually(self, name: str, predicate: Predicate, within: Duration) -> None:
        """``predicate()`` becomes true at least once, at most ``within`` of virtual time from now.

        Args:
            name: says what is wrong when it does not.
            predicate: as for `always`.
            within: seconds, or text such as ``"2min"``.
        """
        self.checks.add(Eventually(name, predicate, within, self._crew.kernel.clock.ns))

    def leads_to(self, name: str, cause: Predicate, effect: Predicate, within: Duration) -> None:
        """Whenever ``cause()`` is true, ``effect()`` is too, or becomes so at most ``within`` later.

        Args:
            name: says what is wrong when it does not.
            cause: as for `always`.
            effect: as for `always`.
            within: seconds of virtual time, or text such as ``"90s"``.
        """
        self.checks.add(LeadsTo(name, cause, effect, within))

    def no_failures(self, *expected: type[BaseException]) -> None:
        """No handler and no hook raises from now on, but what an asker gets to know, or what is of an expected type."""
        self._one(Failures(self._crew)).expected += expected

    def no_dead_letters(self, *expected: str) -> None:
        """No message remains unhandled from now on, but for an expected reason (``"late reply"``, ``"stopped"``, ...)."""
        self._one(DeadLetters(self._crew)).expected.update(expected)

    def no_livelock(self, steps: int = LIVELOCK_STEPS) -> None:
        """Time goes on after at most so many steps."""
        self._one(Livelock(self._crew, min(steps, LIVELOCK_STEPS)))

    def no_deadlock(self, patience: Duration | None = None) -> None:
        """It never comes to this: handlers are under way, messages or questions wait for them, and only time-outs are still to come.

        Args:
            patience: how long nothing may happen before that counts; by default a minute between several systems, whose links try again,
                and no time in one system.
        """
        if patience is None:
            patience = 0 if self._alone else PATIENCE
        self._one(Deadlock(self._crew, self._stuck, patience))

    def strict(self) -> None:
        """`no_failures`, `no_livelock` and `no_deadlock`."""
        self.no_failures()
        self.no_livelock()
        self.no_deadlock()

    def verify(self) -> None:
        """Let the world go on until everything has come that `eventually` and `leads_to` demand, or its time is over.

        Raises:
            SimFailure: something did not come, or another check is violated.
        """
        while (due := self.checks.due()) is not None:
            # One step beyond the last instant in which it may still come.
            self._crew.drive(lambda: self.checks.due() is None, due + 1)

    def check_no_leaks(self, keep: Iterable[Address[Any]] = ()) -> None:
        """Nothing is left over now.

        That is: no actor but those in ``keep`` and their descendants, no open question, no timer of an actor that has ended, no
        address that still takes messages for somebody, and no loaded source that is held, or whose code has outlived its unloading,
        beyond what there was when the world began.

        Args:
            keep: who may still live.

        Raises:
            SimFailure: something is.
        """
        found = leaks.leaks(list(self._nodes.values()), list(keep), self._sources)
        if found:
            self.checks.fail("left over: " + "; ".join(found), found[0].partition(" ")[0], "leak")

    @property
    def failure(self) -> SimFailure | None:
        """The first violation of a check, if there was one."""
        return self.checks.failure

    def _one(self, check: Any) -> Any:
        found = self.checks.find(type(check))
        if found is None:
            self.checks.add(check)
            return check
        return found

    def _stuck(self) -> list[str]:
        nodes = list(self._nodes.values())
        if any(gate.closed for node in nodes for gate in node.gates()):
            return []
        runtimes = [runtime for node in nodes for runtime in node.runtimes()]
        cells = [cell for runtime in runtimes for cell in runtime.cells.values()]
        if not any(runtime.waiting for runtime in runtimes) and not any(cell.waits or cell.queue for cell in cells):
            return []
        return [
            f"{inspection.class_text(cell.spec.actor_class).rpartition('.')[2]} {cell.address}: {cell.whereabouts()}"
            for cell in cells
            if cell.busy or cell.waits
        ]

    # --- goals and coverage --------------------------------------------------------------------------------------------------

    def sometimes(self, name: str, condition: Any = True) -> None:
        """Count this goal if ``condition`` is true: a suite may demand that each is met in some run."""
        self._crew.story.goals[name] += bool(condition)

    def reached(self, name: str) -> None:
        """Count this goal."""
        self.sometimes(name)

    @property
    def goals(self) -> Counter[str]:
        """How often each goal has been met; those that were asked for and never met are there with 0."""
        return self._crew.story.goals

    @property
    def coverage(self) -> Counter[tuple[str, str, str]]:
        """How often each ``(class of the actor, behaviour, type of the message)`` was handled; the behaviour is empty without `become`."""
        found: Counter[tuple[str, str, str]] = Counter()
        for (actor_class, behaviour, message), count in self._crew.story.covered.items():
            found[inspection.class_text(actor_class), behaviour, message] += count
        return found

    # --- letting it happen ---------------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Steps of the kernel so far."""
        return self._crew.kernel.steps

    def time_passes(self, duration: Duration) -> None:
        """Let so much virtual time pass; what is due at its end happens, too.

        Args:
            duration: seconds, or text such as ``"5s"``.
        """
        kernel = self._crew.kernel
        over = Once()
        end = kernel.clock.ns + nanoseconds(duration)
        self._crew.wait(over, end / SECOND)
        self._crew.drive(lambda: not kernel.ready or kernel.clock.ns > end, None)

    def run_steps(self, count: int) -> int:
        """Let so many steps happen, or fewer if there are no more.

        A step that waits goes on while others happen, so that there may be more of them.

        Returns:
            How many have happened.
        """
        before = self.step
        self._crew.drive(lambda: self.step >= before + count, None)
        return self.step - before

    def run_idle(self) -> None:
        """Let everything happen that can without time passing."""
        kernel = self._crew.kernel
        now = kernel.clock.ns
        self._crew.drive(lambda: not kernel.ready or kernel.clock.ns > now, None)

    def run_until(self, predicate: Predicate, timeout: Duration = "1min") -> None:
        """Let the world go on until ``predicate()`` is true; it is looked at between steps.

        Args:
            predicate: as for `always`.
            timeout: seconds of virtual time, or text.

        Raises:
            SimFailure: it has not become true in time, or cannot any more.
        """
        end = self._crew.kernel.clock.ns + nanoseconds(timeout)
        self._crew.drive(predicate, end)
        if not predicate():
            name = getattr(predicate, "__qualname__", "the condition")
            self.checks.fail(f"{name} has not become true within {timeout}", name, "run_until")

    # --- questions -----------------------------------------------------------------------------------------------------------

    def events(self, actor: Address[Any] | None = None, last: int = LAST) -> list[Event]:
        """The newest events, of one actor or of all but the machinery between systems, the oldest first."""
        story = self._crew.story
        found = story.newest() if actor is None else story.of(actor.system, actor.serial)
        return list(islice(found, last))[::-1]

    def why(self, event: Event | Address[Any] | int | None = None) -> Chain:
        """What led to an event: each event of the chain caused the next one. As text it has a line for each.

        Args:
            event: an event, its number, an actor (its newest event), or None: the newest event of all.

        Raises:
            InvalidArgument: nothing is known of it.
        """
        story = self._crew.story
        found: Event | None
        if isinstance(event, Event):
            found = event
        elif isinstance(event, int):
            found = story.find(event)
        else:
            found = next(iter(self.events(event, 1)), None)
        if found is None:
            raise InvalidArgument(f"nothing is known of {event}", hint="it is too long ago, or never happened")
        return story.why(found)

    def actor(self, address: Address[Any]) -> Any:
        """The instance behind an address, for checks to look at; another one after a restart. None: there is none now."""
        runtime = self._home(address)
        cell = None if runtime is None else runtime.cells.get(address.serial)
        return None if cell is None else cell.actor

    def _home(self, address: Address[Any]) -> SimRuntime | None:
        """The process that has this actor; if none has, the one where it would be."""
        found = None
        for node in self._nodes.values():
            if node.runtime.system == address.system:
                for runtime in node.runtimes():
                    if address.serial in runtime.cells:
                        return runtime
                    if found is None or runtime.number == address.process:
                        found = runtime
        return found

    def inspect(self, actor: Address[Any]) -> dict[str, Any]:
        """What is known of an actor: state, mailbox, timers, children, what it waits for, its attributes and its newest events."""
        answers: list[dict[str, Any]] = []
        events = [str(event) for event in self.events(actor)]
        runtime = self._home(actor)
        if runtime is not None:
            inspection.inspect(runtime, "show", {"serial": actor.serial}, answers.append)
            hidden = ("_cell", "address")
            attributes = getattr(self.actor(actor), "__dict__", {})
            own = {name: value for name, value in attributes.items() if name not in hidden}
            return {**answers[0], "attributes": own, "events": events}
        return {"state": "unknown", "attributes": {}, "events": events}

    # --- breakpoints ---------------------------------------------------------------------------------------------------------

    def break_on(
        self,
        actor: Any = None,
        message: type[Any] | None = None,
        when: Callable[[Handling], Any] | None = None,
    ) -> None:
        """Stop in the debugger before a message is handled, in the frame of the handler.

        Args:
            actor: its class, the name of the class, its address, or its name; None: any.
            message: the type; None: any.
            when: called with a `Handling` (``actor``, ``msg``, ``sender``, ...).
        """
        self.breaks.on(actor, message, when)

    def break_at(self, step: int) -> None:
        """Stop in the debugger in the step of that number, in the frame of the user code that it runs."""
        self.breaks.at(step)

    def break_when(self, condition: Callable[[], Any]) -> None:
        """Stop in the debugger after the step that makes ``condition()`` true."""
        self.breaks.when(condition)
