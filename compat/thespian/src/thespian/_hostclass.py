"""Host classes: for each actor class of a program the Garrick actor class that hosts it.

Owns that mapping, and the way of a host class to other processes. There is one for each class (and each set of requirements), so that
placement can ask the class's capability check, and ``garrick status`` and log lines name the program's class.
"""

from __future__ import annotations

import copyreg
import importlib
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from thespian._actor import Actor
from thespian._capabilities import CHECK, fits
from thespian._errors import InvalidActorSpecification, StartRefused

if TYPE_CHECKING:
    from thespian._host import Host

KEPT = 1024
_made: OrderedDict[Any, type[Host]] = OrderedDict()


class HostType(type):
    """The type of host classes; they are pickled as what they are made from."""

    hosted: Any
    """The program's class, or its name."""
    requirements: Any


def host_class(hosted: Any, requirements: Any) -> type[Host]:
    """The class that hosts actors of a class.

    Args:
        hosted: the class, or ``"package.module.Class"``.
        requirements: as given to ``createActor``.
    """
    from thespian._host import Host

    key = _key(hosted, requirements)
    found = _made.get(key) if key is not None else None
    if found is None:
        text = hosted if isinstance(hosted, str) else f"{hosted.__module__}.{hosted.__qualname__}"
        module, _, name = text.rpartition(".")
        namespace: dict[str, Any] = {
            "__module__": module,
            "__qualname__": name if isinstance(hosted, str) else hosted.__qualname__,
            "hosted": hosted,
            "requirements": requirements,
        }
        cls = _importable(hosted)
        if cls is not None and getattr(cls, CHECK, None) is not None:

            def can_run_on(capabilities: Mapping[str, Any]) -> bool:
                return fits(cls, capabilities, requirements)

            namespace["can_run_on"] = staticmethod(can_run_on)
        found = cast("type[Host]", HostType(name, (Host,), namespace))
        if key is not None:
            _made[key] = found
            if len(_made) > KEPT:
                _made.popitem(last=False)
    return found


def _key(hosted: Any, requirements: Any) -> Any:
    if not requirements:
        return hosted, repr(requirements)
    try:
        return hosted, pickle.dumps(requirements)
    except Exception:
        return None  # they can't go to another process either, and are used once


def _importable(hosted: Any) -> Any:
    try:
        return resolve(hosted)
    except StartRefused:
        return None  # perhaps it is where the actor will run; else its start fails, and says why


def resolve(hosted: Any) -> type:
    """The program's class.

    Raises:
        StartRefused: there is none.
    """
    if isinstance(hosted, str):
        module, _, name = hosted.rpartition(".")
        if not module or not name:
            raise StartRefused(InvalidActorSpecification(hosted))
        try:
            loaded = importlib.import_module(module)
        except ImportError as error:
            raise StartRefused(error) from error
        except Exception as error:
            raise StartRefused(ImportError(f"{hosted}: {type(error).__name__}: {error}")) from error
        try:
            hosted = getattr(loaded, name)
        except AttributeError as error:
            raise StartRefused(error) from error
    if not (isinstance(hosted, type) and issubclass(hosted, Actor)):
        raise StartRefused(InvalidActorSpecification(hosted, "not an Actor class"))
    return hosted


class Unhosted:
    """Attributes that host classes have and the base of all hosts has not."""

    hosted: ClassVar[Any] = None
    requirements: ClassVar[Any] = None


def _reduce(cls: HostType) -> Any:
    from thespian._host import Host

    return cls.__qualname__ if cls is Host else (host_class, (cls.hosted, cls.requirements))


copyreg.pickle(HostType, _reduce)
