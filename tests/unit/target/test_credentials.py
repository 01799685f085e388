"""Which keys are good, and what a bad one is told."""

import pytest

from monitor.target.credentials import BAD_TOKEN, NO_CREDENTIALS, Credentials, Unauthorized

JWT = "aGVhZA.Ym9keQ.c2ln-_"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Basic {JWT}", JWT, f"Bearer {JWT} more"]
)
def test_without_one_bearer_token_there_are_no_credentials(header: str | None) -> None:
    """Talo's text for it does not speak of tokens."""
    with pytest.raises(Unauthorized, match=f"^{NO_CREDENTIALS}$"):
        Credentials(None).key_from(header)


@pytest.mark.parametrize("token", ["abc", "a.b", "a.b.c.d", "a.b.", "a.b.c=", "ä.b.c"])
def test_a_token_that_is_no_jwt_is_bad(token: str) -> None:
    """Three base64url parts make a JWT."""
    with pytest.raises(Unauthorized, match=f"^{BAD_TOKEN}$"):
        Credentials(None).key_from(f"Bearer {token}")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_any_jwt_is_good_unless_a_key_is_configured(scheme: str) -> None:
    """The scheme's case does not matter (RFC 7235, section 2.1)."""
    assert Credentials(None).key_from(f"{scheme} {JWT}") == JWT


def test_a_configured_key_is_the_only_good_one_and_may_have_any_shape() -> None:
    """Another JWT is an unknown key."""
    credentials = Credentials("secret")
    assert credentials.key_from("Bearer secret") == "secret"
    with pytest.raises(Unauthorized, match=NO_CREDENTIALS):
        credentials.key_from(f"Bearer {JWT}")


def test_revoking_refuses_the_keys_that_were_seen_until_they_are_reinstated() -> None:
    """A key that comes later is a new one."""
    credentials = Credentials(None)
    credentials.key_from(f"Bearer {JWT}")
    credentials.revoke()
    assert credentials.is_revoked(JWT)
    with pytest.raises(Unauthorized, match=BAD_TOKEN):
        credentials.key_from(f"Bearer {JWT}")
    assert credentials.key_from("Bearer x.y.z") == "x.y.z"
    credentials.reinstate()
    assert credentials.key_from(f"Bearer {JWT}") == JWT


def test_revoking_refuses_the_configured_key_even_if_nobody_has_used_it() -> None:
    """It is known without having been seen."""
    credentials = Credentials("secret")
    credentials.revoke()
    with pytest.raises(Unauthorized, match=BAD_TOKEN):
        credentials.key_from("Bearer secret")


def test_a_refused_key_is_not_revoked() -> None:
    """Revoking concerns keys that were good."""
    credentials = Credentials("secret")
    with pytest.raises(Unauthorized):
        credentials.key_from(f"Bearer {JWT}")
    credentials.revoke()
    assert not credentials.is_revoked(JWT)
