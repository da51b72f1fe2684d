"""``python -m garrick.node``: a system in the foreground, for hosts. It ends on SIGTERM or SIGINT.

Prints ``ready <system>`` when it runs and, if it has credentials, has joined its convention.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from garrick.clocks import SystemIds
from garrick.errors import GarrickError
from garrick.node import boot, existing
from garrick.node.forkserver import NodeConfig
from garrick.node.inlink import listen
from garrick.node.spawner import processors
from garrick.observe import logsetup


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a system until it is told to end; the exit status: 0 fine, 1 it could not start, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        rundir = existing.create(options.name, dict(options.capabilities))
        config = NodeConfig(
            system=f"{options.name}@{SystemIds.incarnation()}",
            rundir=str(rundir.path),
            capabilities=dict(options.capabilities),
            workers=options.workers,
            foreground=True,
            credentials=options.credentials,
            join=tuple(options.join),
            listen=options.listen,
            logging=logsetup.pack(options.logging),
        )
        listener = listen(rundir.socket(0))
    except GarrickError as error:
        for line in (str(error), *getattr(error, "__notes__", ())):
            print(line, file=sys.stderr)  # noqa: T201 - this is a program
        return 1
    return boot.run(config, rundir, listener)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m garrick.node", description="Run an actor system in the foreground."
    )
    parser.add_argument("--name", required=True, help="of the system, unique for this user on this machine")
    parser.add_argument(
        "--capabilities",
        metavar="KEY=VALUE",
        type=_capability,
        nargs="+",
        action="extend",
        default=[],
        help="what actors can require here; values are JSON scalars (true, 3, 0.5) or else text",
    )
    parser.add_argument("--workers", type=int, default=processors(), help="worker processes (one per processor)")
    parser.add_argument("--credentials", metavar="FILE", help="credentials for the convention that it joins")
    parser.add_argument(
        "--join", metavar="URL", nargs="+", default=[], help="addresses of the convention, if others than in the file"
    )
    parser.add_argument(
        "--logging",
        metavar="FILE",
        type=_json,
        help="JSON for logging.config.dictConfig, for all processes of the system",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="for the convention's server, if this system starts it")
    return parser


def _capability(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    if not equals:
        return key, True
    try:
        parsed = json.loads(value)
    except ValueError:
        return key, value
    return key, value if isinstance(parsed, (dict, list)) else parsed


def _json(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
