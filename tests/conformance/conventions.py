"""Two systems of a convention as one: what the program spawns runs on the other system, and everything else is said from here.

So the suite's ordinary tests become tests of the way between systems: every ask, answer, notice and dead letter of a top-level actor
crosses it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from garrick import ActorSystem, NoCapableSystem
from garrick.address import Address
from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.engine.nats.server import free_port
from garrick.inbox import Inbox
from garrick.runtime.signals import StatusWanted, SubscribeDeadLetters
from garrick.sim.world import World
from garrick.wire.envelope import SIGNAL
from tests.conformance.actors import Echo
from tests.conformance.shared import Shared

POLICY = os.environ.get("GARRICK_SIM_POLICY", "")
"""In which order the simulated bases let things happen, if not in that of arrival."""
SEED = int(os.environ.get("GARRICK_SIM_SEED", "0"))
FAR = {"far": True}
"""What the other system has and this one has not."""

_numbers = count(1)


class Convention(Shared):
    """``here``, where the program is, and ``there``, where its actors are; with the surface of one system."""

    def __init__(self, here: ActorSystem, there: ActorSystem, close: Callable[[], None]) -> None:
        super().__init__(here._node)
        self.here, self.there = here, there
        self._close = close
        self._await_placement()
        # What serves a family that lives apart comes up now, or it would look like something that the first such test left behind.
        self.here.stop_actor(super().spawn(Echo))

    def _await_placement(self) -> None:
        """Until ``here`` has heard of ``there``; a join is announced to all, not waited for by all."""
        for _ in range(500):
            try:
                probe = super().spawn(Echo, requires=FAR)
            except NoCapableSystem:
                self._pause()
            else:
                self.here.stop_actor(probe)
                return
        raise AssertionError("the systems did not find each other")

    def _pause(self) -> None:
        try:
            with self.here.inbox() as inbox:
                inbox.receive(0.02)
        except TimeoutError:
            pass

    # --- what goes to the other system ------------------------------------------------------------------------------------

    def spawn(self, *args: Any, requires: Mapping[str, Any] | None = None, **kwargs: Any) -> Address[Any]:
        return super().spawn(*args, requires={**FAR, **(requires or {})}, **kwargs)

    def lookup(self, name: str, timeout: float = 30.0, *, everywhere: bool = False) -> Address[Any] | None:
        return (self.here if everywhere else self.there).lookup(name, timeout, everywhere=everywhere)

    def status(self, timeout: float = 5.0) -> dict[str, Any]:
        return self.there.status(timeout)

    @property
    def name(self) -> str:
        return self.there.name

    @property
    def pools(self) -> frozenset[str]:
        return frozenset({f"garrick-{self.here.name}", f"garrick-{self.there.name}"})

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Those of the other system as they are known here, which is what placement goes by."""
        known = self.here._runtime.view.systems[self.there._runtime.system].capabilities
        return {key: value for key, value in known.items() if key != "far"}

    def set_capability(self, key: str, value: Any) -> None:
        for system in (self.there, self.here):  # so that what is missing is only what makes the two differ
            system.set_capability(key, value)

    def dead_letters(self) -> Inbox:
        """Letters of both systems: a message dies where it is found to have no receiver."""
        letters = super().dead_letters()
        runtime, admin = self.here._runtime, self.there._runtime.admin
        runtime.route(admin, SubscribeDeadLetters(letters.address), letters.address, SIGNAL)
        runtime.ask(admin, StatusWanted(), 5, kind=SIGNAL).result()
        return letters

    # --- the end -----------------------------------------------------------------------------------------------------------

    def living(self) -> list[str]:
        actors = [actor for system in (self.here, self.there) for actor in system.status()["actors"]]
        return [f"{actor['class']} {actor['address']}" for actor in actors]

    def end_actor(self, address: Address[Any]) -> None:
        self.here.stop_actor(address)

    def stop(self, grace: float = 5.0) -> list[str]:
        if self._stopped is None:
            self._stopped = []
            self._stopped = [*self.there.stop(grace), *self.here.stop(grace)]
            self._close()
        return self._stopped


def real(folder: Path, *, capabilities: Mapping[str, Any] | None = None) -> Convention:
    """Two systems with processes of their own, over the real engine on loopback, with authentication."""
    tag = f"{os.getpid()}-{next(_numbers)}"
    address = f"127.0.0.1:{free_port()}"
    keys = create_convention(folder / "keys", "conformance", [f"tls://{address}"])

    def credentials(name: str, *roles: str) -> str:
        return str(save_credentials(issue(keys, name, list(roles)), folder / f"{name}.json"))

    here = ActorSystem(
        name=f"here-{tag}",
        workers=1,
        credentials=credentials(f"here-{tag}", "directory"),
        listen=address,
        capabilities=capabilities,
    )
    try:
        there = ActorSystem(
            name=f"there-{tag}",
            workers=2,
            credentials=credentials(f"there-{tag}"),
            capabilities={**FAR, **(capabilities or {})},
        )
    except BaseException:
        here.stop()
        raise
    return Convention(here, there, lambda: None)


def simulated(
    *, name: str = "", capabilities: Mapping[str, Any] | None = None, seed: int | None = None, policy: str = ""
) -> Convention:
    """Two systems of one world; in another order than that of arrival the program goes on while a handler waits."""
    number = next(_numbers)  # several worlds of one program would be the same world
    policy = policy or POLICY or "fifo"
    world = World(number + 1000 * SEED if seed is None else seed, policy, own_thread=policy != "fifo")
    here = world.system(f"here-{number}", capabilities or {})
    there = world.system(f"there-{number}", {**FAR, **(capabilities or {})})
    return Convention(here, there, world.close)


class OfWorld(ActorSystem):
    """A system of a world of its own, which ends with it."""

    def __init__(self, world: World, system: ActorSystem) -> None:
        self._world = world
        self._adopt(system._node)

    def stop(self, grace: float = 5.0) -> list[str]:
        if self._stopped is None:
            self._stopped = super().stop(grace)
            self._world.close()
        return self._stopped


def processes(
    *,
    name: str,
    capabilities: Mapping[str, Any] | None = None,
    workers: int = 2,
    seed: int | None = None,
    policy: str = "",
) -> ActorSystem:
    """A simulated system with workers, as base ``"multiprocess"`` has them."""
    policy = policy or POLICY or "fifo"
    number = next(_numbers) + 1000 * SEED
    world = World(number if seed is None else seed, policy, own_thread=True)  # the program is a process of its own
    return OfWorld(world, world.system(name, capabilities or {}, workers=workers))


def explored(*, name: str, capabilities: Mapping[str, Any] | None = None, seed: int = SEED) -> ActorSystem:
    """The base ``"sim"`` in another order."""
    system = ActorSystem.__new__(ActorSystem)
    system._adopt(World(seed, POLICY or "random").start(name, capabilities or {}))
    return system
