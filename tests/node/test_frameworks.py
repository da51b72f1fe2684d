"""Garrick inside the real thing: a Flask application, a Django project, a Jupyter notebook."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from garrick import ActorSystem
from tests.node.embedding import Doubler

pytestmark = [pytest.mark.slow, pytest.mark.processes]
BASES = ["local", "multiprocess"]
WAIT = 30.0
ROOT = Path(__file__).parents[2]


def run(module: str, argument: str, folder: Path) -> str:
    """Run a program of this folder away from this process; what third parties deprecate is not our error."""
    found = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.node.{module}", argument],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": found, "HOME": str(folder), "IPYTHONDIR": str(folder / "ipython")},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("base", BASES)
def test_views_of_flask_ask_in_parallel(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    with ActorSystem(base) as system:
        doublers = [system.spawn(Doubler) for _ in range(3)]
        app = Flask("house")

        def double(number: int) -> str:
            return str(system.ask(doublers[number % 3], number, timeout=WAIT))

        app.add_url_rule("/<int:number>", view_func=double)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()

        def get(number: int) -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{number}", timeout=WAIT) as answer:
                return int(answer.read())

        try:
            with ThreadPoolExecutor(16) as browsers:
                assert list(browsers.map(get, range(100))) == [2 * number for number in range(100)]
        finally:
            server.shutdown()
            serving.join(WAIT)
            server.server_close()


@pytest.mark.parametrize("base", BASES)
def test_views_of_django_ask_in_parallel(base: str, tmp_path: Path) -> None:
    assert run("django_program", base, tmp_path).splitlines()[-1] == "all answered"


def test_a_notebook_defines_actors_in_its_cells(tmp_path: Path) -> None:
    printed = json.loads(run("notebook_program", str(tmp_path), tmp_path).splitlines()[-1])
    assert printed == ["", "1", "2", "HandlerFailed True", "4", "stopped"]
