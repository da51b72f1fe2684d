"""What an actor of a source does when its version drains: words and the base class for those whose state goes over.

Owns only what users write. Who asks for it is `garrick.runtime.succession`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

OnDrain = Literal["finish", "restart", "migrate", "pin"]
"""What becomes of an actor whose version drains:

* ``finish``: it goes on until it ends by itself, or until the deadline;
* ``restart``: its address goes over to an instance of the next version, made as it was itself made;
* ``migrate``: the same, with its state (`Migratable`);
* ``pin``: as ``finish``; and it is not made of the next version either when it is made again on another system.
"""


class Migratable:
    """Beside `Actor`: an actor whose state goes over to the next version of its code, with its address, mailbox, timers and children.

    It happens between two messages. If anything in it raises, the old instance goes on as if nothing had been asked of it.
    """

    on_drain: ClassVar[OnDrain] = "migrate"
    state_version: ClassVar[int] = 1
    """Of what `export_state` gives; the new version is told the old one's."""

    def can_migrate(self) -> bool:
        """Whether it can happen now; it is asked again later, until the deadline."""
        return True

    def export_state(self) -> Any:
        """All that the next version has to know, as plain data: no objects of the source's own classes."""
        raise NotImplementedError

    def import_state(self, version: int, state: Any) -> None:
        """Called on a new instance instead of its constructor.

        Args:
            version: the ``state_version`` of the class that exported it. A rollback comes from a newer one.
            state: what that has exported.
        """
        raise NotImplementedError
