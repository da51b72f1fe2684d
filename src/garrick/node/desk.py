"""`Desk`: the management socket of a system that lives inside a program (base ``local``).

Owns the run directory, the socket, and the thread with the event loop that serves it. The program's own event loop, if it has one, is
left alone. Must not know what is asked. Invariant: after `close` nothing of it is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from garrick.node.rundir import RunDir
from garrick.observe.management import CHANGES, QUESTIONS, SOCKET, methods
from garrick.observe.server import ManagementServer

Tell = Callable[[Any], None]
"""Takes the answer, or the exception that is there instead of one; any thread."""
Inspect = Callable[[str, dict[str, Any], Tell], None]
"""Asks the admin: ``status`` or what `garrick.node.admin.inspection` knows, with its parameters."""


class Desk:
    """See the module.

    Args:
        name: of the system.
        inspect: asks its admin.

    Raises:
        SystemExists: a system of that name has a socket of this user.
    """

    def __init__(self, name: str, inspect: Inspect) -> None:
        self._inspect = inspect
        self._rundir = RunDir.create(name)
        self._rundir.write("pid", str(os.getpid()).encode())
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"garrick-{name}-desk", daemon=True)
        self._thread.start()
        self._open.wait(10.0)

    def close(self) -> None:
        """End the thread and remove the directory."""
        with contextlib.suppress(RuntimeError):  # the loop has failed and been closed
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5.0)
        self._rundir.remove()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._open.set()
            self._loop.close()

    async def _serve(self) -> None:
        looks = {"status": lambda params: self._ask("status", params), **methods(QUESTIONS, self._ask)}
        server = ManagementServer(self._rundir.path / SOCKET, looks, methods(CHANGES, self._ask))
        await server.start()
        self._open.set()
        try:
            await self._stop.wait()
        finally:
            await server.close()

    async def _ask(self, what: str, params: dict[str, Any]) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()

        def finish(value: Any) -> None:
            if future.done():
                return
            if isinstance(value, BaseException):
                future.set_exception(value)
            else:
                future.set_result(value)

        def tell(value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # closed: nobody waits any more
                self._loop.call_soon_threadsafe(finish, value)

        self._inspect(what, params, tell)
        return await future
