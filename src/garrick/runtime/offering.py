"""`offer`: how code on an event loop waits for room on the way to another process, where a ``send`` must not wait.

Owns only that wait; how full a way is, the `garrick.ports.Outbound` knows. Who offers sends in its turn of the loop, after a look at the
way, so many that wait for the same room don't fill it all at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from garrick.errors import BackPressure, InvalidArgument, NotAnAddress
from garrick.runtime.once import finisher

if TYPE_CHECKING:
    from garrick.address import Address
    from garrick.runtime.runtime import Runtime


async def offer(
    runtime: Runtime, target: Address[Any], message: Any, sender: Address[Any] | None, timeout: float
) -> None:
    """See `garrick.actor.Actor.offer`."""
    if timeout < 0:
        raise InvalidArgument(f"timeout={timeout!r} lies in the past", hint="give seconds from now")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    try:
        while target._cell is None and (space := runtime.outbound.room(target)) is not None:
            future: asyncio.Future[None] = loop.create_future()
            space.on_done(finisher(loop, future))
            try:
                async with asyncio.timeout_at(deadline):
                    await future
            except TimeoutError:
                raise BackPressure(
                    f"the way to {target} has stayed full for {timeout:g} s",
                    hint="send less at once, or wait for answers (ask) now and then",
                ) from None
    except AttributeError:
        raise NotAnAddress(f"{target!r} is no Address", hint="use what spawn(...) returned") from None
    runtime.route(target, message, sender)
