"""How a system that runs becomes a member of a convention.

Owns the connection of `Host`, `Gateway` and the engine NATS, which is loaded only here. Must not know how any of them works.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from garrick.errors import BadCredentials, EngineNotFound
from garrick.node.admin import AdminMachine, Effect
from garrick.node.gateway import Gateway
from garrick.wire.envelope import Raw, fields

if TYPE_CHECKING:
    from garrick.engine.identity import Credentials
    from garrick.node.edge import AdminEdge
    from garrick.node.host import Host


class HostHouse:
    """The edge of an admin (a `Host`, or one in a simulated world) as a gateway sees it."""

    def __init__(self, host: AdminEdge) -> None:
        self._host = host

    @property
    def machine(self) -> AdminMachine:
        """See `House`."""
        return self._host.machine

    def deliver(self, number: int, envelope: Raw) -> None:
        """See `House`."""
        self._host.links.send(number, envelope, fields(envelope)[1])

    def to_admin(self, envelope: Raw, origin: str) -> None:
        """See `House`."""
        self._host.handle(envelope, origin)

    def apply(self, effects: list[Effect]) -> None:
        """See `House`."""
        self._host.apply(effects)


async def join_convention(
    host: Host, credentials: Credentials | Path | str, *, listen: str | None = None, serve: bool | None = None
) -> Gateway:
    """Make the system of this host a member; afterwards it leaves when the system ends.

    Args:
        host: the admin's process.
        credentials: of this system, or the file that they are in.
        listen: ``host:port`` that the convention's server listens on, if this system starts it (port 0: any free one).
        serve: whether this system starts the convention's server; None: a directory system does.

    Raises:
        BadCredentials: they are damaged, or another system's.
        EngineNotFound: the extra ``cluster`` is not installed.
        EngineError: the convention can't be reached or refuses this system.
    """
    try:
        from garrick.engine.identity import load_credentials
        from garrick.engine.nats.engine import NatsEngine
        from garrick.engine.nats.server import EmbeddedServer
    except ModuleNotFoundError as error:
        raise EngineNotFound(
            f"a convention needs the package {error.name!r}", hint="pip install 'garrick[cluster]'"
        ) from error
    if isinstance(credentials, (str, Path)):
        credentials = load_credentials(credentials)
    name = host.system.partition("@")[0]
    if credentials.system != name:
        raise BadCredentials(
            f"these credentials are those of {credentials.system!r}, and this system is {name!r}",
            hint=f"name the system {credentials.system!r}, or issue credentials for {name!r}",
        )
    server: Any = None
    if serve or (serve is None and credentials.is_directory):
        server = EmbeddedServer(credentials, host.rundir.path / "engine", listen=listen)
    gateway = Gateway(host.system, HostHouse(host), NatsEngine())
    # Before it starts: members are told while it starts, and the machine answers with envelopes for them.
    host.gateway = gateway
    try:
        await gateway.start(credentials, server=server)
    except BaseException:
        host.gateway = None
        raise
    host.links.undeliverable = gateway.give_back
    return gateway
