"""`Template`: how to spawn an actor, as a value, for actors that spawn others on somebody's behalf (`garrick.pool`, `garrick.singleton`).

Owns only data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from garrick.actor import Actor
    from garrick.mailbox import Bounded
    from garrick.supervision import Supervision

__all__ = ["Template"]


class Template:
    """What ``spawn`` would be given: a class, its constructor's arguments, and options.

    Args:
        actor_class: the class, or ``"package.module.Class"``.
        args: arguments of its constructor; keyword arguments likewise.
        requires: as for ``spawn``; the other options likewise.
        supervision: what happens when a handler raises.
        isolation: ``"shared"``, ``"thread"`` or ``"process"``.
        mailbox: `Bounded`, or None.
    """

    def __init__(
        self,
        actor_class: type[Actor] | str,
        *args: Any,
        requires: Mapping[str, Any] | None = None,
        supervision: Supervision | None = None,
        isolation: str = "shared",
        mailbox: Bounded | None = None,
        **kwargs: Any,
    ) -> None:
        self.actor_class = actor_class
        self.args = args
        self.kwargs = kwargs
        self.requires: dict[str, Any] = dict(requires or {})
        self.supervision = supervision
        self.isolation = isolation
        self.mailbox = mailbox

    @classmethod
    def of(cls, actor: type[Actor] | str | Template, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Template:
        """A template, or a class with arguments and no options."""
        return actor if isinstance(actor, Template) else cls(actor, *args, **kwargs)
