"""Rally and OpenSearch Benchmark, unmodified and from the package registry, run a race against static answers on this package.

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
@pytest.mark.parametrize(
    ("package", "command", "plan", "log"),
    [
        ("esrally", ["race", "--track-path"], "track.json", ".rally/logs/rally.log"),
        ("opensearch-benchmark", ["run", "--workload-path"], "workload.json", ".osb/logs/benchmark.log"),
    ],
)
def test_it_runs_a_race(tmp_path: Path, package: str, command: list[str], plan: str, log: str) -> None:
    programs = environment(package)
    (tmp_path / plan).write_text(json.dumps(TRACK))
    race = [str(programs / package), *command, str(tmp_path), "--pipeline=benchmark-only"]
    race += [f"--target-hosts=127.0.0.1:{PORT}", "--offline", "--on-error=abort"]
    server: list[str | Path] = [sys.executable, HERE / "static_elasticsearch.py", PORT]
    shown = ["script", "-qec", shlex.join(race), "/dev/null"]  # results are printed to a terminal only
    mine = {"HOME": str(tmp_path), "PYTHONPATH": SOURCES, "XDG_RUNTIME_DIR": str(tmp_path), "OF_RACE": str(tmp_path)}
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", IN_NAMESPACE, "sh", *server, *shown],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **mine},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
    assert "Max Throughput" in done.stdout  # which an actor prints
    assert "garrick" not in done.stdout.lower()
    logged = (tmp_path / log).read_text()
    assert "ActorAddr-(T|:1900)" in logged
    assert " ERROR " not in logged
    assert [p for p in psutil.process_iter() if _of_race(p, tmp_path)] == []


def _of_race(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get("OF_RACE") == str(directory)
    except psutil.Error:
        return False
