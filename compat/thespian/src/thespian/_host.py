"""`Host`: the Garrick actor around one actor of a program.

Owns the translation between the two worlds: addresses, notices, exit requests, the one retry of a message that fails, poison. Everything
else (mailbox, placement, supervision, processes, timers) is Garrick's. Invariants:

* The program's object is called by one message at a time, and hears nothing but exit requests and ends of children once it exits.
* No exception of a handler reaches the runtime but those that end a process (``SystemExit``).
* What was sent to a child that turns out not to start comes back to this actor as poison.
"""

from __future__ import annotations

import copy
import inspect
import logging
import traceback
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from garrick.actor import Actor as GarrickActor
from garrick.address import Address
from garrick.errors import GarrickError, NameTaken, UnpicklableMessage
from garrick.handlers import on
from garrick.messages import ChildExited, Poisoned
from garrick.runtime.ask import Slot
from garrick.runtime.signals import SetCapability, Shutdown, Spec
from garrick.supervision import Resume
from garrick.wire.envelope import SIGNAL
from thespian import _logging
from thespian._address import ActorAddress, actor_address
from thespian._deadletters import dead_letter_office, handle_dead_letters
from thespian._errors import InvalidActorAddress, InvalidActorSourceHash, StartRefused
from thespian._helpers import end_helpers
from thespian._hostclass import HostType, Unhosted, host_class, resolve
from thespian._messages import ActorExitRequest, ChildActorExited, PoisonMessage, WakeupMessage, WatchMessage
from thespian._output import Output, redirect
from thespian._status import Thespian_ActorStatus, Thespian_StatusReq, system_status
from thespian._watch import ThespianWatch, Watcher
from thespian.system.timing import ExpirationTimer

log = logging.getLogger("thespian")

START_SECONDS = 50.0
"""How long the start of an actor may take before its creator is told that it failed."""
SHUTDOWN_SECONDS = 10.0
TRIES = 10
"""How often a name is looked up again that another creator has just taken or given up."""


@dataclass(frozen=True)
class Setting:
    """What all hosts of a system have in common; handed down from the program."""

    isolation: str
    """As in Garrick: ``process`` or ``shared``."""
    log_definitions: Any = field(default=None, repr=False)
    watches: bool = False
    """Whether files are watched for actors."""
    output: Output | None = None
    """Where actors print; None: to where their program does."""


@dataclass(frozen=True)
class Adopted:
    """To a host: its parent has exited and left it to the system."""


@dataclass(frozen=True)
class Up:
    """To a host from its own process: this child runs."""

    child: Address[Any]


@dataclass(frozen=True)
class Down:
    """To a host from its own process: an actor that it created by name can't start."""

    child: Address[Any]
    reason: str


@dataclass(frozen=True)
class Readable:
    """To a host from its watcher: these descriptors can be read."""

    ready: list[int]
    turn: int


class Host(GarrickActor, Unhosted, metaclass=HostType):
    """See the module.

    Args:
        setting: of the system.
        quiet: whether a failure of the program's ``__init__`` is an exit and no failed start.
    """

    def __init__(self, setting: Setting, quiet: bool) -> None:
        self.setting = setting
        self.own = actor_address(self.address)
        self._quiet = quiet
        self._class = resolve(self.hosted)
        self._object: Any = None
        self._exiting = False
        self._again: list[tuple[Any, ActorAddress]] = []
        """Messages that the object has put back."""
        self._watcher: Watcher | None = None
        self._starting: dict[Address[Any], list[Any]] = {}
        """Children that have not been heard of yet, and what was sent to them."""
        if setting.isolation == "process":
            if setting.output is not None:
                redirect(setting.output)
            _logging.configure(setting.log_definitions, str(self.own))
        if not quiet:
            self._object = self._make()

    def started(self) -> None:
        """Upstream answers the creator of a top-level actor before it has made the object."""
        if self._quiet:
            try:
                self._object = self._make()
            except (Exception, SystemExit):
                log.exception("%s can't be made", self._class.__qualname__)
                self.stop()

    def _make(self) -> Any:
        offered = {"capabilities": dict(self.capabilities), "requirements": self.requirements}
        wanted = {}
        cls: Any = self._class
        init = cls.__init__
        if init is not object.__init__:
            for name, parameter in inspect.signature(init).parameters.items():
                if name in offered and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
                    wanted[name] = offered[name]
        made = cls(**wanted)
        object.__setattr__(made, "_garrick_host", self)
        return made

    # --- what arrives -------------------------------------------------------------------------------------------------

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        """See Actor."""
        if isinstance(message, ActorExitRequest):
            self._exit(message, self._sender(sender))
        elif isinstance(message, (Adopted, Up, Down, Thespian_StatusReq, Readable)):
            self._internal(message, sender)
        elif not self._exiting:
            self._deliver(message, self._sender(sender))
        elif not isinstance(message, (WakeupMessage, PoisonMessage)):
            self._cell.runtime.undeliverable(self.address, message, sender, "exiting")

    def _internal(
        self, message: Adopted | Up | Down | Thespian_StatusReq | Readable, sender: Address[Any] | None
    ) -> None:
        if isinstance(message, Thespian_StatusReq):
            self.forward(self._sender(sender), self.status())
        elif isinstance(message, Readable):
            if not self._exiting and self._watcher is not None and message.turn == self._watcher.turn:
                self._deliver(WatchMessage(message.ready), self.own)
        elif isinstance(message, Adopted):
            self._cell.parent = self._cell.runtime.admin
        elif isinstance(message, Up):
            self._starting.pop(message.child, None)
        else:
            self._child_ended(message.child)

    def _sender(self, sender: Address[Any] | None) -> ActorAddress:
        return actor_address(self._cell.runtime.admin if sender is None else sender)

    def _deliver(self, message: Any, sender: ActorAddress) -> None:
        """As upstream; and then what the object has put back meanwhile."""
        self._call(message, sender)
        while self._again:
            self._call(*self._again.pop(0))

    def _call(self, message: Any, sender: ActorAddress) -> None:
        """Two attempts; then the sender gets it back."""
        name = self._class.__qualname__
        try:
            result = self._object.receiveMessage(message, sender)
        except Exception:
            log.warning("%s failed on %s; it is tried again", name, type(message).__name__, exc_info=True)
        else:
            if result is not None or self._watcher is not None:
                self._watch(result)
            return
        try:
            self._watch(self._object.receiveMessage(copy.deepcopy(message), sender))
        except Exception:
            log.exception("%s failed on %s twice", name, type(message).__name__)
            if not isinstance(message, (PoisonMessage, ChildActorExited)):
                self._poison(sender, message, traceback.format_exc())

    def _watch(self, result: Any) -> None:
        """What the object returned may say what it wants watched."""
        filenos = result.filenos if isinstance(result, ThespianWatch) else []
        if not self.setting.watches:
            if filenos:
                log.error("%s wants files watched, which this system base does not do", self._class.__qualname__)
            return
        if self._watcher is None and filenos:
            runtime = self._cell.runtime
            self._watcher = Watcher(
                lambda ready, turn: runtime.route(self.address, Readable(ready, turn), self.address)
            )
        if self._watcher is not None:
            self._watcher.watch(filenos)

    def _poison(self, target: ActorAddress, message: Any, details: str) -> None:
        runtime = self._cell.runtime
        try:
            runtime.route(target.addressDetails, PoisonMessage(message, details), self.address)
        except UnpicklableMessage as error:  # it came here, so it could be pickled; its handler has changed it
            runtime.route(target.addressDetails, PoisonMessage(repr(message), f"{details}\n{error}"), self.address)

    @on
    def _child_exited(self, notice: ChildExited) -> None:
        if notice.reason in {"failed", "refused"} and notice.child in self._starting:
            log.warning("a child of %s can't start: %s", self._class.__qualname__, notice.detail)
        self._child_ended(notice.child)

    @on
    def _undecodable(self, notice: Poisoned) -> None:
        """A message of this actor could not be unpickled by its receiver; Garrick tells so, upstream loses it."""
        if notice.target is not None and isinstance(notice.error, GarrickError) and not self._exiting:
            self._deliver(PoisonMessage(notice.message, str(notice.error)), actor_address(notice.target))

    def _child_ended(self, child: Address[Any]) -> None:
        lost = self._starting.pop(child, ())
        address = actor_address(child)
        self._deliver(ChildActorExited(address), address)
        if not self._exiting:
            for message in lost:
                self._deliver(PoisonMessage(message, "Child Aborted"), self.own)
        elif not self._cell.children:
            self.stop()

    # --- the end --------------------------------------------------------------------------------------------------------

    def _exit(self, request: ActorExitRequest, sender: ActorAddress) -> None:
        self._exiting = True
        self._last_words(request, sender)
        children = self._cell.children or {}
        for child in tuple(children):
            self.send(child, ActorExitRequest() if request.isRecursive else Adopted())
        if not request.isRecursive:
            children.clear()
        if not children:
            self.stop()

    def _last_words(self, request: ActorExitRequest, sender: ActorAddress) -> None:
        try:
            self._object.receiveMessage(request, sender)
        except Exception:
            log.debug("%s failed on its exit request", self._class.__qualname__, exc_info=True)

    def stopping(self, reason: str) -> None:
        """Garrick ends the actor (shutdown, SIGTERM, lost capability, lost parent): it hears what it would have heard upstream."""
        if self._watcher is not None:
            self._watcher.close()
        if self._object is not None and not self._exiting and reason != "failed":
            self._exiting = True
            self._last_words(ActorExitRequest(), self._sender(self._cell.parent))
        if self.setting.isolation == "process":
            end_helpers()

    # --- operations of the program's object -----------------------------------------------------------------------------

    def forward(self, target: Any, message: Any) -> None:
        """``Actor.send``."""
        address = target.addressDetails if isinstance(target, ActorAddress) else None
        if not isinstance(address, Address):
            raise InvalidActorAddress(target, "not a valid ActorAddress for sending messages to")
        if address.serial == 0:
            if isinstance(message, Thespian_StatusReq):
                self._cell.runtime.route(self.address, system_status(self._cell.runtime), address)
                return
            # Its exit request came from there, and it answers everything. The system has no use for messages of users.
            log.debug("%s sends to the system itself: %s", self._class.__qualname__, type(message).__name__)
            return
        try:
            self.send(address, message)
        except UnpicklableMessage as error:
            details = "".join(traceback.format_exception(error.__cause__ or error))
            self._cell.runtime.route(self.address, PoisonMessage(message, details), address)
            return
        waiting = self._starting.get(address)
        if waiting is not None:
            waiting.append(message)

    def create(self, actor_class: Any, requirements: Any, name: str | None, source_hash: str | None) -> ActorAddress:
        """``Actor.createActor``."""
        runtime = self._cell.runtime
        if self._exiting:
            return actor_address(self._fresh())
        error: Exception | None = None
        if source_hash is not None:
            error = InvalidActorSourceHash(source_hash)
        elif not isinstance(actor_class, str) or "." not in actor_class:
            try:
                resolve(actor_class)
            except StartRefused as refused:
                error = refused
        if error is not None:
            return self._refused(str(error))
        if name:
            return self._create_named(actor_class, requirements, name)
        slot = Slot(runtime, runtime.admin, START_SECONDS, None)
        children = self._cell.children
        if children is None:
            children = self._cell.children = {}
        spec = self._spec(actor_class, requirements, None)
        address = runtime.spawn(spec, self.address, notify=slot.address, children=children)
        self._starting[address] = []
        slot.target = address
        slot.on_done(lambda: self._heard(slot, address))
        return actor_address(address)

    def _spec(self, actor_class: Any, requirements: Any, name: str | None) -> Spec:
        isolation = self.setting.isolation
        return Spec(host_class(actor_class, requirements), (self.setting, False), {}, name, {}, Resume(), isolation)

    def _heard(self, slot: Slot, child: Address[Any]) -> None:
        """From any thread: a child runs, or does not (which its parent is told otherwise)."""
        try:
            slot.outcome()
        except GarrickError:
            return
        self._cell.runtime.route(self.address, Up(child), self.address)

    def _fresh(self) -> Address[Any]:
        """An address of this process that no actor has or will have."""
        runtime = self._cell.runtime
        return Address(runtime.system, runtime.number, runtime.next_serial())

    def _refused(self, reason: str) -> ActorAddress:
        address = self._fresh()
        self._starting[address] = []
        self._cell.runtime.route(self.address, Down(address, reason), self.address)
        log.warning("%s can't create an actor: %s", self._class.__qualname__, reason)
        return actor_address(address)

    def _create_named(self, actor_class: Any, requirements: Any, name: str) -> ActorAddress:
        """Waits until it is known who has the name: its address is what the caller gets."""
        runtime = self._cell.runtime
        for _ in range(TRIES):
            found = self.lookup(name).result()
            if found is not None:
                return actor_address(found)
            slot = Slot(runtime, runtime.admin, START_SECONDS, None)
            slot.target = runtime.spawn(self._spec(actor_class, requirements, name), runtime.admin, notify=slot.address)
            try:
                slot.wait()
            except NameTaken:
                continue
            except GarrickError as error:
                return self._refused(str(error))
            return actor_address(slot.target)
        return self._refused(f"the name {name!r} never had a holder that lived")

    def wake(self, period: timedelta | float, payload: Any) -> None:
        """``Actor.wakeupAfter``."""
        seconds = period.total_seconds() if isinstance(period, timedelta) else period
        self.after(max(0.0, float(seconds)), WakeupMessage(period, payload))

    def handle_dead_letters(self, start: bool) -> None:
        """``Actor.handleDeadLetters``; waits until it is so in the whole system."""
        office = dead_letter_office(self._cell.runtime, start=start)
        if office is not None:
            handle_dead_letters(self._cell.runtime, office, self.address, start)

    def update_capability(self, key: str, value: Any) -> None:
        """``Actor.updateCapability``."""
        runtime = self._cell.runtime
        runtime.route(runtime.admin, SetCapability(key, value), None, SIGNAL)

    def again(self, message: Any, sender: ActorAddress) -> None:
        """The object wants to have this message once more, when it has handled the present one."""
        self._again.append((message, sender))

    def status(self) -> Thespian_ActorStatus:
        """What the framework knows of the actor."""
        cell, runtime = self._cell, self._cell.runtime
        cls = self._class
        status = Thespian_ActorStatus(
            self.own, f"{cls.__module__}.{cls.__qualname__}", actor_address(runtime.admin), actor_address(cell.parent)
        )
        status.exiting = self._exiting
        status.childActors = [actor_address(child) for child in cell.children or ()]
        now = runtime.clock.now()
        due = sorted(timer.due for timer in cell.timers or ())
        status.pendingWakeups = [(self.own, ExpirationTimer(at - now)) for at in due]
        return status

    def shutdown_system(self) -> None:
        """``Actor.actorSystemShutdown``."""
        if self.setting.isolation != "process":
            raise AttributeError("actorSystemShutdown: the program itself ends a simpleSystemBase")
        runtime = self._cell.runtime
        runtime.route(runtime.admin, Shutdown(SHUTDOWN_SECONDS), None, SIGNAL)

    def unhandled(self, message: Any, sender: ActorAddress) -> None:
        """Nobody takes this message: it is counted and shown by ``garrick status``."""
        self._cell.unhandled(message, sender.addressDetails)
