"""What every driver of a host can do, and the plain values it speaks in.

Owns the seam between a host's actors and its kind of virtualisation. Knows no actors and no database. Operations block until
they are done; each server's operations come one after the other, those of different servers at the same time. All are
state-based (starting what runs, stopping or destroying what is not there: nothing happens), except ``reboot``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from provision.protocol import Secret


@dataclass(frozen=True, slots=True)
class Definition:
    """What a customer's server is to be.

    Args:
        quota: bytes of its disk.
        boot_seconds: how long it takes to boot.
        halt_seconds: how long it takes to shut down.
    """

    address: str
    quota: int
    boot_seconds: float = 0.2
    halt_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Status:
    """What a server is: its wanted power, whether it runs, how many times it was booted."""

    name: str
    address: str
    port: int
    power: str
    running: bool
    boot: int
    pid: int | None


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Bytes used of a server's disk, and its quota."""

    used: int
    quota: int

    @property
    def full(self) -> bool:
        return self.used >= self.quota


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a driver found at the start of its agent: servers that still ran, and those it started again."""

    adopted: tuple[str, ...]
    restarted: tuple[str, ...]


class Driver(Protocol):
    """The operations. ``cause`` names who wanted a boot; the server itself records it.

    All raise ``DriverError`` when the host could not do it, or when there is no such server.
    """

    def define(self, server: str, definition: Definition) -> int:
        """Make a server that is off; its port. Made already, with the same address: the same port."""
        ...

    def start(self, server: str, cause: str) -> Status: ...

    def stop(self, server: str) -> None: ...

    def reboot(self, server: str, cause: str) -> Status:
        """Shut down (by force when it takes too long) and boot again."""
        ...

    def destroy(self, server: str) -> None:
        """Remove it with its disk; a running one is killed."""
        ...

    def set_password(self, server: str, password: Secret) -> None: ...

    def status(self, server: str) -> Status: ...

    def disk_usage(self, server: str) -> DiskUsage: ...

    def servers(self) -> list[str]: ...

    def recover(self, cause: str) -> Recovered:
        """After a start of the agent: start those servers which should run and don't."""
        ...
