"""How a scenario is found by its name: ``tests/test_shop.py::test_sale``, ``shop.scenarios::sale``, ``shop.py::TestShop::test_sale``.

Owns the import of a file by its path. A module of a package is imported under its full name, with the directory above on the path.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from garrick.errors import InvalidArgument
from garrick.sim.runs import Scenario


def load(reference: str) -> Scenario:
    """The scenario of that name; of a `sim_test` the function below it. A method gets a new instance of its class for each run.

    Raises:
        InvalidArgument: there is none, it is local to a function, or it wants more than a world.
    """
    where, _, name = reference.partition("::")
    name = name.replace("::", ".")
    if not where or "<locals>" in name:
        raise InvalidArgument(
            f"{reference!r} can't be found by its name",
            hint="give file.py::function or file.py::Class::method, of the module's top level",
        )
    found: Any = _module(where)
    owner: Any = None
    for part in name.split("."):
        owner, found = found, inspect.getattr_static(found, part, None)
    if isinstance(found, staticmethod | classmethod):
        found = found.__get__(None, owner)
        owner = None
    found = getattr(found, "scenario", found)
    if not callable(found):
        raise InvalidArgument(f"{where} has no function {name!r}", hint="file.py::function, file.py::Class::method")
    if inspect.isfunction(found) and inspect.isclass(owner):
        found = _method(found, owner)
    wanted = [
        parameter.name
        for parameter in list(inspect.signature(found).parameters.values())[1:]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if wanted:
        raise InvalidArgument(
            f"{name} wants {', '.join(wanted)} beside the world, which only pytest can give",
            hint=f"pytest {reference}; with the marker sim add --sim-seed",
        )
    return found  # type: ignore[no-any-return]


def _method(function: Any, owner: type) -> Any:
    @functools.wraps(function)
    def scenario(world: Any) -> Any:
        return function(owner(), world)

    parameters = list(inspect.signature(function).parameters.values())
    scenario.__signature__ = inspect.Signature(parameters[1:])  # type: ignore[attr-defined]
    return scenario


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
