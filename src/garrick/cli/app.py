"""The commands and their parameters, and how errors become exit codes.

Owns the surface of the command line. The work is done by functions without a framework (`garrick.cli.status`, `garrick.cli.demo`, ...).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from garrick.cli import FAILED, NOT_FOUND, OK, REFUSED, TIMED_OUT, USAGE
from garrick.cli.parameters import Limit, Name, Output, OutputFile, Seconds, Sort, State, Type, Yes
from garrick.cli.source_app import key, source
from garrick.errors import (
    AskTimeout,
    BadKey,
    BundleRefused,
    GarrickError,
    InvalidArgument,
    NoSuchActor,
    NoSuchDeadLetter,
    NoSuchSystem,
    NotAuthorised,
)

app = App(
    name="garrick", help="Actors for Python: look at running systems.", version=lambda: f"garrick {version('garrick')}"
)


@app.command
def status(
    name: str | None = None,
    *,
    output: Output = "table",
    timeout: Seconds = 5.0,
    watch: Annotated[bool, Parameter(negative="")] = False,
    interval: Seconds = 2.0,
) -> int:
    """Show the systems of this user: processes, actors, mailboxes, dead letters with their reasons; what is wrong comes first.

    Exit code 4 says that something is wrong with a system, 3 that there is none.

    Args:
        name: of one system; all systems otherwise.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for a system's answer.
        watch: look again and again until Ctrl-C.
        interval: seconds between two looks.
    """
    from garrick.cli import status as work

    return work.watch(name, output, timeout, max(interval, 0.1)) if watch else work.show(name, output, timeout)


node = App(name="node", help="Look at the systems of a convention, as one of them sees them, and drain one.")
app.command(node)


@node.command(name="ls")
def node_ls(*, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """List the systems that are known to one of this host: state, load, capabilities; and those that are gone, with the reason.

    Args:
        system: which one is asked; the only running system otherwise.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.node import ls

    return ls(system, output=output, timeout=timeout)


@node.command(name="show")
def node_show(name: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """Show all that one system knows of another. Exit code 3: it is not there.

    Args:
        name: of the other system, with or without its incarnation.
        system: which one is asked; the only running system otherwise.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.node import show

    return show(name, system, output=output, timeout=timeout)


@node.command(name="ping")
def node_ping(name: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 2.0) -> int:
    """Ask a system of the convention for a sign of life. Exit code 3: unknown, 4: not connected, 5: it does not answer.

    Args:
        name: of the other system.
        system: which one asks; the only running system otherwise.
        output: a line for people or JSON for programs.
        timeout: seconds to wait for the sign.
    """
    from garrick.cli.node import ping

    return ping(name, system, output=output, timeout=timeout)


@node.command(name="drain")
def node_drain(name: str, *, undo: Annotated[bool, Parameter(negative="")] = False, timeout: Seconds = 5.0) -> int:
    """Let no new actors come to a system of this host. Children of other systems' actors that can move (Restart(relocate=True)) do.

    Args:
        name: of the system.
        undo: let actors come again.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.node import drain

    return drain(name, undo=undo, timeout=timeout)


actor = App(name="actor", help="Look at the actors of a running system, and work on them.")
app.command(actor)


@actor.command(name="ls")
def actor_ls(
    *,
    system: Name = None,
    of_class: Annotated[str | None, Parameter(name="--class")] = None,
    state: State | None = None,
    name: str | None = None,
    failed: bool = False,
    sort: Sort = "mailbox",
    limit: Limit = 50,
    output: Output = "table",
    timeout: Seconds = 5.0,
) -> int:
    """List actors, the fullest mailboxes first, and those that failed within the last hour with their reasons.

    Args:
        system: whose actors; the only running system otherwise.
        of_class: only of this class: its name with or without its module, or a pattern such as shop.*.
        state: only in this state; pending waits for a place, busy runs a handler, waiting waits for an answer.
        name: only of this name, or a pattern such as worker-*.
        failed: only those that failed within the last hour.
        sort: by what.
        limit: how many.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.actor import ls

    filters = {"class": of_class, "state": state, "name": name, "failed": failed}
    return ls(system, filters, sort=sort, limit=limit, output=output, timeout=timeout)


@actor.command(name="tree")
def actor_tree(
    address: str | None = None,
    *,
    system: Name = None,
    every: Annotated[bool, Parameter(name="--all", negative="")] = False,
    output: Output = "table",
    timeout: Seconds = 5.0,
) -> int:
    """Show who spawned whom, over all processes.

    Args:
        address: only this actor and those below it: its name or address, or an unambiguous part of one.
        system: whose actors; the only running system otherwise.
        every: all children; otherwise at most ten of a class below one parent.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.actor import tree

    return tree(address, system, every=every, output=output, timeout=timeout)


@actor.command(name="show")
def actor_show(address: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """Show everything that is known of one actor, living or ended: state, mailbox, waits, timers, failures with tracebacks.

    Args:
        address: its name or address, or an unambiguous part of one.
        system: whose actor; the only running system otherwise.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.actor import show

    return show(address, system, output=output, timeout=timeout)


@actor.command(name="why")
def actor_why(address: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """Explain why an actor is dead, silent or waiting.

    Args:
        address: its name or address, or an unambiguous part of one.
        system: whose actor; the only running system otherwise.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.actor import why

    return why(address, system, output=output, timeout=timeout)


@actor.command(name="stop")
def actor_stop(
    *addresses: str,
    system: Name = None,
    at_once: Annotated[bool, Parameter(negative="")] = False,
    yes: Yes = False,
    output: Output = "table",
    timeout: Seconds = 30.0,
) -> int:
    """Stop actors, and wait until they and their children have ended. Exit code 5: not within the time.

    Args:
        addresses: their names or addresses, or unambiguous parts of them.
        system: whose actors; the only running system otherwise.
        at_once: after the message that they handle now; otherwise after all that wait.
        yes: needed for more than one.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for the end of each.
    """
    from garrick.cli.operate import stop

    return stop(addresses, system, at_once=at_once, yes=yes, output=output, timeout=timeout)


@actor.command(name="restart")
def actor_restart(
    *addresses: str, system: Name = None, yes: Yes = False, output: Output = "table", timeout: Seconds = 5.0
) -> int:
    """Restart actors: new instances, before the messages that wait; an actor in its back-off restarts now.

    What a restart keeps is kept: address, mailbox, children, watchers. It does not count as one of its policy.

    Args:
        addresses: their names or addresses, or unambiguous parts of them.
        system: whose actors; the only running system otherwise.
        yes: needed for more than one.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.operate import restart

    return restart(addresses, system, yes=yes, output=output, timeout=timeout)


@actor.command(name="tell")
def actor_tell(
    address: str,
    message: str,
    *,
    system: Name = None,
    of_type: Type = None,
    output: Output = "table",
    timeout: Seconds = 5.0,
) -> int:
    """Send a message to an actor.

    Args:
        address: its name or address, or an unambiguous part of one.
        message: as JSON. Without --type the actor gets this very data.
        system: whose actor; the only running system otherwise.
        of_type: package.module.Class that is made of the message in the actor's process: an object gives its fields by name.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.operate import tell

    return tell(address, message, system, of_type=of_type, output=output, timeout=timeout)


@actor.command(name="ask")
def actor_ask(
    address: str,
    message: str,
    *,
    system: Name = None,
    of_type: Type = None,
    output: Output = "table",
    timeout: Seconds = 30.0,
) -> int:
    """Send a message to an actor and print its answer. Exit code 5: none came in time.

    Args:
        address: its name or address, or an unambiguous part of one.
        message: as JSON. Without --type the actor gets this very data.
        system: whose actor; the only running system otherwise.
        of_type: package.module.Class that is made of the message in the actor's process: an object gives its fields by name.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for the answer.
    """
    from garrick.cli.operate import ask

    return ask(address, message, system, of_type=of_type, output=output, timeout=timeout)


deadletter = App(name="deadletter", help="Look at the messages that nobody handled, and send them again.")
app.command(deadletter)


@deadletter.command(name="ls")
def deadletter_ls(
    *,
    system: Name = None,
    reason: str | None = None,
    limit: Limit = 20,
    output: Output = "table",
    timeout: Seconds = 5.0,
) -> int:
    """List dead letters, in groups and the newest one by one.

    Args:
        system: whose; the only running system otherwise.
        reason: only with this reason: stopped, unhandled, worker lost, ...
        limit: how many of the newest.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.deadletter import ls

    return ls(system, reason=reason, limit=limit, output=output, timeout=timeout)


@deadletter.command(name="show")
def deadletter_show(letter: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """Show one dead letter with the text of its message, cut where it gets long.

    Args:
        letter: its number, as the list shows it.
        system: whose; the only running system otherwise.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.deadletter import show

    return show(letter, system, output=output, timeout=timeout)


@deadletter.command(name="replay")
def deadletter_replay(
    *letters: str,
    system: Name = None,
    to: str | None = None,
    yes: Yes = False,
    output: Output = "table",
    timeout: Seconds = 5.0,
) -> int:
    """Send the messages of dead letters again. The answer to an ask that has ended goes nowhere.

    Args:
        letters: their numbers, as the list shows them.
        system: whose; the only running system otherwise.
        to: the actor that gets them: its name or address, or an unambiguous part of one; their targets otherwise.
        yes: needed for more than one.
        output: a text for people or JSON for programs.
        timeout: seconds to wait for an answer.
    """
    from garrick.cli.deadletter import replay

    return replay(letters, system, to=to, yes=yes, output=output, timeout=timeout)


app.command(source)
app.command(key)


@app.command
def demo(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Run the demonstration: a convention of several systems doing the work of a hosting company.

    Args:
        arguments: handed on to the demonstration.
    """
    from garrick.cli.demo import run_demo

    return run_demo(arguments)


@app.command
def explain(error: str) -> int:
    """Explain an error of Garrick: what happened, likely causes, what to do.

    Exit code 3 says that there is no such error.

    Args:
        error: its code (GAR-2107, or 2107) or the name of its class.
    """
    from garrick.cli.explain import show_page

    return show_page(error)


EXITS = {
    InvalidArgument.code: USAGE,
    NoSuchActor.code: NOT_FOUND,
    NoSuchDeadLetter.code: NOT_FOUND,
    AskTimeout.code: TIMED_OUT,
    NotAuthorised.code: REFUSED,
    BadKey.code: NOT_FOUND,
}
"""What the code of a refusal by a system means for the exit code."""


sim = App(name="sim", help="Run programs in simulated worlds, and work on the runs that failed.")
app.command(sim)


@sim.command(name="run")
def sim_run(
    scenario: str,
    *,
    seeds: int = 1000,
    first: int = 0,
    policy: str = "portfolio",
    jobs: int = 1,
    shrink: bool = True,
    fences: bool = True,
    artefacts: Path = Path(".sim"),
) -> int:
    """Run a scenario with many seeds until one fails; exit code 1 then. What runs log is not shown; a replay shows it.

    Args:
        scenario: a function that takes a world: file.py::function or module::function.
        seeds: how many.
        first: the first one.
        policy: order of events: portfolio, random, pct:3, fifo, starve:NAME.
        jobs: processes.
        shrink: look for the smallest run that fails alike.
        fences: refuse threads, sockets and processes in actors.
        artefacts: where the file of a failure goes.
    """
    from garrick.cli import sim as work

    return work.run_seeds(
        scenario,
        seeds=seeds,
        first=first,
        policy=policy,
        jobs=jobs,
        shrink=shrink,
        artefacts=artefacts,
        fences=fences,
    )


@sim.command(name="record")
def sim_record(scenario: str, output: OutputFile, *, seed: int = 0, policy: str = "fifo") -> int:
    """Run a scenario once, and write the file of the run whether it fails or not.

    Args:
        scenario: a function that takes a world: file.py::function or module::function.
        output: the file.
        seed: of the world.
        policy: order of events.
    """
    from garrick.cli import sim as work

    return work.record(scenario, output, seed=seed, policy=policy)


@sim.command(name="replay")
def sim_replay(
    artefact: Path, *, strict: Annotated[bool, Parameter(negative="")] = False, break_step: int | None = None
) -> int:
    """Make a run again; exit code 1 if it fails.

    Args:
        artefact: the file of the run.
        strict: it must be the same event by event; the first difference is told.
        break_step: stop in the debugger at this step.
    """
    from garrick.cli import sim as work

    return work.replay(artefact, strict=strict, break_step=break_step)


@sim.command(name="shrink")
def sim_shrink(artefact: Path, output: OutputFile | None = None, *, runs: int = 500) -> int:
    """Look for the smallest run that fails in the same way.

    Args:
        artefact: the file of a run that fails.
        output: the file of the smallest one; by default beside the other.
        runs: that the search may take.
    """
    from garrick.cli import sim as work

    return work.shrink(artefact, output, runs=runs)


@sim.command(name="diff")
def sim_diff(artefact: Path, other: Path | None = None) -> int:
    """Show the first event in which two runs differ.

    Args:
        artefact: the file of a run.
        other: the file of another one; by default the nearest run that does not fail.
    """
    from garrick.cli import sim as work

    return work.diff(artefact, other)


@sim.command(name="timeline")
def sim_timeline(artefact: Path, output: OutputFile | None = None) -> int:
    """Write a page that shows a run.

    Args:
        artefact: the file of the run.
        output: the page; by default beside the file.
    """
    from garrick.cli import sim as work

    return work.timeline(artefact, output)


def run(arguments: Sequence[str]) -> int:
    """Parse, run, and turn errors into exit codes."""
    try:
        result = app(arguments or ["--help"], exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return USAGE
    except InvalidArgument as error:
        return _explain(error, USAGE)
    except (NoSuchSystem, NoSuchActor) as error:
        return _explain(error, NOT_FOUND)
    except (NotAuthorised, BundleRefused) as error:
        return _explain(error, REFUSED)
    except TimeoutError as error:
        return _explain(error, TIMED_OUT)
    except GarrickError as error:
        return _explain(error, EXITS.get(error.code, FAILED))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone (head): no traceback for that
        return FAILED
    return result if isinstance(result, int) else OK


def _explain(error: BaseException, code: int) -> int:
    lines = [f"garrick: {str(error) or type(error).__name__}", *getattr(error, "__notes__", ())]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201 - the command line talks to its user
    return code
