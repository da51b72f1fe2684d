from __future__ import annotations

import pytest

from tests.unit.test_forbidden_imports import forbidden_imports, sources_of


@pytest.mark.parametrize(
    "module",
    [
        "backoff",
        "carrier",
        "directory",
        "epochs",
        "feedcodec",
        "follower",
        "lease",
        "membership",
        "memory",
        "reachability",
        "silence",
    ],
)
def test_modules_that_take_time_from_outside(module: str) -> None:
    [source] = sources_of(f"engine/{module}.py")
    assert forbidden_imports(source.read_text()) == []
