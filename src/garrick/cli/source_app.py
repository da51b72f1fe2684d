"""The commands ``garrick source`` and ``garrick key`` and their parameters.

Owns their surface, as `garrick.cli.app` does that of the others. The work is done by functions without a framework
(`garrick.cli.source`, `garrick.cli.versions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from garrick.cli.parameters import Name, Output, OutputFile, Seconds

source = App(
    name="source", help="Make, sign and look at bundles, and deal with the versions that running systems have."
)


@source.command(name="build")
def source_build(
    *roots: Path,
    name: str,
    version: str,
    wheel: Sequence[Path] = (),
    python: str = "3.11",
    isolation: Literal["shared", "process"] = "shared",
    output: OutputFile | None = None,
    uses: Sequence[Path] = (),
) -> int:
    """Make a bundle. The same files give the same bundle, whenever and wherever it is made.

    Args:
        roots: packages (folders with __init__.py), modules, or folders that hold such.
        name: of the bundle, the same in all its versions.
        version: such as 1.4, 2.0rc1 or 2.0.dev3.
        wheel: a wheel whose files are put in beside; may be given several times.
        python: the oldest Python that it runs on.
        isolation: process if its actors need processes of their own, as with compiled extensions.
        output: the file; NAME-VERSION.srcb otherwise.
        uses: the file of another bundle whose top-level names this one uses, as types of messages; may be given several times.
    """
    from garrick.cli import source as work

    return work.build(
        roots, name=name, version=version, wheels=wheel, python=python, isolation=isolation, output=output, uses=uses
    )


@source.command(name="sign")
def source_sign(
    bundle: Path,
    *,
    key: str,
    days: float | None = None,
    allow_rollback: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Sign a bundle, beside those who have signed it already.

    Args:
        bundle: the file.
        key: the name of an own key.
        days: after which the signature expires; never otherwise.
        allow_rollback: let it be accepted where a newer version has been already.
    """
    from garrick.cli import source as work

    return work.sign(bundle, key, days=days, rollback=allow_rollback)


@source.command(name="show")
def source_show(
    bundle: Path, *, every: Annotated[bool, Parameter(name="--all", negative="")] = False, output: Output = "table"
) -> int:
    """Show what is in a bundle, who signed it, and whether it would be accepted here, and if not why.

    Args:
        bundle: the file.
        every: list all files.
        output: a text for people or JSON for programs.
    """
    from garrick.cli import source as work

    return work.show(bundle, every=every, output=output)


@source.command(name="diff")
def source_diff(old: Path, new: Path, *, output: Output = "table") -> int:
    """Show what differs between two bundles.

    Args:
        old: a file.
        new: another one.
        output: a text for people or JSON for programs.
    """
    from garrick.cli import source as work

    return work.diff(old, new, output=output)


@source.command(name="ls")
def source_ls(*, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """List the versions of sources that a system has, their states, and what is in use of each.

    Args:
        system: the system that is asked; may be left out when only one runs.
        output: a table for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.ls(system, output=output, timeout=timeout)


@source.command(name="why")
def source_why(version: str, *, system: Name = None, output: Output = "table", timeout: Seconds = 5.0) -> int:
    """Show what is in use of a version, which actors those are, and what has happened to it.

    Args:
        version: name@version, or the beginning of its hash.
        system: the system that is asked; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.why(version, system, output=output, timeout=timeout)


@source.command(name="load")
def source_load(
    bundle: Path,
    *,
    development: Annotated[bool, Parameter(negative="")] = False,
    system: Name = None,
    output: Output = "table",
    timeout: float = 10.0,
) -> int:
    """Take a bundle into a system, if those whom you trust have signed it and the authority of the system approves it.

    Args:
        bundle: the file.
        development: where there is no authority, take what one of your own keys has signed.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import source as work

    return work.load(bundle, system, development=development, output=output, timeout=timeout)


@source.command(name="activate")
def source_activate(version: str, *, system: Name = None, output: Output = "table", timeout: float = 5.0) -> int:
    """Make a version the current one of its name, at once and in all processes of a system.

    Args:
        version: name@version, or the beginning of its hash.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.change("activate", version, system, output=output, timeout=timeout)


@source.command(name="ramp")
def source_ramp(
    version: str, percent: float, *, system: Name = None, output: Output = "table", timeout: float = 5.0
) -> int:
    """Let a version be what its name means for a share of the keys.

    Args:
        version: name@version, or the beginning of its hash.
        percent: 0 to 100; 0 ends it.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.change("ramp", version, system, output=output, timeout=timeout, percent=percent)


@source.command(name="drain")
def source_drain(
    version: str,
    *,
    deadline: float | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    wait: Annotated[bool, Parameter(negative="")] = False,
    system: Name = None,
    output: Output = "table",
    timeout: float = 300.0,
) -> int:
    """Let a version come to its end: no new actors, and those that are there finish or go over to the current version.

    Args:
        version: name@version, or the beginning of its hash.
        deadline: seconds until it should be drained; given again it is changed.
        force: end what is left at the deadline.
        wait: until it is drained or the deadline has passed.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.drain(version, system, deadline=deadline, force=force, wait=wait, output=output, timeout=timeout)


@source.command(name="rollback")
def source_rollback(name: str, *, system: Name = None, output: Output = "table", timeout: float = 5.0) -> int:
    """Make the version current again that was it before, at once.

    Args:
        name: of the source.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.change("rollback", name, system, output=output, timeout=timeout)


@source.command(name="unload")
def source_unload(
    version: str,
    *,
    force: Annotated[bool, Parameter(negative="")] = False,
    system: Name = None,
    output: Output = "table",
    timeout: Seconds = 30.0,
) -> int:
    """Take a version out of all processes of a system. Refused while anything of it is in use; what outlives it is told.

    Args:
        version: name@version, or the beginning of its hash.
        force: also the current version, and end its actors.
        system: the system; may be left out when only one runs.
        output: a text for people or JSON for programs.
        timeout: seconds to wait.
    """
    from garrick.cli import versions as work

    return work.unload(version, system, force=force, output=output, timeout=timeout)


key = App(name="key", help="Keys for signing bundles, and whose signatures are trusted here.")


@key.command(name="new")
def key_new(name: str) -> int:
    """Make a key of your own for signing.

    Args:
        name: of the key.
    """
    from garrick.cli import source as work

    return work.key_new(name)


@key.command(name="show")
def key_show(*, output: Output = "table") -> int:
    """Show the own keys and those that are trusted.

    Args:
        output: tables for people or JSON for programs.
    """
    from garrick.cli import source as work

    return work.key_show(output)


@key.command(name="trust")
def key_trust(key: str, *, group: Sequence[str] = (), threshold: int | None = None, days: float | None = None) -> int:
    """Trust a key: bundles that it signed are accepted here.

    Args:
        key: the file of a public key, or the name of an own one.
        group: names of bundles that it may stand for, or patterns such as bank-*; all otherwise. May be given several times.
        threshold: how many keys must stand for bundles of these groups; as before otherwise, one at first.
        days: after which it is not trusted any more; for ever otherwise.
    """
    from garrick.cli import source as work

    return work.key_trust(key, group, threshold=threshold, days=days)


@key.command(name="revoke")
def key_revoke(key: str, *, reason: str = "revoked") -> int:
    """Never trust a key again, whatever it signed.

    Args:
        key: its name, or the beginning of its identity.
        reason: is told when a bundle is refused for it.
    """
    from garrick.cli import source as work

    return work.key_revoke(key, reason)
