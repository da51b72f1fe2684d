from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick.engine.nkeys import ACCOUNT, OPERATOR, USER, KeyPair, claims_of, encode_jwt, verify_jwt
from garrick.errors import BadCredentials


@pytest.mark.parametrize(("kind", "letter"), [(OPERATOR, "O"), (ACCOUNT, "A"), (USER, "U")])
def test_the_first_letters_tell_the_kind(kind: int, letter: str) -> None:
    pair = KeyPair.create(kind)
    assert pair.public[0] == letter
    assert pair.seed[:2] == "S" + letter
    assert len(pair.public) == 56
    assert len(pair.seed) == 58


def test_a_seed_gives_the_same_key_again() -> None:
    pair = KeyPair.create(USER)
    again = KeyPair.from_seed(pair.seed)
    assert (again.public, again.kind) == (pair.public, USER)
    assert again.sign(b"nonce") == pair.sign(b"nonce")  # Ed25519 is deterministic


@given(st.integers(0, 57), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_changed_letter_is_noticed(place: int, letter: str) -> None:
    seed = KeyPair.create(USER).seed
    if seed[place] == letter:
        return
    damaged = seed[:place] + letter + seed[place + 1 :]
    with pytest.raises(BadCredentials) as caught:
        KeyPair.from_seed(damaged)
    assert damaged not in str(caught.value)


@pytest.mark.parametrize("text", ["", "S", "not base32!", "A" * 56])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(BadCredentials):
        KeyPair.from_seed(text)


def test_a_public_key_is_no_seed() -> None:
    with pytest.raises(BadCredentials):
        KeyPair.from_seed(KeyPair.create(USER).public)


def test_the_secret_half_is_not_shown() -> None:
    pair = KeyPair.create(USER)
    assert pair.seed not in repr(pair)


def test_a_token_is_signed_by_the_issuer_that_it_names() -> None:
    signer, user = KeyPair.create(ACCOUNT), KeyPair.create(USER)
    token = encode_jwt(signer, user.public, "h1", {"type": "user", "version": 2}, issued=1000, expires=2000)
    claims = claims_of(token)
    assert (claims["iss"], claims["sub"], claims["name"]) == (signer.public, user.public, "h1")
    assert (claims["iat"], claims["exp"]) == (1000, 2000)
    assert verify_jwt(token)
    head, body, signature = token.split(".")
    other = encode_jwt(signer, user.public, "h2", {"type": "user", "version": 2}, issued=1000)
    assert not verify_jwt(f"{head}.{other.split('.')[1]}.{signature}")
    assert body != other.split(".")[1]
