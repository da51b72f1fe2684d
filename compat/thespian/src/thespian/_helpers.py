"""What an actor's process has started by the `multiprocessing` module, and what must end with it.

Processes of actors end without Python's exit handlers, which would end these: a server of `multiprocessing.Manager`, daemonic processes.
"""

from __future__ import annotations

import logging
import sys

log = logging.getLogger("thespian")


def end_helpers() -> None:
    """End managers and daemonic processes of this process, if there are any; what a manager does not do in a second is done for it."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    import multiprocessing

    for process in multiprocessing.active_children():
        if process.daemon:
            process.terminate()
    try:
        util._run_finalizers(0)
    except Exception:
        log.warning("a helper of the actor's process did not end", exc_info=True)
