"""`Runtime`: the actors of one process and the lane that their messages run through.

Owns the order in the lane, the table of cells, where a message goes (`route`, `deliver`), and dead letters. It does not know who runs
the lane (`garrick.ports.Scheduler`), nor how messages leave the process (`garrick.ports.Outbound`). What every message touches is in
`garrick.runtime.lane`; who gets a turn under backlog, in `fairness`; what comes before its actor does, in `arrivals`; what is made in
other processes, in `spawning`.

Who may touch what: `append`, `route`, `ask`, `spawn`, `deliver` may be called from any thread. Everything else happens on the *holder*
of the baton, which runs one envelope at a time; other threads reach it with `post`.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from garrick.address import COUNTER_BITS, Address, ReplyAddress, control
from garrick.errors import (
    GarrickError,
    InvalidArgument,
    NoCapableSystem,
    NotAnAddress,
    SystemStopped,
    UnpicklableMessage,
)
from garrick.mailbox import Bounded
from garrick.messages import DeadLetter
from garrick.ports import Clock, Outbound, Random, Scheduler
from garrick.reply import Reply
from garrick.runtime import deadlock, ending, lifecycle, load, process, reports, spawning, supervise, whereabouts
from garrick.runtime.arrivals import Arrivals
from garrick.runtime.ask import Slot
from garrick.runtime.cell import ENDED, RESTARTING, STOPPING, Cell
from garrick.runtime.fairness import BACKLOG, BURST
from garrick.runtime.fanout import Gathering
from garrick.runtime.history import History
from garrick.runtime.lane import Lane, NobodysTenure
from garrick.runtime.letterlog import LetterLog
from garrick.runtime.mailbox import HIGH_WATER, Mailbox, admit, swell
from garrick.runtime.neighbourhood import Neighbourhood
from garrick.runtime.relocation import Relocations
from garrick.runtime.signals import (
    Escalated,
    Found,
    Probe,
    Signal,
    Spec,
    Stop,
    View,
)
from garrick.runtime.slow import Running
from garrick.runtime.timers import Timer, TimerHeap
from garrick.wire.envelope import FAILURE, MESSAGE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.succession import Successions
    from garrick.sources.roster import Roster

log = logging.getLogger("garrick")

Placement = Callable[[Any, Mapping[str, Any], "Runtime"], tuple[str, int]]
"""``(actor class, requirements, runtime) -> (system, process)``; raises `NoCapableSystem`."""


class Runtime(Lane):
    """See the module. ``number`` is the process number inside ``system``."""

    scheduler: Scheduler
    threads = True
    """Whether other threads may have something in their hands that is done with."""

    def __init__(
        self,
        *,
        system: str,
        number: int,
        clock: Clock,
        random: Random,
        outbound: Outbound,
        placement: Placement,
        capabilities: Mapping[str, Any] | None = None,
    ) -> None:
        self.system = system
        self.number = number
        self.clock = clock
        self.random = random
        self.outbound = outbound
        self.placement = placement
        self.capabilities: Mapping[str, Any] = capabilities or {}
        self.address = control(system, number)
        self.admin = control(system, 0)
        self.view = View({})
        self.hosts_actors = True
        self.load_due = False
        """Whether a report of the number of actors is under way (`garrick.runtime.load`)."""
        self.letters_due = False
        """The same for the number of dead letters."""
        self.ending = False
        self.draining = False
        """Whether nothing is to be made here for actors of other systems."""
        self.on_shutdown: Callable[[], None] = lambda: None
        self.on_empty: Callable[[], None] = lambda: None
        """Called on the holder when the last actor has ended, and everybody who must know has been told."""
        self.next_number: Callable[[], int] = _no_processes
        """Gives the number of a new dedicated process."""

        self.lane = deque()
        self.append = self.lane.append
        self.away: Callable[[Address[Any], Any, Address[Any] | None], None] = self.route
        """`route` for users' messages to addresses without a cell; who knows the ways out puts a shorter one here."""
        self.spread_at = BACKLOG
        self.idle = False
        self.tenure = NobodysTenure()
        self.control = Cell(self, self.address, Spec(None), self.admin)
        self.control.queue = deque()

        self.cells: dict[int, Cell] = {}
        self.seal: Callable[[Address[Any], Any, Address[Any] | None, int], bytes] | None = None
        """Makes the envelope of a message that somebody else will send; None where no process can be lost without the others."""
        self.moved: dict[Address[Any], int] = {}
        """Actors of this system that were made again in another process than their addresses say, and where."""
        self.answers_at_once: frozenset[type] = frozenset()
        """Signals to the process that the delivering thread answers, since the lane may be kept by a handler."""
        self.local_control: dict[int, Callable[[Address[Any], Any, Address[Any] | None], None]] = {}
        """Who takes ``(target, message, sender)`` for process numbers that live in this process too (a ``local`` system's admin)."""
        self.epochs: dict[int, int] = {}
        """Under which epoch actors hold a name that is unique in the convention, by serial."""
        self.lease_until: float | None = None
        """When those end unless they hear of a later moment."""
        self.leaving = 0
        """Actors that have ended and tell so when their names are free."""
        self.slots: dict[int, Slot] = {}
        self.waiting: set[Slot | Gathering] = set()
        """Asks that the program waits for."""
        self.given_up: dict[ReplyAddress, None] = {}
        """Questions of other processes whose answers nobody wants any more, oldest first (`garrick.runtime.cancelling`)."""
        self.readers: dict[int, Any] = {}
        """Subscriptions of the program, by the serial of their address (`garrick.streams`)."""
        self.interruptible: dict[ReplyAddress, Callable[[], None]] = {}
        """How to interrupt the handlers that run now and opted in, by the question (`garrick.cancellation`)."""
        self.abandoned = False
        """Whether nobody will answer any more."""
        self.running: dict[int, Running] = {}
        """Steps that executors run now, by thread."""
        self.on_step: Callable[[], None] = lambda: None
        """Called by a thread that has made such a step known."""
        self.swollen: set[Cell] = set()
        """Actors whose overlong queue has been reported."""
        self.timers = TimerHeap()
        self._counter = itertools.count(1)
        self.spawn_lock = threading.Lock()
        self.roster: Roster | None = None
        """The sources of the system, once it has any (`garrick.runtime.sourced`)."""
        self.successions: Successions | None = None
        self.fetch_source: Callable[[str], None] | None = None
        """Gets a source from another host, or raises; waits."""
        self.launched: dict[Address[Any], tuple[str, float]] = {}
        """Actors of sources that are being made in other processes: source, and until when they count here."""
        self.arrivals = Arrivals(self)
        self.neighbourhood = Neighbourhood(self)
        self.relocations = Relocations(self)
        self.tombstones: OrderedDict[int, str] = OrderedDict()
        self.history = History()
        self.dead_letter_count: Counter[str] = Counter()
        self.letter_log = LetterLog(clock)
        self.dead_letter_listeners: dict[Address[Any], None] = {}
        self.async_lane: Any = None
        self.start_async: Callable[[Cell, Any, Any, Any], None] = self._start_async_lane

    # --- the lane ------------------------------------------------------------------------------------------------------

    def post(self, action: Callable[[Any], bool | None], argument: Any) -> None:
        """Let the holder call ``action(argument)`` after what is in the lane now; any thread.

        The action returns True when the baton was lost in user code on the way.
        """
        self.append((self.control, action, argument))
        if self.idle:
            self.scheduler.wake()

    def post_signal(self, cell: Cell, signal: Signal, sender: Address[Any] | None) -> None:
        """Let the holder take a signal for an actor of this process, in order with what was sent before; any thread."""
        if isinstance(signal, Stop) and not signal.drain:  # it overtakes what waits in the lane
            self.lane.appendleft((self.control, self.signal, (cell, signal, sender)))
            if self.idle:
                self.scheduler.wake()
        else:
            self.post(self.signal, (cell, signal, sender))

    def aside(self, work: Callable[[], None]) -> None:
        """Let ``work`` run code of users that may take long, off the lane."""
        threading.Thread(target=work, name="aside", daemon=True).start()

    def wake(self) -> None:
        """Something was appended while the holder was idle."""
        self.scheduler.wake()

    def enqueue(self, cell: Cell, item: Any) -> None:
        """Put an envelope (or a control envelope of this actor) behind what the actor has waiting; holder only."""
        queue = cell.queue
        queue.append(item)
        if not (cell.busy or cell.scheduled):
            cell.scheduled = True
            self.append((self.control, self.run_queue, cell))
        elif len(queue) > HIGH_WATER:
            swell(self, cell)

    def run_queue(self, cell: Cell) -> bool:
        """Handle a burst of what waits for one actor."""
        cell.scheduled = False
        queue = cell.queue
        if cell.busy or queue is None:
            return False
        if self.swollen and len(queue) < HIGH_WATER // 2:
            self.swollen.discard(cell)
        control = self.control
        for _ in range(BURST):
            if not queue:
                if not cell.pinned:
                    cell.queue = None
                return False
            envelope = queue.popleft()
            lost = envelope[1](envelope[2]) if envelope[0] is control else self.run_message(cell, envelope)
            if lost:
                return True
            if cell.busy or cell.queue is not queue:
                return False
        if queue:
            cell.scheduled = True
            self.append((control, self.run_queue, cell))
        elif not cell.pinned:
            cell.queue = None
        return False

    def unbusy(self, cell: Cell) -> None:
        """The step that kept the actor busy is over: go on with what waits."""
        if cell.state == ENDED:
            return
        cell.busy = False
        if cell.queue:
            if not cell.scheduled:
                cell.scheduled = True
                self.append((self.control, self.run_queue, cell))
        elif not cell.pinned:
            cell.queue = None

    # --- running steps -------------------------------------------------------------------------------------------------

    def run_message(self, cell: Cell, envelope: Any) -> bool:
        """Let the actor handle one message; True when the baton was lost meanwhile."""
        cell.sender = envelope[2]
        return self.run_step(cell, _handle, envelope, supervise.handled)

    def run_step(self, cell: Cell, call: Callable[[Cell, Any], Any], context: Any, done: supervise.Done) -> bool:
        """Run user code ``call(cell, context)`` and then ``done(runtime, cell, context, result, error)`` on a holder.

        When the baton is taken away during the call, the result goes back through the lane, and this returns True: the caller
        must not touch the runtime any more.
        """
        if cell.executor is not None:
            cell.hold()
            return cell.executor.submit(cell, call, context, done) is True
        tenure = self.tenure
        outer = tenure.envelope
        tenure.envelope = (cell, call, context)
        error: BaseException | None = None
        result = None
        try:
            result = call(cell, context)
        except BaseException as raised:
            error = raised
        tenure.envelope = outer
        if tenure.lost and self.scheduler.lost_baton(tenure):
            self.post(self.released, (cell, done, context, result, error))
            return True
        if result is not None and type(result) is CoroutineType:
            self.go_async(cell, result, context, done)
            return False
        return done(self, cell, context, result, error)

    def go_async(self, cell: Cell, coroutine: Any, context: Any, done: supervise.Done) -> None:
        """A handler or hook returned a coroutine: the actor is busy until the event loop has run it."""
        cell.hold()
        self.start_async(cell, coroutine, context, supervise.handled_async if done is supervise.handled else done)

    def released(self, step: tuple[Cell, supervise.Done, Any, Any, BaseException | None]) -> bool:
        """A step that ran elsewhere (detached, executor, event loop) has ended."""
        cell, done, context, result, error = step
        if type(result) is CoroutineType:
            self.go_async(cell, result, context, done)
            return False
        cell.busy = False
        lost = done(self, cell, context, result, error)
        if not lost and not cell.busy:
            self.unbusy(cell)
        return lost

    def _start_async_lane(self, cell: Cell, coroutine: Any, context: Any, done: supervise.Done) -> None:
        from garrick.runtime.async_lane import AsyncLane  # late: loads asyncio

        self.async_lane = AsyncLane(self)
        self.start_async = self.async_lane.submit
        self.start_async(cell, coroutine, context, done)

    # --- sending ---------------------------------------------------------------------------------------------------------

    def route(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int = MESSAGE) -> None:
        """Send to any address, here or elsewhere; the general form of the hot path in `garrick.actor.Actor.send`."""
        try:
            cell = target._cell
        except AttributeError:
            raise NotAnAddress(f"{target!r} is no Address", hint="use what spawn(...) returned") from None
        if cell is not None:
            runtime = cell.runtime
            if kind == SIGNAL:
                runtime.post_signal(cell, message, sender)
            else:
                runtime.append((cell, message, sender))
                if runtime.idle:
                    runtime.scheduler.wake()
        elif type(target) is ReplyAddress and target.slot is not None:
            self._complete(target, kind, message, sender)
        elif target.process == self.number and target.system == self.system:
            self.deliver(target, kind, message, sender, at_once=kind == MESSAGE)
        elif target.system == self.system and target.process in self.local_control:
            self.post(self._to_local_control, (target, message, sender))
        else:
            if kind == MESSAGE and type(target) is ReplyAddress:
                kind = REPLY
            self._post_out(target, message, sender, kind)

    def _post_out(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        if self.moved and self.moved.get(target) == self.number:
            self.deliver(target, kind, message, sender)  # it was made again here
            return
        try:
            self.outbound.post(target, message, sender, kind)
        except UnpicklableMessage as error:
            if kind == MESSAGE:
                raise
            # An answer, failure or notice must arrive in any case: say at least what it was.
            self.outbound.post(target, reports.picklable(message, error), sender, FAILURE if kind == REPLY else kind)

    def _to_local_control(self, argument: tuple[Address[Any], Any, Address[Any] | None]) -> None:
        self.local_control[argument[0].process](*argument)

    def _complete(self, target: ReplyAddress, kind: int, message: Any, sender: Address[Any] | None) -> None:
        failure = message if kind == FAILURE else None
        if not target.slot.complete(None if kind == FAILURE else message, failure) and failure is None:
            self.dead_letter(target, message, sender, "late reply")

    def deliver(
        self, target: Address[Any], kind: int, message: Any, sender: Address[Any] | None, *, at_once: bool = False
    ) -> None:
        """A message for this process arrived, from a link or from here; any thread.

        Messages of one link must be delivered by one thread at a time, or their order is lost.
        """
        serial = target.serial
        if serial == 0:
            if type(message) is Found:
                whereabouts.found(self, message)
            elif type(message) in self.answers_at_once:
                process.on_control(self, message, sender)
            else:
                self.post(self._control_signal, (message, sender))
            return
        if type(target) is ReplyAddress or kind in (REPLY, FAILURE):
            slot = self.slots.get(serial)
            if slot is not None:
                self._complete(slot.address, kind, message, sender)
            elif kind != FAILURE:
                self.dead_letter(target, message, sender, "late reply")
            return
        if kind == SIGNAL and type(message) is Probe:
            whereabouts.answer(self, target, message)
            return
        cell = self.cells.get(serial)
        if cell is None:
            if kind == MESSAGE and serial in self.slots:
                self._complete(self.slots[serial].address, REPLY, message, sender)
                return
            # The lane keeps the order between a spawn that waits in it and what comes behind.
            self.post(self.arrivals.late, (target, kind, message, sender))
            return
        if cell.mailbox is None:
            target._cell = cell
        elif kind == MESSAGE and not admit(self, cell, message, sender, at_once=at_once):
            return
        if kind == SIGNAL:
            self.post_signal(cell, message, sender)
        else:
            self.append((cell, message, sender))
            if self.idle:
                self.scheduler.wake()

    def undeliverable(self, target: Address[Any], message: Any, sender: Address[Any] | None, reason: str) -> None:
        """Nobody will handle ``message``: make it a dead letter, and fail the ask if it was one; any thread."""
        self.dead_letter(target, message, sender, reason)
        if type(sender) is ReplyAddress:
            if sender.slot is not None:
                sender.slot.gone(reason)
            else:
                self.route(sender, reports.gone(target, reason), None, FAILURE)

    def dead_letter(self, target: Address[Any], message: Any, sender: Address[Any] | None, reason: str) -> None:
        """Count and keep a dead letter and tell those who listen; any thread."""
        if isinstance(message, DeadLetter):
            return  # a listener that ended: its letters must not breed letters
        letter = DeadLetter(message, target, sender, reason)
        self.dead_letter_count[reason] += 1
        self.history.letter(self.clock.now(), letter)
        if not (self.letters_due or self.ending):
            self.letters_due = True
            self.post(load.report_letters, self)
        self.letter_log.note(letter, quiet=self.ending)
        for listener in tuple(self.dead_letter_listeners):
            if listener != target:
                try:
                    if self.outbound.room(listener) is None:
                        self.route(listener, letter, None)
                        continue
                except UnpicklableMessage:
                    pass
                # It can't leave the process; or the way of a listener that does not keep up is full, and nobody waits for room here: the
                # letter alone takes little.
                self.route(listener, DeadLetter(None, target, sender, reason), None)

    # --- asking and spawning -----------------------------------------------------------------------------------------------

    def ask(
        self, target: Address[Any], message: Any, timeout: float, asker: Cell | None = None, kind: int = MESSAGE
    ) -> Reply[Any]:
        """Send a question; see `garrick.actor.Actor.ask`."""
        slot = Slot(self, target, timeout, asker)
        self.send_question(slot, message, kind)
        return Reply(slot)

    def send_question(self, slot: Slot, message: Any, kind: int = MESSAGE) -> None:
        """Send the question of a new slot."""
        target, asker = slot.target, slot.asker
        if self.ending and asker is None:
            raise SystemStopped(f"the actor system {self.system} has ended")
        self.route(target, message, slot.address, kind)
        if asker is not None:
            if asker.asks is None:
                asker.asks = set()
            asker.asks.add(slot)
            if slot.done:  # the answer may have come before
                asker.asks.discard(slot)
        if target._cell is None and slot.address.serial == 0 and not slot.done:
            slot.expose()  # only an exposed ask is found when its target's process is lost

    def ask_all(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float, asker: Cell | None = None
    ) -> Gathering:
        """Send one question to many; see `garrick.actor.Actor.ask_all`."""
        return Gathering(self, targets, message, timeout, asker)

    def next_serial(self) -> int:
        """A serial that no other address of the system has or will have."""
        return self.number << COUNTER_BITS | next(self._counter)

    def spawn(
        self,
        spec: Spec,
        parent: Address[Any],
        notify: Address[Any] | None = None,
        children: dict[Address[Any], str | None] | None = None,
    ) -> Address[Any]:
        """Create an actor here or elsewhere; returns at once. See `garrick.actor.Actor.spawn`.

        Args:
            spec: what to make.
            parent: who is told of its end.
            notify: a reply address that gets `Started` or the failure; None: only the parent is told.
            children: the parent's table, filled before anything can arrive from the child.

        Raises:
            BadActorClass: ``spec.actor_class`` can't be an actor class.
        """
        if not spec.plain:
            lifecycle.check_spec(spec, top_level=parent.serial == 0)
        refusal: GarrickError | None = None
        address: Address[Any]
        try:
            if self.ending:
                raise SystemStopped(f"the actor system {self.system} is ending")
            system, process = self.placement(spec.actor_class, spec.requires, self)
            if system != self.system or process != self.number or spec.isolation == "process":
                address = spawning.elsewhere(self, spec, parent, notify, children, system, process)
                if children is not None and not spec.plain:
                    self.relocations.note(address, spec)
                return address
        except NoCapableSystem as error:
            if spec.pending:
                return self.relocations.pend(spec, parent, notify, children, error)
            refusal = error
        except GarrickError as error:
            refusal = error
        address = Address(self.system, self.number, self.next_serial())
        if children is not None:
            children[address] = spec.name
            if not spec.plain:
                self.relocations.note(address, spec)
        cell = self.new_cell(address, spec, parent, notify)
        if refusal is None:
            self.post(lifecycle.start, cell)
        else:
            self.post(self.refuse, (cell, refusal))
        return address

    def refuse(self, argument: tuple[Cell, BaseException]) -> bool:
        """An actor can't be made; holder only."""
        cell, error = argument
        return ending.finish(self, cell, "refused", error)

    def new_cell(
        self, address: Address[Any], spec: Spec, parent: Address[Any], notify: Address[Any] | None = None
    ) -> Cell:
        """The cell of an actor that is to start here."""
        cell = Cell(self, address, spec, parent)
        cell.notify = notify
        if cell.mailbox is None:
            address._cell = cell
        self.cells[address.serial] = cell
        return cell

    def new_mailbox(self, bound: Bounded) -> Mailbox:
        """The mailbox of an actor that has a bound."""
        return Mailbox(bound)

    def arm(self, timer: Timer) -> None:
        """Start a timer; holder only."""
        if not timer.cancelled:
            self.timers.arm(timer.due, timer)

    def fire_timers(self) -> None:
        """Let everything happen that is due; holder only."""
        for item in self.timers.take_due(self.clock.now()):
            if not isinstance(item, Timer):
                item()
            elif not item.cancelled and item.cell.state != ENDED:
                lifecycle.tick(self, item)

    def _control_signal(self, argument: tuple[Any, Address[Any] | None]) -> bool:
        return process.on_control(self, *argument)

    # --- signals to actors ---------------------------------------------------------------------------------------------------

    def signal(self, argument: tuple[Cell, Signal, Address[Any] | None]) -> bool:
        """A signal for an actor of this process, in order with its messages; holder only."""
        cell, signal, _sender = argument
        if isinstance(signal, Stop) and cell in self.relocations.waiting:
            return self.relocations.stop(cell, signal)
        if cell.queue is None or cell.state in (STOPPING, ENDED) or lifecycle.at_once(cell, signal):
            return lifecycle.on_signal(self, cell, signal)
        self.enqueue(cell, (self.control, self.signal_now, (cell, signal)))
        if cell.state == RESTARTING and isinstance(signal, Stop):
            return supervise.again(self, cell)  # nobody waits for the end of its back-off
        if isinstance(signal, Escalated) and cell.waits:
            deadlock.suspended(cell, signal.child)
        return False

    def signal_now(self, argument: tuple[Cell, Signal]) -> bool:
        """The same, in its turn."""
        return lifecycle.on_signal(self, *argument)

    def envelope(self, cell: Cell, kind: int, message: Any, sender: Address[Any] | None) -> Any:
        """What stands for a message or signal in the queue of an actor."""
        if kind == SIGNAL:
            return (self.control, self.signal_now, (cell, message))
        return (cell, message, sender)


def _no_processes() -> int:
    raise InvalidArgument(
        "this base has no processes of its own, so isolation='process' is not possible",
        hint="use base 'multiprocess', or isolation='thread'",
    )


def _handle(cell: Cell, envelope: Any) -> Any:
    return cell.handle(envelope[1], envelope[2])
