"""Who a system is towards its convention, and what it may therefore do.

Owns the set of keys of a convention, the credentials file of a host, and the subjects that a system may use. Must not
know how a connection is made. A convention has

* a private CA: servers show a certificate of it, and so must every client, before a byte of the protocol is read;
* an operator and two accounts of NATS: one for the members, one for the server's own events;
* one scoped signing key per kind of user. Its template carries the permissions with the user's name filled in by the
  server, so a server needs no list of users: whoever holds the key can issue, and nobody else.

One credentials file serves one host. It is secret: mode 0600, and refused when others can read it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import stat
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from garrick.disk import RealDisk, replace_file
from garrick.engine import pki
from garrick.engine.nkeys import ACCOUNT, OPERATOR, USER, KeyPair, claims_of, encode_jwt
from garrick.errors import BadCredentials, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "DIRECTORY",
    "ConventionKeys",
    "Credentials",
    "ServerMaterial",
    "SystemUser",
    "create_convention",
    "issue",
    "load_convention",
    "load_credentials",
    "save_credentials",
]

#: The role of a system that keeps the list of members (and may start the server).
DIRECTORY = "directory"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMAT = 1
_YEAR = timedelta(days=365)


def check_name(name: str, what: str) -> str:
    """A name becomes a token of a subject, so only letters, digits, `_` and `-` are allowed."""
    if not _TOKEN.fullmatch(name):
        raise InvalidArgument(
            f"{what} {name!r} can't be used",
            hint="1 to 64 letters, digits, '_' or '-': it becomes a part of subjects, files and certificates",
        )
    return name


@dataclass(frozen=True, repr=False)
class ServerMaterial:
    """What a host needs in order to *run* a server of the convention. Contains no signing key."""

    operator_jwt: str
    account: str
    account_jwt: str
    system_account: str
    system_account_jwt: str
    certificate: str
    key: str
    hosts: tuple[str, ...]
    route: str = ""
    """``host:port`` under which the convention's other servers reach this one; empty: there is only one."""
    routes: tuple[str, ...] = ()
    """Where it reaches them."""
    route_secret: str = ""


@dataclass(frozen=True, repr=False)
class SystemUser:
    """A user of the server's own account, who hears connects and disconnects. Directory systems only."""

    jwt: str
    seed: str


@dataclass(frozen=True, repr=False)
class Credentials:
    """Everything one system needs to take part."""

    convention: str
    system: str
    roles: tuple[str, ...]
    servers: tuple[str, ...]
    account: str
    ca: str
    certificate: str
    key: str
    jwt: str
    seed: str
    expires: int
    system_user: SystemUser | None = None
    server: ServerMaterial | None = None
    servers_together: int = 1
    """How many servers keep what must survive one of them: more than one, and several directory systems share the role."""

    def __repr__(self) -> str:
        return f"<Credentials {self.system} of {self.convention}, roles {list(self.roles)}>"

    @property
    def is_directory(self) -> bool:
        return DIRECTORY in self.roles

    def with_servers(self, servers: Sequence[str]) -> Credentials:
        """The same identity, other addresses of the convention."""
        return replace(self, servers=tuple(servers))

    def sign(self, nonce: str) -> bytes:
        """The answer to the server's challenge, as nats-py wants it: base64 of the signature."""
        return base64.b64encode(KeyPair.from_seed(self.seed).sign(nonce.encode()))


@dataclass(repr=False)
class ConventionKeys:
    """The secrets of a convention: whoever has them can admit systems. Stays where credentials are issued."""

    directory: Path
    name: str
    urls: tuple[str, ...]
    ca: pki.Pair
    operator: KeyPair
    account: KeyPair
    system_account: KeyPair
    member_key: KeyPair
    directory_key: KeyPair
    issued: list[dict[str, Any]] = field(default_factory=list)
    routes: tuple[str, ...] = ()
    route_secret: str = ""

    def __repr__(self) -> str:
        return f"<ConventionKeys {self.name}>"

    @property
    def path(self) -> Path:
        return self.directory / "convention.json"

    def save(self) -> None:
        content = {
            "format": _FORMAT,
            "name": self.name,
            "urls": list(self.urls),
            "ca": asdict(self.ca),
            "issued": self.issued,
            "routes": list(self.routes),
            "route_secret": self.route_secret,
        } | {kind: getattr(self, kind).seed for kind in _KEYS}
        _write_private(self.path, json.dumps(content, indent=1))


_KEYS = ("operator", "account", "system_account", "member_key", "directory_key")


def create_convention(
    directory: str | os.PathLike[str], name: str, urls: Iterable[str], *, routes: Iterable[str] = ()
) -> ConventionKeys:
    """Make the keys of a new convention and store them in `directory` (created with mode 0700).

    Args:
        directory: must not hold the keys of a convention yet.
        name: the convention; becomes the first token of all its subjects.
        urls: where its servers are reached, e.g. ``tls://10.0.0.1:4222``.
        routes: three (or five) times ``host:port``, where the servers reach one another: then as many directory systems, each with its
            own server, share the role, and any one of them may be lost.
    """
    check_name(name, "the convention name")
    addresses = tuple(urls)
    _hosts_of(addresses)
    ways = tuple(routes)
    if len(ways) not in {0, 3, 5}:
        raise InvalidArgument(
            f"{len(ways)} servers can't decide by majority", hint="give the routes of three or five servers, or of none"
        )
    _hosts_of([f"tls://{way}" for way in ways] or addresses)
    folder = Path(directory)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    keys = ConventionKeys(
        folder,
        name,
        addresses,
        pki.create_ca(name, datetime.now(UTC)),
        KeyPair.create(OPERATOR),
        KeyPair.create(ACCOUNT),
        KeyPair.create(ACCOUNT),
        KeyPair.create(ACCOUNT),
        KeyPair.create(ACCOUNT),
        routes=ways,
        route_secret=secrets.token_hex(32) if ways else "",
    )
    if keys.path.exists():
        raise InvalidArgument(
            f"{folder} already holds the keys of a convention", hint="choose another directory, or issue from this one"
        )
    keys.save()
    return keys


def load_convention(directory: str | os.PathLike[str]) -> ConventionKeys:
    """What `create_convention` stored."""
    folder = Path(directory)
    content = _read_private(folder / "convention.json")
    try:
        return ConventionKeys(
            directory=folder,
            name=content["name"],
            urls=tuple(content["urls"]),
            ca=pki.Pair(**content["ca"]),
            issued=list(content["issued"]),
            routes=tuple(content.get("routes", ())),
            route_secret=content.get("route_secret", ""),
            **{kind: KeyPair.from_seed(content[kind]) for kind in _KEYS},
        )
    except (KeyError, TypeError) as error:
        raise BadCredentials(f"{folder / 'convention.json'} is incomplete: {error}") from None


def issue(
    keys: ConventionKeys,
    system: str,
    roles: Iterable[str] = (),
    *,
    valid_for: timedelta = _YEAR,
    listen: Sequence[str] = (),
    route: str | None = None,
) -> Credentials:
    """Credentials for the system of that name.

    Args:
        keys: of the convention.
        system: name of the system (without incarnation).
        roles: any-cast groups that it may serve. `directory` is special: such a system keeps the list of members and
            gets what it needs to run a server.
        valid_for: afterwards the server cuts the connection and refuses new ones.
        listen: further names or addresses that the server of this host is reached under (directory only).
        route: which of the convention's routes is that of this system's own server (directory only). None, although there are routes:
            it gets what a directory system needs, and nothing to run a server with.
    """
    check_name(system, "the system name")
    if route is not None and route not in keys.routes:
        raise InvalidArgument(
            f"the convention has no route {route!r}", hint=f"its routes are {', '.join(keys.routes) or 'none'}"
        )
    names = tuple(sorted({check_name(role, "the role").lower() for role in roles}))
    start = datetime.now(UTC)
    end = start + valid_for
    issued, expires = int(start.timestamp()), int(end.timestamp())
    user = KeyPair.create(USER)
    body = {
        "issuer_account": keys.account.public,
        "tags": [f"role:{role}" for role in names],
        "type": "user",
        "version": 2,
    }
    signer = keys.directory_key if DIRECTORY in names else keys.member_key
    certificate = pki.client_certificate(keys.ca, system, start, end)
    credentials = Credentials(
        keys.name,
        system,
        names,
        keys.urls,
        keys.account.public,
        keys.ca.certificate,
        certificate.certificate,
        certificate.key,
        encode_jwt(signer, user.public, system, body, issued=issued, expires=expires),
        user.seed,
        expires,
        servers_together=max(1, len(keys.routes)),
    )
    if DIRECTORY in names:
        credentials = replace(
            credentials,
            system_user=_system_user(keys, system, issued, expires),
            server=None if keys.routes and route is None else _server_material(keys, listen, route, start, end, issued),
        )
    keys.issued.append({"system": system, "roles": list(names), "key": user.public, "at": issued, "expires": expires})
    keys.save()
    return credentials


def save_credentials(credentials: Credentials, path: str | os.PathLike[str]) -> Path:
    """Write the one file of a host, mode 0600."""
    target = Path(path)
    _write_private(target, json.dumps({"format": _FORMAT} | asdict(credentials), indent=1))
    return target


def load_credentials(path: str | os.PathLike[str]) -> Credentials:
    """Read a credentials file. Raises `BadCredentials` if it is missing, damaged, expired or readable by others."""
    content = _read_private(Path(path))
    content.pop("format", None)
    try:
        server, user = content.pop("server", None), content.pop("system_user", None)
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        credentials = Credentials(
            **plain,
            server=_material(server) if server else None,
            system_user=SystemUser(**user) if user else None,
        )
        KeyPair.from_seed(credentials.seed)
        claims_of(credentials.jwt)
    except (KeyError, TypeError) as error:
        raise BadCredentials(f"{path} is incomplete: {error}") from None
    if credentials.expires <= time.time():
        raise BadCredentials(f"{path} has expired", hint="issue new credentials for this system")
    return credentials


def _material(plain: dict[str, Any]) -> ServerMaterial:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
    return ServerMaterial(**values)


def member_template(namespace: str) -> dict[str, Any]:
    """What a system may do. The server puts the name of the user's token where the braces are."""
    me = "{{name()}}"
    return {
        "pub": {
            "allow": [
                f"{namespace}.n.*.{me}.*",
                f"{namespace}.r.*.{me}.*",
                f"{namespace}.b.{me}.*",
                f"{namespace}.m.up.{me}",
                f"{namespace}.m.snap",
            ]
        },
        "sub": {
            "allow": [
                f"{namespace}.n.{me}.>",
                f"{namespace}.r.{{{{tag(role)}}}}.>",
                f"{namespace}.b.>",
                f"{namespace}.m.delta",
                f"_I.{me}.>",
            ]
        },
        "resp": {"max": 1, "ttl": 5_000_000_000},
        "subs": -1,
        "data": -1,
        "payload": -1,
    }


def directory_template(namespace: str) -> dict[str, Any]:
    """A member, and the two ends of the membership feed that only the directory holds."""
    template = member_template(namespace)
    template["pub"]["allow"].append(f"{namespace}.m.delta")
    template["sub"]["allow"] += [f"{namespace}.m.up.*", f"{namespace}.m.snap"]
    bucket = bucket_of(namespace)
    template["pub"]["allow"] += [
        f"$JS.API.STREAM.INFO.KV_{bucket}",
        f"$JS.API.STREAM.CREATE.KV_{bucket}",
        f"$JS.API.STREAM.MSG.GET.KV_{bucket}",
        f"$KV.{bucket}.>",
    ]
    return template


def bucket_of(namespace: str) -> str:
    """The bucket of the servers' store in which several directory systems keep their lease."""
    return f"{namespace}_directory"


_LOOPBACK = ("127.0.0.1", "::1")
_STORE = {"mem_storage": 0, "disk_storage": 16 * 1024 * 1024, "streams": 4, "consumer": 8}
_NO_LIMITS = {
    "subs": -1,
    "data": -1,
    "payload": -1,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}


def _system_user(keys: ConventionKeys, system: str, issued: int, expires: int) -> SystemUser:
    # The server's own account can reload and stop servers: this user gets the presence of one account, no more.
    account = f"$SYS.ACCOUNT.{keys.account.public}"
    user = KeyPair.create(USER)
    body = {
        "pub": {"allow": [f"$SYS.REQ.ACCOUNT.{keys.account.public}.CONNZ", "$SYS.REQ.SERVER.PING.IDZ"]},
        "sub": {"allow": [f"{account}.CONNECT", f"{account}.DISCONNECT", f"_I.{system}.>"]},
        "subs": -1,
        "data": -1,
        "payload": -1,
        "type": "user",
        "version": 2,
    }
    token = encode_jwt(keys.system_account, user.public, system, body, issued=issued, expires=expires)
    return SystemUser(token, user.seed)


def _server_material(
    keys: ConventionKeys, listen: Sequence[str], route: str | None, start: datetime, end: datetime, issued: int
) -> ServerMaterial:
    # Its own systems reach it by loopback, wherever else it listens and whatever name others know it by.
    hosts = tuple(
        dict.fromkeys(
            [
                *_hosts_of(keys.urls),
                *_hosts_of([f"tls://{way}" for way in keys.routes] or keys.urls),
                *listen,
                *_LOOPBACK,
            ]
        )
    )
    scopes = [
        {"kind": "user_scope", "key": key.public, "role": role, "template": template}
        for key, role, template in (
            (keys.member_key, "member", member_template(keys.name)),
            (keys.directory_key, DIRECTORY, directory_template(keys.name)),
        )
    ]
    limits = _NO_LIMITS | (_STORE if keys.routes else {})
    account = {"limits": limits, "signing_keys": scopes, "type": "account", "version": 2}
    system = {"limits": _NO_LIMITS, "type": "account", "version": 2}
    operator = {"system_account": keys.system_account.public, "type": "operator", "version": 2}
    certificate = pki.server_certificate(keys.ca, hosts, start, end)

    def sign(subject: KeyPair, name: str, body: dict[str, Any]) -> str:
        return encode_jwt(keys.operator, subject.public, name, body, issued=issued)

    return ServerMaterial(
        sign(keys.operator, keys.name, operator),
        keys.account.public,
        sign(keys.account, keys.name, account),
        keys.system_account.public,
        sign(keys.system_account, "SYS", system),
        certificate.certificate,
        certificate.key,
        hosts,
        route or "",
        tuple(way for way in keys.routes if way != route),
        keys.route_secret,
    )


def _hosts_of(urls: Sequence[str]) -> list[str]:
    hosts = [urlsplit(url).hostname for url in urls]
    if not hosts or not all(hosts):
        raise InvalidArgument(f"no usable address of a server in {list(urls)}", hint="for example tls://10.0.0.1:4222")
    return [host for host in hosts if host]


def _write_private(path: Path, text: str) -> None:
    # Private from its first byte, never half written, and there after a loss of power.
    replace_file(RealDisk(), str(path), text.encode(), aside=f".{os.getpid()}")


def _read_private(path: Path) -> dict[str, Any]:
    try:
        with path.open() as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        raise BadCredentials(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadCredentials(f"{path} can't be read: {error}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise BadCredentials(f"{path} can be read by others", hint=f"chmod 600 {path}")
    try:
        content = json.loads(text)
    except ValueError:
        raise BadCredentials(f"{path} is damaged: not JSON") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise BadCredentials(f"{path} has a format that this version does not know")
    return content
