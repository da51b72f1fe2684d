"""After every test of this folder nothing is left."""

from __future__ import annotations

from tests.harness import before_all_tests, nothing_is_left

__all__ = ["before_all_tests", "nothing_is_left"]
