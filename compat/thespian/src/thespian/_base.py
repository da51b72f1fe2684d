"""`Base`: what a system base offers to `thespian._system.ActorSystem`, and what the bases have in common.

Owns creation of top-level actors and the translation of Garrick's errors into the API's. An `Endpoint` is one address of the program.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, TypeAlias

from garrick.address import Address
from garrick.errors import (
    AskError,
    AskTimeout,
    GarrickError,
    NameTaken,
    NoCapableSystem,
    NoSourceFile,
    SpawnFailed,
    SystemStopped,
    UndecodableMessage,
    UnpicklableMessage,
)
from garrick.inbox import Inbox
from garrick.messages import DeadLetter, Notice, Poisoned
from garrick.supervision import Resume
from garrick.system import ActorSystem as GarrickSystem
from thespian._actor import Actor
from thespian._address import ActorAddress, actor_address
from thespian._errors import (
    ActorSystemFailure,
    ActorSystemRequestTimeout,
    InvalidActorSourceHash,
    InvalidActorSpecification,
    NoCompatibleSystemForActor,
    StartRefused,
)
from thespian._host import START_SECONDS, Setting
from thespian._hostclass import host_class
from thespian._messages import is_hidden
from thespian._status import Thespian_ActorStatus, Thespian_StatusReq, Thespian_SystemStatus, system_status

SHOWN = (Thespian_ActorStatus, Thespian_SystemStatus)
Received: TypeAlias = "tuple[Any, Address[Any] | None]"


class Base:
    """A running system.

    Args:
        system: of Garrick.
        setting: for its hosts.
    """

    name: ClassVar[str]
    in_program: ClassVar[bool] = False
    """Whether actors live in the program itself, so that failures of their ``__init__`` reach it."""

    def __init__(self, system: GarrickSystem, setting: Setting) -> None:
        self.system = system
        self.setting = setting
        self.endpoint = Endpoint(self)

    @property
    def adminAddr(self) -> ActorAddress:
        """The address of the system itself."""
        return actor_address(self.system._runtime.admin)

    # --- what bases decide ------------------------------------------------------------------------------------------------

    def sent(self) -> None:
        """The program has sent something: return when it is on its way."""

    def receive(self, inbox: Inbox, deadline: float | None) -> Received | None:
        """The next message, or None when the deadline (on the runtime's clock) has passed or nothing can come."""
        timeout = None if deadline is None else max(0.0, deadline - self.now())
        try:
            return inbox.receive_from(timeout)
        except TimeoutError:
            return None

    def update_capability(self, key: str, value: Any) -> None:
        """Change a capability; what the program does next sees it changed."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """End the system."""
        raise NotImplementedError

    # --- what all do -------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds on the clock of deadlines."""
        return self.system._runtime.clock.now()

    def create(self, actor_class: Any, requirements: Any, name: str | None, source_hash: str | None) -> ActorAddress:
        """A top-level actor; see `thespian._system.ActorSystem.createActor`."""
        try:
            while True:
                found = self.system.lookup(name) if name else None
                if found is not None:
                    return actor_address(found)
                self._check_class(actor_class, source_hash)
                try:
                    return actor_address(self._spawn(actor_class, requirements, name))
                except NameTaken:
                    continue
        except AskTimeout as error:
            raise ActorSystemRequestTimeout(f"no new Actor within {START_SECONDS:g} s: {error}") from error
        except (SystemStopped, AskError) as error:
            raise ActorSystemFailure(
                f"Could not request new Actor from Admin (-SENDSTS_DEADTARGET): {error}"
            ) from error

    def _check_class(self, actor_class: Any, source_hash: str | None) -> None:
        if source_hash is not None:
            raise InvalidActorSourceHash(source_hash)
        if isinstance(actor_class, str):
            if not all(actor_class.rpartition(".")):
                raise InvalidActorSpecification(actor_class)
        elif not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
            if self.in_program:
                raise TypeError(f"{actor_class!r} is not an Actor class")
            raise InvalidActorSpecification(actor_class, "not an Actor class")

    def _spawn(self, actor_class: Any, requirements: Any, name: str | None) -> Address[Any]:
        try:
            return self.system.spawn(
                host_class(actor_class, requirements),
                self.setting,
                not self.in_program,
                name=name or None,
                supervision=Resume(),
                isolation=self.setting.isolation,
                timeout=START_SECONDS,
            )
        except NoCapableSystem as error:
            raise NoCompatibleSystemForActor(
                actor_class, "No compatible ActorSystem could be found", str(error)
            ) from error
        except StartRefused as refused:
            raise self._refusal(actor_class, refused.error) from refused
        except (UndecodableMessage, UnpicklableMessage) as error:
            raise InvalidActorSpecification(actor_class, error) from error
        except SpawnFailed as error:
            raise error.__cause__ or ActorSystemFailure(str(error)) from None

    def _refusal(self, actor_class: Any, error: BaseException) -> BaseException:
        """What upstream's bases raise differs, and programs count on it."""
        if self.in_program:
            return error
        if isinstance(error, ImportError):
            return ImportError(f"{actor_class}: {error}")
        if isinstance(error, AttributeError):
            return InvalidActorSpecification(actor_class, error)
        return error


class Endpoint:
    """One address of the program, at which messages of any actor arrive.

    Args:
        base: of its system.
    """

    def __init__(self, base: Base) -> None:
        self.base = base
        self.inbox = base.system.dead_letters()
        # One thread at a time receives; a program's thread that is an actor's at the same time must not wait for itself.
        self._turn: AbstractContextManager[Any] = nullcontext() if base.in_program else threading.Lock()

    def tell(self, target: ActorAddress, message: Any) -> Address[Any]:
        """Send.

        Raises:
            ValueError: the target is no address.
        """
        address = target.addressDetails if isinstance(target, ActorAddress) else None
        if not isinstance(address, Address):
            raise ValueError(f"{target!r} is not a valid ActorAddress")  # noqa: TRY004 - what the API promises
        try:
            if address.serial == 0 and isinstance(message, Thespian_StatusReq):
                runtime = self.base.system._runtime
                runtime.route(self.inbox.address, system_status(runtime), address)
                return address
            self.inbox.send(address, message)
            self.base.sent()
        except NoSourceFile:
            raise
        except UnpicklableMessage as error:
            raise error.__cause__ or error from error
        except SystemStopped as error:
            raise ActorSystemFailure(f"can't send to {target} (-SENDSTS_DEADTARGET): {error}") from error
        return address

    def ask(self, target: ActorAddress, message: Any, timeout: float | None) -> Any:
        """Send, and return the first message that comes from anybody."""
        deadline = self._deadline(timeout)
        address = self.tell(target, message)
        return self._receive(deadline, address)

    def listen(self, timeout: float | None) -> Any:
        """The next message."""
        return self._receive(self._deadline(timeout), None)

    def close(self) -> None:
        """Messages for this address reach nobody from now on."""
        self.inbox.close()

    def _deadline(self, timeout: float | None) -> float | None:
        return None if timeout is None else self.base.now() + timeout

    def _receive(self, deadline: float | None, asked: Address[Any] | None) -> Any:
        with self._turn:
            while True:
                try:
                    received = self.base.receive(self.inbox, deadline)
                except SystemStopped as error:
                    raise ActorSystemFailure(f"the actor system has ended: {error}") from error
                if received is None:
                    return None
                message, _ = received
                if isinstance(message, DeadLetter):
                    if self._is_answer(message, asked):
                        return None
                elif isinstance(message, Poisoned):
                    if asked is not None and message.target == asked:
                        return self._died(message)
                elif isinstance(message, SHOWN) or not (isinstance(message, Notice) or is_hidden(message)):
                    return message

    def _is_answer(self, letter: DeadLetter, asked: Address[Any] | None) -> bool:
        """Whether the question itself reached nobody. What could not be unpickled is told by Poisoned too, with the cause."""
        ours = letter.sender == self.inbox.address and letter.target == asked
        return ours and letter.reason != "undecodable"

    @staticmethod
    def _died(notice: Poisoned) -> None:
        if isinstance(notice.error, GarrickError):
            raise ActorSystemFailure(
                f"Transmit of ask message to {actor_address(notice.target)} failed (-BadPacketError): {notice.error}"  # type: ignore[arg-type]
            )
        # Else the actor ended its process while it handled the message: nobody will answer.
