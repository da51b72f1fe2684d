"""Rally, unmodified and from the package registry, runs a race against static answers, on this package instead of upstream's.

The environment is made on demand, outside of the project, and kept; the race runs in a network namespace of its own, which has
nothing but a loopback interface.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
SOURCES = f"{ROOT / 'src'}:{ROOT / 'compat/thespian/src'}"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "garrick-acceptance"
PORT = "39200"
IN_NAMESPACE = (
    'ip link set lo up && { "$1" "$2" "$3" & } && server=$! && shift 3 && "$@"; status=$?; kill $server; exit $status'
)
TRACK = {
    "version": 2,
    "description": "a few searches",
    "indices": [{"name": "some"}],
    "schedule": [
        {
            "operation": {
                "name": "search",
                "operation-type": "search",
                "index": "some",
                "body": {"query": {"match_all": {}}},
            },
            "clients": 2,
            "warmup-iterations": 2,
            "iterations": 20,
        }
    ],
}


def environment(package: str) -> Path:
    """The directory of programs of an environment that has the package, without upstream's ``thespian``."""
    made = CACHE / package
    if not (made / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", made], check=True, timeout=120)
        pip: list[str | Path] = [made / "bin/python", "-m", "pip", "-q"]
        subprocess.run([*pip, "install", package], check=True, timeout=600)
        subprocess.run([*pip, "uninstall", "-y", "thespian"], check=True, timeout=120)
        (made / "complete").touch()
    return made / "bin"


@pytest.mark.soak
def test_rally_runs_a_race(tmp_path: Path) -> None:
    programs = environment("esrally")
    (tmp_path / "track.json").write_text(json.dumps(TRACK))
    race: list[str | Path] = [programs / "esrally", "race", f"--track-path={tmp_path}", "--pipeline=benchmark-only"]
    race += [f"--target-hosts=127.0.0.1:{PORT}", "--offline", "--on-error=abort"]
    shown = ["script", "-qec", shlex.join(map(str, race)), "/dev/null"]  # Rally prints its results to a terminal only
    server: list[str | Path] = [sys.executable, HERE / "static_elasticsearch.py", PORT]
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", IN_NAMESPACE, "sh", *server, *shown],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PYTHONPATH": SOURCES,
            "XDG_RUNTIME_DIR": str(tmp_path),
            "OF_RACE": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[INFO] SUCCESS" in done.stdout
    assert "Max Throughput" in done.stdout  # which an actor prints
    log = (tmp_path / ".rally/logs/rally.log").read_text()
    assert "ActorAddr-(T|:1900)" in log
    assert "ERROR" not in log
    assert [p for p in psutil.process_iter() if _of_race(p, tmp_path)] == []


def _of_race(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get("OF_RACE") == str(directory)
    except psutil.Error:
        return False
