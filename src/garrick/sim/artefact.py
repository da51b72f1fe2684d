"""`Artefact`: the file that a failed run leaves, from which it is made again.

Owns the format. It holds everything that the run depended on: the seed, every choice that is not 0 by its label, and for strict replay the
tape of all choices and the list of all events. Must not know how runs are made.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from garrick.errors import InvalidArgument
from garrick.sim.choices import Draw, Label
from garrick.sim.runs import Failure, Outcome, Plan
from garrick.sim.trace import Entry
from garrick.version import __version__

FORMAT: Final = 2
EVENTS: Final = 200_000
"""Events that an artefact holds at most; strict replay compares so many, and then the hash."""


@dataclass
class Artefact:
    """See the module."""

    scenario: str
    """``file.py::function``"""
    seed: int
    policy: str
    """The one that was taken."""
    failure: Failure | None
    trace: str
    """Hash of all events."""
    steps: int
    overrides: dict[Label, int]
    benign: bool = False
    """Whether all other choices are 0: so it is after shrinking."""
    fences: bool = True
    names: dict[str, str] = field(default_factory=dict)
    tape: list[Draw] = field(default_factory=list)
    events: list[Entry] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)
    """Versions of everything that a run may depend on."""

    @classmethod
    def of(cls, scenario: str, outcome: Outcome) -> Artefact:
        """Of a recorded run."""
        plan = outcome.plan
        return cls(
            scenario,
            plan.seed,
            outcome.policy,
            outcome.failure,
            outcome.trace,
            outcome.steps,
            dict(outcome.made),
            plan.benign,
            plan.fences,
            outcome.names,
            outcome.tape[:EVENTS],
            outcome.events[:EVENTS],
            surroundings(),
        )

    def plan(self, *, record: bool = True) -> Plan:
        """How to make the run again."""
        return Plan(self.seed, self.policy, self.overrides, self.benign, record, self.fences)

    def differences(self) -> list[str]:
        """What is not now as it was when the artefact was made."""
        now = surroundings()
        return [
            f"{key}: {value}, now {now.get(key, '')}" for key, value in self.made_with.items() if now.get(key) != value
        ]

    # --- the file ------------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> Path:
        """Write the file; its directory is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            "format": FORMAT,
            "scenario": self.scenario,
            "seed": self.seed,
            "policy": self.policy,
            "failure": None if self.failure is None else asdict(self.failure),
            "trace": self.trace,
            "steps": self.steps,
            "benign": self.benign,
            "fences": self.fences,
            "made_with": self.made_with,
            "names": self.names,
            "overrides": [[kind, list(key), value] for (kind, key), value in self.overrides.items()],
            "tape": [[kind, list(key), value] for kind, key, value in self.tape],
            "events": [list(entry) for entry in self.events],
        }
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Artefact:
        """Read a file.

        Raises:
            InvalidArgument: it is no artefact, or of another format.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            version = found["format"]
            if version != FORMAT:
                raise InvalidArgument(
                    f"{path} has format {version}; this version of Garrick reads {FORMAT}",
                    hint=f"replay it with Garrick {found['made_with'].get('garrick', '')}",
                )
            failure = found["failure"]
            return cls(
                found["scenario"],
                found["seed"],
                found["policy"],
                None if failure is None else Failure(**failure),
                found["trace"],
                found["steps"],
                {(kind, tuple(key)): value for kind, key, value in found["overrides"]},
                found["benign"],
                found["fences"],
                found["names"],
                [(kind, tuple(key), value) for kind, key, value in found["tape"]],
                [(at, system, serial, what) for at, system, serial, what in found["events"]],
                found["made_with"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidArgument(
                f"{path} is no artefact: {error}", hint="give a file that a failed run has written"
            ) from None


def surroundings() -> dict[str, str]:
    """Versions of everything that a run may depend on."""
    return {
        "garrick": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": sys.platform,
        "hash seed": os.environ.get("PYTHONHASHSEED", "random"),
    }


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
