"""Trying to break in, at a real server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from garrick.engine.carrier import Refused
from garrick.engine.identity import ConventionKeys, Credentials, create_convention, issue
from garrick.engine.nats.carrier import NatsCarrier
from garrick.engine.nats.connection import settled
from garrick.engine.nats.engine import NatsEngine
from garrick.engine.nats.handshake import check_server, tls_context
from garrick.engine.nats.server import EmbeddedServer
from garrick.engine.nkeys import USER, KeyPair, encode_jwt
from garrick.errors import BadCredentials, EngineError, InvalidArgument, JoinRefused
from tests.conformance.carriers.kit import End

pytestmark = pytest.mark.processes


class House:
    def __init__(self, folder: Path) -> None:
        self.keys: ConventionKeys = create_convention(folder / "keys", "house", ["tls://127.0.0.1:0"])
        self.rogue: ConventionKeys = create_convention(folder / "rogue", "house", ["tls://127.0.0.1:0"])
        self.directory = issue(self.keys, "app", ["directory"])
        self.server = EmbeddedServer(self.directory, folder / "server", listen="127.0.0.1:0")
        self.ends: list[End] = []

    def credentials(self, name: str, *roles: str, **options: Any) -> Credentials:
        return issue(self.keys, name, roles, **options).with_servers([self.server.url])

    async def end(self, credentials: Credentials) -> End:
        end = End(NatsCarrier(credentials, connect_timeout=0.5), f"{credentials.system}@01")
        self.ends.append(end)
        await end.carrier.start(end.system, end.on_frame, end.on_event)
        return end

    async def refused(self, credentials: Credentials, kind: type[EngineError] = JoinRefused) -> str:
        """Neither the bare handshake nor the carrier gets in."""
        with pytest.raises((EngineError, OSError, asyncio.IncompleteReadError)):
            await check_server(credentials, credentials.servers[0], timeout=5)
        with pytest.raises(kind) as caught:
            await self.end(credentials)
        return str(caught.value)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    place = House(folder)
    try:
        async with asyncio.timeout(30):
            await place.server.start()
            yield place
    finally:
        for end in place.ends:
            await end.carrier.stop()
        await place.server.stop()


def test_credentials_of_the_convention_are_accepted(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            for roles in ((), ("db",), ("db", "web"), ("directory",)):
                version = await check_server(place.credentials("h1", *roles), place.server.url, timeout=5)
                assert version[0].isdigit()

    asyncio.run(conversation())


def test_a_rogue_authority_with_the_same_names(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            stranger = issue(place.rogue, "h1").with_servers([place.server.url])
            assert "GAR-4005" in await place.refused(stranger)
            # It trusts our server now, and still is not trusted.
            knows_us = dataclasses.replace(stranger, ca=place.directory.ca)
            await place.refused(knows_us, EngineError)
            # A certificate of ours, the token of another convention.
            mine = place.credentials("h1")
            assert "GAR-4005" in await place.refused(dataclasses.replace(mine, jwt=stranger.jwt, seed=stranger.seed))
            # A token of ours, the certificate of another convention.
            await place.refused(
                dataclasses.replace(mine, certificate=stranger.certificate, key=stranger.key), EngineError
            )

    asyncio.run(conversation())


def test_our_own_systems_refuse_a_rogue_server(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            other = EmbeddedServer(issue(place.rogue, "app", ["directory"]), tmp_path / "s2", listen="127.0.0.1:0")
            await other.start()
            try:
                mine = issue(place.keys, "h1").with_servers([other.url])
                assert "GAR-4005" in await place.refused(mine)
            finally:
                await other.stop()

    asyncio.run(conversation())


def test_a_token_that_was_tampered_with_or_that_belongs_to_another_key(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            h1, h2 = place.credentials("h1"), place.credentials("h2")
            await place.refused(dataclasses.replace(h1, seed=h2.seed))
            head, _, signature = h1.jwt.split(".")
            await place.refused(dataclasses.replace(h1, jwt=f"{head}.{h2.jwt.split('.')[1]}.{signature}"))
            # Self-made, with a key of its own, as if it were a signing key of the account.
            forger, user = KeyPair.create(USER), KeyPair.create(USER)
            body = {"issuer_account": place.keys.account.public, "type": "user", "version": 2}
            token = encode_jwt(forger, user.public, "h1", body, issued=1)
            await place.refused(dataclasses.replace(h1, jwt=token, seed=user.seed))

    asyncio.run(conversation())


def test_a_member_that_issues_itself_more_permissions(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            # Even whoever has the members' signing key can't give permissions beyond its template.
            user = KeyPair.create(USER)
            body = {
                "issuer_account": place.keys.account.public,
                "pub": {"allow": [">"]},
                "sub": {"allow": [">"]},
                "type": "user",
                "version": 2,
            }
            token = encode_jwt(place.keys.member_key, user.public, "h1", body, issued=1)
            await place.refused(dataclasses.replace(place.credentials("h1"), jwt=token, seed=user.seed))

    asyncio.run(conversation())


def test_expired_before_and_while_connected(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            await place.refused(place.credentials("old", valid_for=timedelta(seconds=-5)))
            short = await place.end(place.credentials("short", valid_for=timedelta(seconds=2)))
            await short.until(lambda: any(isinstance(e, Refused) for e in short.events), "the refusal")
            refusal = next(e for e in short.events if isinstance(e, Refused))
            assert refusal.subject == "connect"
            assert not short.carrier.send("app", 0, b"x")

    asyncio.run(conversation())


def test_a_client_without_certificate_or_tls_hears_nothing(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.server.port)
            # No greeting for who does not speak TLS.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.3)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            context = ssl.create_default_context(cadata=place.directory.ca)
            with pytest.raises((ssl.SSLError, OSError, asyncio.IncompleteReadError)):
                reader, writer = await asyncio.open_connection("127.0.0.1", place.server.port, ssl=context)
                try:
                    await asyncio.wait_for(reader.readexactly(1), 5)  # TLS 1.3: refused after our side is done
                finally:
                    writer.transport.abort()

    asyncio.run(conversation())


async def raw(credentials: Credentials, errors: list[str]) -> Client:
    """The bare client library with a system's credentials: what a malicious member would use."""
    client = Client()

    async def on_error(error: Exception) -> None:
        errors.append(str(error).lower())

    await client.connect(
        credentials.servers[0],
        tls=tls_context(credentials),
        tls_handshake_first=True,
        user_jwt_cb=credentials.jwt.encode,
        signature_cb=credentials.sign,
        error_cb=on_error,
        allow_reconnect=False,
        inbox_prefix=f"_I.{credentials.system}",
    )
    return client


def test_a_member_speaks_only_as_itself_and_hears_only_what_is_for_it(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            victim = await place.end(place.credentials("h1", "db"))
            errors: list[str] = []
            heard: list[str] = []
            client = await raw(place.credentials("h2"), errors)

            async def hear(message: Any) -> None:
                heard.append(message.subject)

            forbidden_out = [
                "house.n.h1.h3.0",  # as somebody else
                "house.n.h1.app.0",
                "house.r.db.h3.0",
                "house.b.h3.0",
                "house.m.up.h1",
                "house.m.delta",  # as the directory
                "_I.h1.abc",  # a reply that nobody asked us for
                "$SYS.REQ.SERVER.PING",
            ]
            forbidden_in = [
                ">",
                "house.>",
                "house.n.h1.>",
                "house.n.*.h1.>",
                "house.r.db.>",  # a role that it does not have
                "house.m.up.*",
                "house.m.snap",
                "_I.h1.>",
                "_INBOX.>",
                "$SYS.>",
            ]
            for subject in forbidden_out:
                await client.publish(subject, b"forged")
            for subject in forbidden_in:
                await client.subscribe(subject, cb=hear)
            await settled(client, 5)
            for subject in forbidden_out + forbidden_in:
                assert any(f'"{subject.lower()}"' in error for error in errors), subject
            # What is allowed still works, and the victim got nothing else.
            await client.publish("house.n.h1.h2.0", b"honest")
            await victim.heard(1)
            assert victim.frames == [("h2", 0, b"honest")]
            other = await place.end(place.credentials("h4"))
            assert other.carrier.send("h1", 1, b"secret")
            await victim.heard(2)
            await settled(client, 5)
            assert heard == []
            await client.close()

    asyncio.run(conversation())


def test_our_own_carrier_reports_what_it_was_refused(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            end = await place.end(place.credentials("h1"))
            assert isinstance(end.carrier, NatsCarrier)
            client = end.carrier.client
            assert client is not None
            await client.publish("house.n.h2.h3.0", b"forged")
            await end.saw(Refused)
            [refusal] = end.events
            assert isinstance(refusal, Refused)
            assert refusal.subject == "house.n.h2.h3.0"
            assert end.carrier.send("h1", 0, b"still connected")
            await end.heard(1)

    asyncio.run(conversation())


def test_a_replier_answers_once_and_only_who_asked(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            errors: list[str] = []
            replier, asker = await raw(place.credentials("h1"), errors), await raw(place.credentials("h2"), [])

            async def answer(message: Any) -> None:
                await message.respond(b"one")
                await message.respond(b"two")
                await settled(replier, 5)

            await replier.subscribe("house.n.h1.>", cb=answer)
            await settled(replier, 5)
            reply = await asker.request("house.n.h1.h2.p", b"", 2.0)
            assert reply.data == b"one"
            await settled(replier, 5)
            assert len(errors) == 1  # the second answer
            await replier.close()
            await asker.close()

    asyncio.run(conversation())


def test_the_directory_s_second_identity_can_only_watch(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            user = place.directory.system_user
            assert user is not None
            watcher = dataclasses.replace(
                place.directory.with_servers([place.server.url]), jwt=user.jwt, seed=user.seed
            )
            errors: list[str] = []
            client = await raw(watcher, errors)
            for subject in ("$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.x.RELOAD", "$SYS.REQ.CLAIMS.UPDATE"):
                await client.publish(subject, b"")
            await settled(client, 5)
            assert len(errors) == 3
            answer = await client.request(f"$SYS.REQ.ACCOUNT.{place.directory.account}.CONNZ", b"{}", 2.0)
            assert json.loads(answer.data)["data"]["num_connections"] == 0
            await client.close()

    asyncio.run(conversation())


def test_a_label_does_not_make_one_somebody_else(tmp_path: Path) -> None:
    """The label of a connection is free text: the directory must not believe it."""

    async def conversation() -> None:
        async with house(tmp_path) as place:
            engine = NatsEngine()
            members: list[str] = []
            await engine.start(
                "app@aa",
                place.directory.with_servers([place.server.url]),
                on_frame=lambda *_: None,
                on_event=lambda _: None,
                on_members=lambda delta: members.extend(type(c).__name__ for c in delta.changes),
            )
            try:
                liar = await raw(place.credentials("h2"), [])
                liar.options["name"] = "app@aa"
                await liar.close()
                client = Client()
                credentials = place.credentials("h2")
                await client.connect(
                    place.server.url,
                    name="app@aa",
                    tls=tls_context(credentials),
                    tls_handshake_first=True,
                    user_jwt_cb=credentials.jwt.encode,
                    signature_cb=credentials.sign,
                    allow_reconnect=False,
                )
                assert engine._directory is not None
                assert engine._directory._machine is not None
                counted = await engine._directory._count()
                assert sorted(counted.values()) == ["app@aa", "app@aa/directory"]
                await client.close()  # "app@aa" closes its connection, says the label
                await asyncio.sleep(0.3)
                assert members == ["Joined"]
            finally:
                await engine.stop()

    asyncio.run(conversation())


def test_mistakes(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with house(tmp_path) as place:
            carrier = NatsCarrier(place.credentials("h1"))
            with pytest.raises(InvalidArgument, match="h1"):
                await carrier.start("h2@01", lambda *_: None, lambda _: None)
            with pytest.raises(BadCredentials):
                EmbeddedServer(place.credentials("h1"), tmp_path / "x")

    asyncio.run(conversation())


def test_nobody_there(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async def conversation() -> None:
        keys = create_convention(tmp_path / "k", "house", [f"tls://127.0.0.1:{free_port()}"])
        carrier = NatsCarrier(issue(keys, "h1"), connect_timeout=0.3)
        with pytest.raises(EngineError, match="can be reached"):
            await carrier.start("h1@01", lambda *_: None, lambda _: None)
        await carrier.stop()

    asyncio.run(conversation())


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    async def conversation() -> None:
        keys = create_convention(tmp_path / "k", "house", ["tls://no-such-host.invalid:4222"])
        carrier = NatsCarrier(issue(keys, "h1"), connect_timeout=0.5)
        with pytest.raises(EngineError, match=r"no-such-host\.invalid") as caught:
            await carrier.start("h1@01", lambda *_: None, lambda _: None)
        assert "getent hosts" in (caught.value.hint or "")
        await carrier.stop()

    asyncio.run(conversation())
