"""The command ``garrick``: looks at running systems and starts the demonstration.

Owns the way in and the exit codes. Talks to systems only over their management sockets. `cyclopts` and `rich` (extra ``cli``) are
loaded when a command needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

OK, FAILED, USAGE, NOT_FOUND, UNHEALTHY, TIMED_OUT, REFUSED = range(7)
"""Exit codes of all commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        from garrick.cli.app import run
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(("cyclopts", "rich")):
            raise
        print(  # noqa: T201 - the command line talks to its user
            f"the command line needs the package {error.name!r}\nhint: pip install 'garrick[cli]'; "
            "without it `python -m garrick.node` joins a host to a convention",
            file=sys.stderr,
        )
        return FAILED
    return run(given)
