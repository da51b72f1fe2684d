"""A Django project of one view, served by threads; a program of its own because Django's settings are global."""

from __future__ import annotations

import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from garrick import ActorSystem
from tests.node.embedding import Doubler

WAIT = 30.0


class Quiet(WSGIRequestHandler):  # type: ignore[misc]  # (Django has no types)
    """No line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name in the base class)
        pass


def main(base: str) -> None:
    """Serve, ask a hundred times in parallel, and end."""
    with ActorSystem(base) as system:
        doublers = [system.spawn(Doubler) for _ in range(3)]

        def double(request: HttpRequest, number: int) -> HttpResponse:
            return HttpResponse(str(system.ask(doublers[number % 3], number, timeout=WAIT)).encode())

        # A list of routes may stand for the module with them.
        settings.configure(ROOT_URLCONF=(path("<int:number>", double),), ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="x")
        django.setup()
        with ThreadedWSGIServer(("127.0.0.1", 0), Quiet) as server:
            application: Any = get_wsgi_application()  # its type is not that of WSGI
            server.set_app(application)
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
    print("all answered")


if __name__ == "__main__":
    main(sys.argv[1])
