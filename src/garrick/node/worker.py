"""The main function of a worker and of a dedicated process: a runtime with links.

Owns putting the parts together, and the end of the process. Runs in a fresh fork of the fork-server and never returns into it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from garrick.address import COUNTER_BITS
from garrick.clocks import SystemClock, SystemRandom
from garrick.convention.placement import Placer
from garrick.node.deaths import ADMIN_DIED, CRASHED, GOODBYE
from garrick.node.forkserver import NodeConfig, leave_it_to_the_admin
from garrick.node.inbound import Inbound
from garrick.node.inlink import Listener, listen
from garrick.node.limits import raise_soft_limit
from garrick.node.links import Links
from garrick.node.mainmodule import Bodies, MainFinder, stand_in
from garrick.node.numbers import Numbers
from garrick.node.reactor import Poller
from garrick.node.rundir import RunDir
from garrick.node.solo import Solo
from garrick.observe import logsetup
from garrick.runtime import process as process_signals
from garrick.runtime.baton import Baton
from garrick.runtime.once import Once
from garrick.runtime.runtime import Runtime
from garrick.runtime.signals import Farewell
from garrick.wire.envelope import SIGNAL

log = logging.getLogger("garrick.node")

SWITCH_INTERVAL = 0.00025
"""Seconds. A message that finds the interpreter taken by a CPU burner waits so long each time the poller wants it back. The default of
5 ms gives links beside burners a p99 of 150 ms, 0.5 ms one of 4 to 7 ms, this one 1.3 to 2 ms; 0.1 ms was no better."""
FLUSH_SECONDS = 2.0
"""How long an ending process waits for its peers to take what it has said."""
LAST_SECONDS = 0.5
"""The same for the dead letters that its very end has made."""
ROOM_SECONDS = 30.0
"""How long the send of a program, or of an ask, waits for room on the way to a process that does not keep up."""


class Process:
    """A process that takes part in a system: runtime, links and poller, joined. Also used by the client.

    Args:
        config: of the system.
        number: of this process.
        role: ``worker``, ``dedicated`` or ``client``.
        rundir: where the sockets are.
        bodies: pickles messages.
    """

    def __init__(self, config: NodeConfig, number: int, role: str, rundir: RunDir, bodies: Bodies) -> None:
        token = rundir.token()
        self.poller = Poller(haste=role == "worker")
        self.links = Links(
            system=config.system,
            number=number,
            role=role,
            rundir=rundir,
            token=token,
            reactor=self.poller,
            bodies=bodies,
        )
        self.runtime = Runtime(
            system=config.system,
            number=number,
            clock=SystemClock(),
            random=SystemRandom(),
            outbound=self.links,
            placement=Placer(),
            capabilities=config.capabilities,
        )
        self.runtime.seal = self.links.envelope
        self.links.moved = self.runtime.moved
        self.runtime.away = self.links.shortcut(self.runtime.route)
        self.links.wait = self._wait_for_room
        self.links.may_wait = self._may_wait
        self.inbound = Inbound(self.runtime, self.links)
        self.listener = Listener(listen(rundir.socket(number)), self.poller, token, self.inbound.receive_first)
        self.inbound.listener = self.listener
        self.numbers = Numbers(self.runtime)
        self.scheduler: Any = None

    def _wait_for_room(self, space: Once, asking: bool) -> bool:
        # An actor has nobody to tell, and its thread is all that waits; the way opens again, or its peer is lost. Asks end in time.
        patient = self.runtime.hosts_actors and not asking
        deadline = None if patient else self.runtime.clock.now() + ROOM_SECONDS
        return self.runtime.scheduler.wait(space, deadline)

    def _may_wait(self) -> bool:
        may: bool = self.runtime.scheduler.may_wait()
        return may

    def flushed(self, seconds: float) -> bool:
        """Wait until everything is written; False when it took too long."""
        deadline = time.monotonic() + seconds
        while self.links.pending:
            if time.monotonic() > deadline:
                return False
            self.poller.wake()
            time.sleep(0.001)
        return True

    def flush_alone(self, seconds: float) -> None:
        """As `flushed`, when the poller has no thread any more; what is for processes that have gone stays unwritten."""
        deadline = time.monotonic() + seconds
        while self.links.pending and time.monotonic() < deadline:
            self.poller.poll(0.01)


def run(config: NodeConfig, number: int, role: str) -> int:
    """Be a process of the system until it should end; the exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, leave_it_to_the_admin)
    raise_soft_limit()
    sys.setswitchinterval(SWITCH_INTERVAL)
    sys.argv[:] = config.argv
    rundir = RunDir(Path(config.rundir))
    MainFinder(rundir.path / "mains").install()
    stand_in(config.main)
    refused = logsetup.begin(config.logging, config.log_level, config.system, f"{role} {number}")
    if refused is not None:  # the admin could use it: something has changed since
        log.error("%s; this process logs to its standard error output", refused)
    process = Process(config, number, role, rundir, Bodies(None, config.main, program=False))
    process.links.broken = _end_with_admin
    runtime = process.runtime
    ended = threading.Event()

    def end() -> None:
        runtime.ending = True  # dead letters are no news from now on
        ended.set()

    runtime.on_shutdown = end
    if role == "dedicated":
        runtime.on_empty = runtime.on_shutdown  # it is there for one actor and those that it spawns beside itself
        signal.signal(signal.SIGTERM, lambda _signum, _frame: runtime.post(process_signals.shutdown, runtime))
        solo = Solo(runtime, process.poller)
        threading.excepthook = _crash_with(lambda: True)
        process.links.open(0)
        solo.start()
        solo.run(ended)
        say_farewell(runtime)
        written = process.flushed(FLUSH_SECONDS)
        solo.stop(FLUSH_SECONDS)
        # Whoever writes to an actor that has just ended must hear of it: what has come is a dead letter here, what comes
        # later is one there.
        process.listener.part()
        solo.drain()
        process.flush_alone(LAST_SECONDS)
    else:
        baton = Baton(runtime, process.poller)
        threading.excepthook = _crash_with(lambda: baton.ended)
        process.inbound.on_holder = True
        process.links.open(0)
        baton.start()
        process.numbers.fetch()
        ended.wait()
        written = process.flushed(FLUSH_SECONDS)
    if not written:
        log.warning("process %d ends with %d bytes that nobody took", number, process.links.pending)
    return GOODBYE


def say_farewell(runtime: Runtime) -> None:
    """Whoever writes to the actor of this process later is to hear how it ended, and not only that it has."""
    for serial, reason in runtime.tombstones.items():
        if serial >> COUNTER_BITS != runtime.number:  # not one that was made here
            runtime.route(runtime.admin, Farewell(reason), runtime.address, SIGNAL)
            return


def _end_with_admin(number: int) -> None:
    if number == 0:
        logsetup.end()
        os._exit(ADMIN_DIED)


def _crash_with(failed: Callable[[], bool]) -> Callable[[Any], None]:
    """An error of the runtime itself ends the process: its actors are lost, which is told, and not silent for ever.

    Args:
        failed: whether an exception that ended a thread may have been the runtime's; threads of users may end as they like.
    """

    def hook(arguments: Any) -> None:
        logsetup.thread_failed(arguments)
        if failed() and (arguments.thread is None or arguments.thread.name.startswith("garrick")):
            logsetup.end()
            os._exit(CRASHED)

    return hook
