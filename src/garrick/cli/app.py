"""The commands and their parameters, and how errors become exit codes.

Owns the surface of the command line. The work is done by functions without a framework (`garrick.cli.status`, `garrick.cli.demo`, ...).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from garrick.cli import FAILED, NOT_FOUND, OK, REFUSED, TIMED_OUT, USAGE
from garrick.errors import GarrickError, InvalidArgument, NoSuchSystem, NotAuthorised

app = App(
    name="garrick", help="Actors for Python: look at running systems.", version=lambda: f"garrick {version('garrick')}"
)


@app.command
def status(
    name: str | None = None,
    *,
    output: Annotated[Literal["table", "json"], Parameter(name=["-o", "--output"])] = "table",
    timeout: float = 5.0,
) -> int:
    """Show the systems of this user: processes, actors, mailboxes, dead letters with their reasons.

    Exit code 4 says that something is wrong with a system, 3 that there is none.

    Args:
        name: of one system; all systems otherwise.
        output: a table for people or JSON for programs.
        timeout: seconds to wait for a system's answer.
    """
    from garrick.cli.status import show

    return show(name, output, timeout)


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


def run(arguments: Sequence[str]) -> int:
    """Parse, run, and turn errors into exit codes."""
    try:
        result = app(arguments or ["--help"], exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return USAGE
    except InvalidArgument as error:
        return _explain(error, USAGE)
    except NoSuchSystem as error:
        return _explain(error, NOT_FOUND)
    except NotAuthorised as error:
        return _explain(error, REFUSED)
    except TimeoutError as error:
        return _explain(error, TIMED_OUT)
    except GarrickError as error:
        return _explain(error, FAILED)
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
