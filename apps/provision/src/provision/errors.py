"""What goes wrong in provisioning, in one catalogue.

Owns the exception classes of the application. A step's failure is data (``StepFailed`` with a code and a reason); these
exceptions are how the code inside one process gets there. Codes: 7xxx, the application's range.
"""

from __future__ import annotations

from garrick.errors import GarrickError


class ProvisionError(GarrickError):
    """Base of the application's errors. Never raised itself."""

    code = "GAR-7000"


class StepError(ProvisionError):
    """A step did not do its work, and knows it: the action ends ``failed`` with this reason code.

    Args:
        reason_code: stable, for programs (``disk_full``).
        reason: one sentence for people.
    """

    code = "GAR-7001"

    def __init__(self, reason_code: str, reason: str) -> None:
        super().__init__(reason)
        self.reason_code = reason_code
        self.reason = reason


class Conflict(ProvisionError):
    """The request contradicts what is: a name taken twice, a server that is being deleted."""

    code = "GAR-7002"


class UnknownServer(ProvisionError):
    """There is no server of this name."""

    code = "GAR-7003"


class Fenced(ProvisionError):
    """Another Control has taken over since: this one may not write any more."""

    code = "GAR-7004"


class DriverError(ProvisionError):
    """The host could not do what it was asked to do to a customer's server."""

    code = "GAR-7005"


class PoolExhausted(ProvisionError):
    """The pool has no free address left."""

    code = "GAR-7006"


class SystemFailed(ProvisionError):
    """A system did not come up, or ended without being told to."""

    code = "GAR-7007"


class NotInTime(ProvisionError):
    """What was waited for did not happen in the time that it may take."""

    code = "GAR-7008"
