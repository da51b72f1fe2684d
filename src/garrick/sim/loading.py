"""How a scenario is found by its name: ``tests/test_shop.py::test_sale`` or ``shop.scenarios::sale``.

Owns the import of a file by its path. A module of a package is imported under its full name, with the directory above on the path.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from garrick.errors import InvalidArgument
from garrick.sim.runs import Scenario


def load(reference: str) -> Scenario:
    """The scenario of that name; of a `sim_test` the function below it.

    Raises:
        InvalidArgument: there is none, or it is local to a function.
    """
    where, _, name = reference.rpartition("::")
    if not where or "<locals>" in name:
        raise InvalidArgument(
            f"{reference!r} can't be found by its name",
            hint="give file.py::function, with a function of the module's top level",
        )
    found: Any = _module(where)
    for part in name.split("."):
        found = getattr(found, part, None)
    found = getattr(found, "scenario", found)
    if not callable(found):
        raise InvalidArgument(f"{where} has no function {name!r}", hint="file.py::function")
    return found  # type: ignore[no-any-return]


def _module(where: str) -> Any:
    path = Path(where)
    if path.suffix != ".py":
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise InvalidArgument(f"there is no module {where}: {error}", hint="or give the path of a file") from None
    if not path.is_file():
        raise InvalidArgument(f"there is no file {where}", hint=f"looked from {Path.cwd()}")
    path = path.resolve()
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(".".join(parts))
