"""The protocol of the management socket: one JSON object per line, a request and its answer.

Owns the words and their limits. Must not know sockets or what is asked. A request is ``{"method": ..., "params": {...}}``; the
answer is ``{"result": ...}`` or ``{"error": {"code": "GAR-nnnn", "message": ..., "hint": ...}}``. Methods of `CHANGES` change a
system; each use of one is written into the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from garrick.errors import GarrickError, InvalidArgument

QUESTIONS = {
    "actor.find": "find",
    "actor.list": "list",
    "actor.show": "show",
    "deadletter.list": "letters",
    "deadletter.show": "letter",
    "source.list": "source.list",
    "source.why": "source.why",
}
"""Methods that only look -> what processes are asked for them."""
CHANGES = {
    "actor.stop": "stop",
    "actor.restart": "restart",
    "actor.tell": "tell",
    "actor.ask": "ask",
    "deadletter.replay": "replay",
    "source.load": "source.admit",
    "source.unload": "source.unload",
    "source.activate": "source.activate",
    "source.ramp": "source.ramp",
    "source.drain": "source.drain",
    "source.rollback": "source.rollback",
}
"""Methods that change something -> what a process is told to do for them."""
SOCKET = "manage.sock"
"""Name of the socket in the run directory."""
MAX_REQUEST = 64 * 1024
"""Bytes of the longest request."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of the longest answer."""
_HINT = "use the `garrick` command, or garrick.observe.client"


def methods(
    names: Mapping[str, str], inspect: Callable[[str, dict[str, Any]], Awaitable[Any]]
) -> dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
    """The methods of `QUESTIONS` or `CHANGES`, for a server, all answered by one function of what is asked and its parameters."""

    def method(what: str) -> Callable[[dict[str, Any]], Awaitable[Any]]:
        return lambda params: inspect(what, params)

    return {name: method(what) for name, what in names.items()}


def encode_request(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """The line of a request."""
    return json.dumps({"method": method, "params": dict(params or {})}).encode() + b"\n"


def decode_request(line: bytes) -> tuple[str, dict[str, Any]]:
    """Method and parameters.

    Raises:
        InvalidArgument: this is no request.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"a request must be one line of JSON: {error}", hint=_HINT) from None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise InvalidArgument('a request must be an object with a "method"', hint=_HINT)
    params = request.get("params", {})
    if not isinstance(params, dict):
        raise InvalidArgument('"params" must be an object', hint=_HINT)
    return request["method"], params


def encode_result(result: Any) -> bytes:
    """The line of an answer; what JSON does not know is shown as its ``repr``."""
    return json.dumps({"result": plain(result)}).encode() + b"\n"


def encode_error(error: BaseException) -> bytes:
    """The line of an answer that says why there is no result."""
    code = error.code if isinstance(error, GarrickError) else "GAR-0000"
    text = str(error.args[0]) if error.args else type(error).__name__
    said: dict[str, Any] = {"code": code, "message": text}
    if isinstance(error, GarrickError) and error.hint:
        said["hint"] = error.hint
    return json.dumps({"error": said}).encode() + b"\n"


def plain(value: Any) -> Any:
    """The same as lists, dicts with text keys, text, numbers, true, false and null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else str(value)  # JSON has neither infinity nor NaN
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return repr(value)


def is_plain(value: Any) -> bool:
    """Whether JSON keeps the value as it is."""
    if value is None or isinstance(value, (bool, int, str)):
        return True
    if isinstance(value, float):
        return value - value == 0.0
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return isinstance(value, list) and all(map(is_plain, value))
