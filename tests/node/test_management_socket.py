"""The management socket: what it answers, and what it does with clients that behave badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from garrick.errors import InvalidArgument, ManagementError, NoSuchSystem
from garrick.observe.client import request
from garrick.observe.management import MAX_REQUEST, SOCKET, decode_request, is_plain, plain
from garrick.observe.server import ManagementServer, Peer


def with_server(folder: Path, test: Callable[[ManagementServer], Awaitable[None]]) -> None:
    async def status(params: dict[str, Any]) -> Any:
        return {"params": params, 1: {2}, "odd": Path("x"), "nan": float("nan")}

    async def broken(_: dict[str, Any]) -> Any:
        raise KeyError("a programmer's mistake")

    async def refused(_: dict[str, Any]) -> Any:
        raise InvalidArgument("not so")

    async def run() -> None:
        server = ManagementServer(folder / SOCKET, {"status": status, "broken": broken, "refused": refused})
        await server.start()
        try:
            async with asyncio.timeout(10):
                await test(server)
        finally:
            await server.close()
            await server.close()
        assert not (folder / SOCKET).exists()

    asyncio.run(run())


async def ask(folder: Path, *lines: bytes) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(folder / SOCKET)
    try:
        answers = []
        for line in lines:
            writer.write(line)
            answers.append(json.loads(await reader.readline()))
        return answers
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def test_a_request_and_its_answer(tmp_path: Path) -> None:
    async def test(_: ManagementServer) -> None:
        answer = await asyncio.to_thread(request, tmp_path, "status", {"a": 1})
        assert answer == {"params": {"a": 1}, "1": [2], "odd": repr(Path("x")), "nan": "nan"}

    with_server(tmp_path, test)


def test_only_the_user_may_connect(tmp_path: Path) -> None:
    async def test(server: ManagementServer) -> None:
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600

    with_server(tmp_path, test)


def test_somebody_else_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(_: ManagementServer) -> None:
        monkeypatch.setattr("garrick.observe.server._peer_of", lambda _writer: Peer(pid=1, uid=os.getuid() + 1))
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        with contextlib.suppress(ConnectionError):
            writer.write(b'{"method": "status"}\n')
            assert await reader.read() == b""
        await close(writer)

    with_server(tmp_path, test)


def test_changes_are_in_the_audit_log_before_they_happen_and_without_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def change(_: dict[str, Any]) -> Any:
        (record,) = [r for r in caplog.records if r.name == "garrick.audit"]
        return record.getMessage()

    async def look(_: dict[str, Any]) -> Any:
        return None

    async def run() -> None:
        server = ManagementServer(tmp_path / SOCKET, {"look": look}, {"change": change})
        await server.start()
        try:
            await asyncio.to_thread(request, tmp_path, "look", {})
            params = {"address": "s@1/1/1.5", "message": "secret"}
            logged = await asyncio.to_thread(request, tmp_path, "change", params)
        finally:
            await server.close()
        assert logged == f"change address='s@1/1/1.5' by user {os.getuid()}, process {os.getpid()}"

    with caplog.at_level("INFO", "garrick.audit"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (b"nonsense\n", "GAR-5001", "must be one line of JSON"),
        (b"[" * 5000 + b"\n", "GAR-5001", "must be one line of JSON"),
        (b"[]\n", "GAR-5001", "must be an object"),
        (b'{"method": 1}\n', "GAR-5001", "must be an object"),
        (b'{"method": "status", "params": []}\n', "GAR-5001", '"params" must be an object'),
        (b'{"method": "stop"}\n', "GAR-5001", "there is no method 'stop'; there are broken, refused, status"),
        (b'{"method": "refused"}\n', "GAR-5001", "not so"),
        (b'{"method": "broken"}\n', "GAR-0000", "a programmer's mistake"),
    ],
)
def test_bad_requests_are_answered_and_the_connection_goes_on(
    tmp_path: Path, line: bytes, code: str, text: str
) -> None:
    async def test(_: ManagementServer) -> None:
        bad, good = await ask(tmp_path, line, b'{"method": "status"}\n')
        assert bad["error"]["code"] == code
        assert text in bad["error"]["message"]
        assert "result" in good

    with_server(tmp_path, test)


def test_a_request_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    async def test(_: ManagementServer) -> None:
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        with contextlib.suppress(ConnectionError):
            writer.write(b"x" * (3 * MAX_REQUEST))
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert b"at most" in await reader.readline()
            assert await reader.read() == b""
        await close(writer)
        assert "result" in (await ask(tmp_path, b'{"method": "status"}\n'))[0]

    with_server(tmp_path, test)


def test_silent_clients_don_t_keep_the_server_open(tmp_path: Path) -> None:
    async def run() -> None:
        server = ManagementServer(tmp_path / SOCKET, {})
        await server.start()
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        writer.write(b"{")
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await server.close()
            with contextlib.suppress(ConnectionError):  # a reset, if half of a request was there
                assert await reader.read() == b""
            await close(writer)

    asyncio.run(run())


def test_the_client_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(NoSuchSystem, match="no system answers"):
        request(tmp_path, "status")

    async def test(_: ManagementServer) -> None:
        with pytest.raises(ManagementError, match="GAR-5001 not so") as caught:
            await asyncio.to_thread(request, tmp_path, "refused")
        assert caught.value.code == "GAR-5001"

    with_server(tmp_path, test)


def test_plain_data() -> None:
    values: tuple[object, ...] = (None, True, 1, "x", 1.5, [1, {"a": []}])
    for value in values:
        assert is_plain(value)
        assert plain(value) == value
    for value in ((1,), {1: 2}, float("inf"), object(), {"a": {1}}):
        assert not is_plain(value)
        json.dumps(plain(value), allow_nan=False)
    assert decode_request(b'{"method": "m"}') == ("m", {})
