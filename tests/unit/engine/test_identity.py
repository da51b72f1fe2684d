from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from garrick.engine.identity import (
    DIRECTORY,
    ConventionKeys,
    create_convention,
    issue,
    load_convention,
    load_credentials,
    save_credentials,
)
from garrick.engine.nkeys import claims_of, verify_jwt
from garrick.errors import BadCredentials, InvalidArgument

URL = "tls://127.0.0.1:4222"


@pytest.fixture
def keys(tmp_path: Path) -> ConventionKeys:
    return create_convention(tmp_path / "keys", "conv", [URL])


def test_keys_are_private_and_load_again(keys: ConventionKeys) -> None:
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.directory.stat().st_mode) == 0o700
    again = load_convention(keys.directory)
    assert (again.name, again.urls, again.ca) == (keys.name, keys.urls, keys.ca)
    assert again.member_key.seed == keys.member_key.seed


def test_a_convention_is_not_overwritten(keys: ConventionKeys) -> None:
    with pytest.raises(InvalidArgument):
        create_convention(keys.directory, "conv", [URL])


@pytest.mark.parametrize("name", ["", "a.b", "a b", "*", ">", "a" * 65, "ä", "a@b", "a/b"])
def test_names_that_would_change_a_subject_are_refused(keys: ConventionKeys, name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument):
        issue(keys, name)
    with pytest.raises(InvalidArgument):
        issue(keys, "h1", [name])
    with pytest.raises(InvalidArgument):
        create_convention(tmp_path / "other", name, [URL])


def test_an_ordinary_system_gets_no_means_to_admit_or_serve(keys: ConventionKeys, tmp_path: Path) -> None:
    credentials = issue(keys, "h1", ["db"])
    assert credentials.server is None
    assert credentials.system_user is None
    text = save_credentials(credentials, tmp_path / "h1").read_text()
    for secret in (keys.operator.seed, keys.account.seed, keys.member_key.seed, keys.directory_key.seed, keys.ca.key):
        assert secret not in text
    assert "PRIVATE KEY" in text  # its own


def test_the_directory_serves_but_can_not_admit(keys: ConventionKeys, tmp_path: Path) -> None:
    credentials = issue(keys, "app", [DIRECTORY], listen=["app.example"])
    assert credentials.is_directory
    assert credentials.server is not None
    assert credentials.server.hosts == ("127.0.0.1", "app.example", "::1")
    text = save_credentials(credentials, tmp_path / "app").read_text()
    for secret in (
        keys.operator.seed,
        keys.account.seed,
        keys.system_account.seed,
        keys.directory_key.seed,
        keys.ca.key,
    ):
        assert secret not in text


def test_credentials_survive_their_file(keys: ConventionKeys, tmp_path: Path) -> None:
    for roles in ([], [DIRECTORY], ["db", "web"]):
        credentials = issue(keys, "h1", roles)
        path = save_credentials(credentials, tmp_path / "h1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_credentials(path) == credentials


def test_permissions_come_from_the_signing_key_alone(keys: ConventionKeys) -> None:
    claims = claims_of(issue(keys, "h1", ["db"]).jwt)
    assert verify_jwt(issue(keys, "h1").jwt)
    assert claims["iss"] == keys.member_key.public
    assert claims["nats"] == {
        "issuer_account": keys.account.public,
        "tags": ["role:db"],
        "type": "user",
        "version": 2,
    }
    server = issue(keys, "app", [DIRECTORY]).server
    assert server is not None
    scopes = {s["role"]: s["template"] for s in claims_of(server.account_jwt)["nats"]["signing_keys"]}
    assert scopes["member"]["pub"]["allow"] == [
        "conv.n.*.{{name()}}.*",
        "conv.r.*.{{name()}}.*",
        "conv.b.{{name()}}.*",
        "conv.m.up.{{name()}}",
        "conv.m.snap",
    ]
    assert scopes["member"]["sub"]["allow"] == [
        "conv.n.{{name()}}.>",
        "conv.r.{{tag(role)}}.>",
        "conv.b.>",
        "conv.m.delta",
        "_I.{{name()}}.>",
    ]
    assert "conv.m.delta" in scopes["directory"]["pub"]["allow"]
    assert "conv.m.delta" not in scopes["member"]["pub"]["allow"]


def test_certificates_end_with_the_credentials(keys: ConventionKeys) -> None:
    credentials = issue(keys, "h1", valid_for=timedelta(days=3))
    certificate = x509.load_pem_x509_certificate(credentials.certificate.encode())
    assert int(certificate.not_valid_after_utc.timestamp()) == credentials.expires
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_what_was_issued_is_recorded_without_secrets(keys: ConventionKeys) -> None:
    credentials = issue(keys, "h1")
    [entry] = load_convention(keys.directory).issued
    assert entry["system"] == "h1"
    assert credentials.seed not in json.dumps(entry)


def test_secrets_are_not_shown(keys: ConventionKeys) -> None:
    credentials = issue(keys, "app", [DIRECTORY])
    assert credentials.system_user is not None
    shown = repr(credentials) + repr(keys) + repr(credentials.system_user) + repr(credentials.server)
    for secret in (
        credentials.seed,
        credentials.jwt,
        credentials.key,
        keys.operator.seed,
        credentials.system_user.seed,
    ):
        assert secret not in shown


def test_files_that_can_not_be_used(keys: ConventionKeys, tmp_path: Path) -> None:
    with pytest.raises(BadCredentials, match="no file"):
        load_credentials(tmp_path / "nothing")
    path = save_credentials(issue(keys, "h1"), tmp_path / "h1")
    path.chmod(0o640)
    with pytest.raises(BadCredentials, match="read by others"):
        load_credentials(path)
    path.chmod(0o600)
    content = json.loads(path.read_text())
    damaged = {
        "not JSON": "{",
        "format": json.dumps(content | {"format": 99}),
        "incomplete": json.dumps({k: v for k, v in content.items() if k != "jwt"}),
        "damaged": json.dumps(content | {"seed": content["seed"][:-1] + ("A" if content["seed"][-1] != "A" else "B")}),
    }
    for text in damaged.values():
        path.write_text(text)
        with pytest.raises(BadCredentials):
            load_credentials(path)


def test_expired_credentials_are_refused_before_any_connection(keys: ConventionKeys, tmp_path: Path) -> None:
    path = save_credentials(issue(keys, "h1", valid_for=timedelta(seconds=-1)), tmp_path / "h1")
    with pytest.raises(BadCredentials, match="expired"):
        load_credentials(path)


def test_no_usable_address(tmp_path: Path) -> None:
    for urls in ([], ["tls://"]):
        with pytest.raises(InvalidArgument):
            create_convention(tmp_path / "keys", "conv", urls)


def test_servers_that_decide_together(tmp_path: Path) -> None:
    urls = [f"tls://10.0.0.{n}:4222" for n in (1, 2, 3)]
    with pytest.raises(InvalidArgument, match="majority"):
        create_convention(tmp_path / "two", "two", urls, routes=["10.0.0.1:6222", "10.0.0.2:6222"])
    routes = [f"10.0.0.{n}:6222" for n in (1, 2, 3)]
    create_convention(tmp_path / "keys", "conv", urls, routes=routes)
    keys = load_convention(tmp_path / "keys")
    with pytest.raises(InvalidArgument, match="has no route"):
        issue(keys, "d1", ["directory"], route="10.0.0.4:6222")
    path = save_credentials(issue(keys, "d2", ["directory"], route="10.0.0.2:6222"), tmp_path / "d2.json")
    server = load_credentials(path).server
    assert server is not None
    assert (server.route, server.routes) == ("10.0.0.2:6222", ("10.0.0.1:6222", "10.0.0.3:6222"))
    assert server.route_secret == keys.route_secret != ""
    for roles in ([], ["directory"]):  # who runs no server gets nothing to run one with
        credentials = issue(keys, "other", roles)
        assert credentials.server is None
        assert credentials.servers_together == 3
        assert keys.route_secret not in save_credentials(credentials, tmp_path / "other.json").read_text()
