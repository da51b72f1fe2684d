"""Spawns that leave the process: to another process or system, or into a process of their own.

What is made here does not come this way (`Runtime.spawn`). May be called from any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.address import COUNTER_BITS, Address
from garrick.errors import InvalidArgument, UnpicklableMessage
from garrick.runtime import reports
from garrick.runtime.signals import Held, Spawn, Spec, StartProcess
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime


def elsewhere(
    runtime: Runtime,
    spec: Spec,
    parent: Address[Any],
    notify: Address[Any] | None,
    children: dict[Address[Any], str | None] | None,
    system: str,
    process: int,
    held: Held = (),
) -> Address[Any]:
    """Send the spawn to where it was placed; the arguments are those of `Runtime.spawn`, the place, and what waits for it.

    Raises:
        InvalidArgument: no process can be given to it there.
    """
    if spec.isolation == "process" and system != runtime.system:
        raise InvalidArgument(
            f"{reports.spec_class(spec)} would run in system {system.partition('@')[0]!r}, where no process can be given to it",
            hint="spawn an ordinary parent there, which spawns it with isolation='process'",
        )
    with runtime.spawn_lock:  # serials of one creator must arrive in order, see `Arrivals`
        serial = runtime.next_serial()
        if system != runtime.system:
            serial |= int(runtime.system.rpartition("@")[2], 16) << (2 * COUNTER_BITS)
        elif spec.isolation == "process":
            process = runtime.next_number()
        address: Address[Any] = Address(system, process, serial)
        if children is not None:
            children[address] = spec.name
        if system == runtime.system and spec.isolation == "process":
            runtime.route(runtime.admin, StartProcess(process, address), parent, SIGNAL)
        try:
            runtime.outbound.post(address, Spawn(spec, parent, notify, held), parent, SIGNAL)
            if runtime.roster is not None:
                from garrick.runtime import sourced  # late: most systems have no sources

                sourced.launched(runtime, address, spec.actor_class)
        except UnpicklableMessage as error:
            address = Address(runtime.system, runtime.number, serial)
            if children is not None:
                children[address] = spec.name
            runtime.post(runtime.refuse, (runtime.new_cell(address, spec, parent, notify), error))
    return address
