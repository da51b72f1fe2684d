"""The conversation about names as bytes: JSON, data only; nothing is ever unpickled here. Owns the format."""

from __future__ import annotations

import json
from typing import Any

from garrick.engine.names import Granted, Place, Reply, Request
from garrick.errors import WireError

__all__ = ["decode_reply", "decode_request", "encode_reply", "encode_request"]


def encode_request(request: Request) -> bytes:
    """See `decode_request`."""
    held = None if request.held is None else [_from_granted(g) for g in request.held]
    return _dump(
        [request.system, request.sequence, request.digest, request.claims, request.released, held, request.finds]
    )


def decode_request(data: bytes) -> Request:
    """Raises `WireError` for anything that is no request."""
    try:
        system, sequence, digest, claims, released, held, finds = json.loads(data)
        return Request(
            _text(system),
            int(sequence),
            int(digest),
            tuple((_text(name), _place(place)) for name, place in claims),
            tuple((_text(name), int(epoch)) for name, epoch in released),
            None if held is None else tuple(map(_granted, held)),
            tuple(map(_text, finds)),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError(f"no request about names: {error}") from None


def encode_reply(reply: Reply) -> bytes:
    """See `decode_reply`."""
    granted = [_from_granted(g) for g in reply.granted]
    return _dump([reply.sequence, reply.renewed, granted, reply.taken, reply.gone, reply.found, reply.epoch])


def decode_reply(data: bytes) -> Reply:
    """Raises `WireError` for anything that is no reply."""
    try:
        sequence, renewed, granted, taken, gone, found, epoch = json.loads(data)
        return Reply(
            int(sequence),
            bool(renewed),
            tuple(map(_granted, granted)),
            tuple((_text(name), _place(wanted), _place(holder)) for name, wanted, holder in taken),
            tuple(map(_text, gone)),
            tuple((_text(name), None if place is None else _place(place)) for name, place in found),
            _text(epoch),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError(f"no reply about names: {error}") from None


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _from_granted(granted: Granted) -> list[object]:
    return [granted.name, granted.epoch, granted.place]


def _granted(value: Any) -> Granted:
    name, epoch, place = value
    return Granted(_text(name), int(epoch), _place(place))


def _place(value: Any) -> Place:
    system, process, serial = value
    return _text(system), int(process), int(serial)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
