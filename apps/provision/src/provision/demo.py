"""``garrick demo``: the application at work on a convention of four systems, one of which crashes in the middle.

Owns the program: its options, its directory, signals, and the exit status, which is 0 only if every claim of the summary was
checked and holds and nothing is left running. What it plays is in ``provision.scenario``, what it claims in ``provision.claims``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from rich.console import Console

from garrick import ActorSystem
from garrick.errors import GarrickError
from provision import claims
from provision.control import Control
from provision.hosts import APP, STOP_SECONDS, Convention
from provision.releases import Releases
from provision.scenario import Scenario, set_up
from provision.store import Store
from provision.table import LiveView, PlainView, show_claims

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.table import View

OK: Final = 0
BROKEN: Final = 1
USAGE: Final = 2
FEWEST: Final = 3
MOST: Final = 200
HURRY_SECONDS: Final = 2.0
"""How long systems get to end when somebody waits at the terminal for it."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The program was told to end; not an `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration.

    Returns:
        The exit status: 0 all is well, 1 something is not, 2 wrong usage, 128 + n ended by signal n.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    console = Console(no_color=None if sys.stdout.isatty() else True)
    console.print(
        "A hosting company on one machine: an application server and three hosts, each a system of its own.",
        soft_wrap=True,
    )
    try:
        with _interruptible():
            return _in_directory(options, console)
    except Interrupted as interrupted:
        return 128 + interrupted.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="garrick demo",
        description="Provision servers on three hosts, crash one of them, and check that nothing was lost or done twice.",
    )
    parser.add_argument(
        "--servers",
        type=_servers,
        default=24,
        metavar="N",
        help=f"customers' servers, {FEWEST} to {MOST} (default: 24)",
    )
    parser.add_argument("--seed", type=int, default=1, help="for what the servers are like (default: 1)")
    parser.add_argument("--plain", action="store_true", help="plain lines also on a terminal")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="use this (new or empty) directory and leave database, journals and logs there",
    )
    return parser


def _servers(text: str) -> int:
    if not text.isdecimal() or not FEWEST <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {FEWEST} to {MOST}")
    return int(text)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Signals that end a program raise `Interrupted`, once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # whoever runs it in a thread has the signals
        return

    def interrupt(number: int, _frame: object) -> NoReturn:
        _on_the_way_out()
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_the_way_out() -> None:
    """It is short, and must not be left half done."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _in_directory(options: argparse.Namespace, console: Console) -> int:
    keep: Path | None = options.keep
    try:
        if keep is None:
            directory = Path(tempfile.mkdtemp(prefix="garrick-demo-"))
        else:
            directory = keep
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(directory.iterdir()):
                _complain(f"{directory} is not empty")
                return USAGE
    except OSError as error:
        _complain(f"no directory to work in: {error}")
        return USAGE
    try:
        return _run(options, console, directory.resolve())
    finally:
        if keep is None:
            shutil.rmtree(directory)
        else:
            console.print(f"database, journals and logs are in {directory}", soft_wrap=True, highlight=False)


def _run(options: argparse.Namespace, console: Console, directory: Path) -> int:
    began = time.monotonic()
    view: View = LiveView(console) if console.is_terminal and not options.plain else PlainView(console)
    convention = Convention(directory)
    checked: list[claims.Claim] = []
    status, patience = OK, STOP_SECONDS
    try:
        checked = _play(options, view, convention, directory)
    except Interrupted as interrupted:
        view.close()
        _complain(f"ended by {interrupted}: everything is being shut down")
        status, patience = 128 + interrupted.number, HURRY_SECONDS
    except GarrickError as error:
        view.close()
        _complain("\n".join([str(error), *getattr(error, "__notes__", ())]))
        if options.keep is None:
            _complain("`garrick demo --keep DIR` leaves the logs of all systems in DIR")
        status = BROKEN
    finally:
        _on_the_way_out()
        view.close()
        stubborn = convention.stop(patience)
        left = convention.leftovers()
    if status != OK:
        for text in left:
            _complain(f"was left and has been killed: {text}")
        return status
    checked.append(claims.Claim("nothing is left running", (*stubborn, *left)))
    console.print()
    show_claims(console, checked)
    broken = sum(bool(claim.broken) for claim in checked)
    verdict = (
        f"{broken} of {len(checked)} claims {'is' if broken == 1 else 'are'} broken"
        if broken
        else f"all {len(checked)} claims hold"
    )
    console.print(f"\n{verdict}, after {time.monotonic() - began:.0f} s", style="bold red" if broken else "bold green")
    return BROKEN if broken else OK


def _play(options: argparse.Namespace, view: View, convention: Convention, directory: Path) -> list[claims.Claim]:
    """Start everything, play the story, and check what is claimed of it while the servers are still there."""
    convention.start_app()
    view.say(f"the application server runs, and with it the convention's server at {convention.url}")
    database = directory / "provision.db"
    with Store(database) as store:
        # Any address of 127/8 will do; a block per program, so that two of them do not meet.
        set_up(store, options.servers, 64 + os.getpid() % 128)
        view.watch(store)
        with ActorSystem.attach(convention.name(APP)) as system:
            control = system.spawn(Control, str(database), requires={"db": True})
            rng = random.Random(options.seed)  # noqa: S311 (a story, not a secret)
            releases = Releases(convention, system, store)
            story = Scenario(convention, system, control, store, view, rng, options.servers, releases).run()
            view.close()
            return claims.check(store, directory, story)


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
