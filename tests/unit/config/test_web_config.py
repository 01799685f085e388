"""The web config file: the exporter-toolkit's format, and what of it is refused."""

from pathlib import Path

import pytest

from monitor.config import ConfigError, Unusable, WebConfig, load_web_config

HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"


def load(directory: Path, text: str) -> WebConfig:
    """Load a file of this text, beside files that it may name."""
    for name in ("server.crt", "server.key", "ca.crt"):
        (directory / name).touch()
    path = directory / "web.yml"
    path.write_text(text)
    return load_web_config(path, lambda config: config)


def lines(directory: Path, text: str) -> list[str]:
    """Return what is said about a file, without its directory."""
    with pytest.raises(ConfigError) as caught:
        load(directory, text)
    return [line.replace(f"{directory}/", "") for line in str(caught.value).splitlines()]


def tls(*more: str) -> str:
    """Write a TLS section."""
    own = ("cert_file: server.crt", "key_file: server.key")
    return "tls_server_config:\n" + "".join(f"  {line}\n" for line in (*own, *more))


def test_a_whole_file_is_understood(tmp_path: Path) -> None:
    """Every key that can be served; relative paths start at the file."""
    text = tls(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.crt",
        "client_allowed_sans: [prometheus.example]",
        "min_version: TLS12",
        "max_version: TLS13",
        "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
        "prefer_server_cipher_suites: false",
        "curve_preferences: [CurveP256]",
    )
    text += f"""
http_server_config:
  http2: false
  headers: {{X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=60}}
basic_auth_users: {{alice: {HASH}}}
rate_limit: {{interval: 1s, burst: 20}}
"""
    config = load(tmp_path, text)
    assert config.tls_server_config is not None
    assert config.tls_server_config.cert_file == tmp_path / "server.crt"
    assert config.files == tuple(tmp_path / n for n in ("server.crt", "server.key", "ca.crt"))
    assert config.rate_limit.interval == 1.0
    assert config.basic_auth_users["alice"].read() == HASH


def test_no_hash_is_shown(tmp_path: Path) -> None:
    """In no representation."""
    config = load(tmp_path, f"basic_auth_users: {{alice: {HASH}}}\n")
    assert HASH not in repr(config)
    assert "<hidden>" in repr(config)


def test_an_empty_mapping_leaves_everything_open(tmp_path: Path) -> None:
    """Whoever writes it means it."""
    config = load(tmp_path, "{}\n")
    assert config.tls_server_config is None
    assert not config.basic_auth_users


def test_an_empty_file_does_not(tmp_path: Path) -> None:
    """It may be one that is just being written."""
    assert lines(tmp_path, "") == ["web.yml: the config is empty"]


@pytest.mark.parametrize("kind", ["NoClientCert", "VerifyClientCertIfGiven"])
def test_client_authentication_that_the_ssl_module_has(tmp_path: Path, kind: str) -> None:
    """The other one is in the whole file above."""
    ca = () if kind == "NoClientCert" else ("client_ca_file: ca.crt",)
    config = load(tmp_path, tls(f"client_auth_type: {kind}", *ca))
    assert config.tls_server_config is not None
    assert config.tls_server_config.client_auth_type == kind


SSL = "Python's ssl cannot"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            "client_auth_type: RequestClientCert",
            f"web.yml:4: tls_server_config.client_auth_type: {SSL} take a certificate without "
            "verifying it: write one of NoClientCert, VerifyClientCertIfGiven, "
            "RequireAndVerifyClientCert",
        ),
        (
            "client_auth_type: RequireAnyClientCert",
            f"web.yml:4: tls_server_config.client_auth_type: {SSL} take a certificate without "
            "verifying it: write one of NoClientCert, VerifyClientCertIfGiven, "
            "RequireAndVerifyClientCert",
        ),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256]",
            f"web.yml:4: tls_server_config.cipher_suites: {SSL} choose among the suites of "
            "TLS 1.3, they are always on: list only those of TLS 1.2",
        ),
        (
            "curve_preferences: [X25519, CurveP256]",
            "web.yml:4: tls_server_config.curve_preferences: Python's ssl can set one curve: "
            "list one, or leave the key out",
        ),
        (
            "min_version: TLS11",
            "web.yml:4: tls_server_config.min_version: TLS 1.0 and 1.1 are not served (RFC 8996): "
            "write TLS12 or TLS13",
        ),
        ("cert: hunter2", "web.yml:4: tls_server_config.cert: write the certificate into a file, "
         "and cert_file"),
        ("key: hunter2", "web.yml:4: tls_server_config.key: a key is never written here: "
         "put it into key_file"),
        ("client_ca: hunter2", "web.yml:4: tls_server_config.client_ca: write it into a file, "
         "and client_ca_file"),
        ("client_ca_file: ca.crt", "web.yml:4: tls_server_config.client_ca_file: only goes with "
         "client_auth_type VerifyClientCertIfGiven or RequireAndVerifyClientCert"),
        ("client_auth_type: RequireAndVerifyClientCert", "web.yml:4: "
         "tls_server_config.client_auth_type: needs client_ca_file: who else would say whose "
         "clients they are?"),
        ("client_allowed_sans: [a]", "web.yml:4: tls_server_config.client_allowed_sans: only goes "
         "with client_auth_type RequireAndVerifyClientCert"),
        ("client_auth_type: RequireCert", "web.yml:4: tls_server_config.client_auth_type: must be "
         "one of NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, "
         "RequireAndVerifyClientCert"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(tmp_path: Path, more: str, told: str) -> None:
    """With the file, the line and the key, and what to write instead."""
    assert lines(tmp_path, tls(more)) == [told]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """In the order of the lines, and no value is repeated."""
    told = lines(
        tmp_path,
        """\
tls_server_config:
  cert_file: nowhere.crt
  max_version: TLS12
  min_version: TLS13
  key_file: nowhere.key
http_server_config:
  http2: true
  headers: {X-Frame-Options: hunter2, Set-Cookie: hunter2}
basic_auth_users:
  alice: hunter2
  bob: $2y$31$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze
rate_limit: {interval: 1, burst: 0}
basic_auth_user: {}
""",
    )
    assert told == [
        "web.yml:7: http_server_config.http2: HTTP/2 is not served: "
        "write false, or leave the key out",
        "web.yml:8: http_server_config.headers.Set-Cookie: must be one of "
        "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, "
        "X-Frame-Options, X-XSS-Protection",
        "web.yml:10: basic_auth_users.alice: not a bcrypt hash: "
        "make one with `htpasswd -nBC 10 NAME`",
        "web.yml:11: basic_auth_users.bob: the cost of a hash is from 4 to 14: "
        "to check a dearer one takes longer than a scrape may",
        "web.yml:12: rate_limit.interval: a duration needs a unit: write 1s for seconds",
        "web.yml:12: rate_limit.burst: must be at least 1",
        "web.yml:13: basic_auth_user: unknown key; did you mean `basic_auth_users`?",
    ]


def test_what_does_not_go_together_is_told_once_each_value_is_right(tmp_path: Path) -> None:
    """Files that are not there, too."""
    assert lines(
        tmp_path,
        "tls_server_config:\n  cert_file: no.crt\n  key_file: no.key\n"
        "  min_version: TLS13\n  max_version: TLS12\n",
    ) == [
        "web.yml:2: tls_server_config.cert_file: there is no file no.crt",
        "web.yml:3: tls_server_config.key_file: there is no file no.key",
        "web.yml:4: tls_server_config.min_version: is newer than max_version",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("basic_auth_users: {'a:b': " + HASH + "}", "a user's name is printable and has no colon"),
        ("basic_auth_users: {a: 1}", "expected a bcrypt hash, found a number"),
        ("http_server_config: {headers: {X-Frame-Options: no}}",
         "X-Frame-Options must be deny or sameorigin"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\nb"}}',
         "X-XSS-Protection: a header's value is visible ASCII on one line, "
         "with no space at either end"),
        ("tls_server_config: {cert_file: server.crt, key_file: server.key, cipher_suites: [RC4]}",
         "a suite is not known here; known are TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    ],
)  # fmt: skip
def test_single_values(tmp_path: Path, text: str, told: str) -> None:
    """Each with its own sentence."""
    (line,) = lines(tmp_path, text)
    assert told in line


def test_what_cannot_be_built_is_told_at_its_line(tmp_path: Path) -> None:
    """The caller finds it; the line is known here."""

    def build(_: WebConfig) -> None:
        raise Unusable(("tls_server_config", "key_file"), "is not it")

    (tmp_path / "server.crt").touch()
    (tmp_path / "server.key").touch()
    path = tmp_path / "web.yml"
    path.write_text(tls())
    with pytest.raises(ConfigError, match=r"web\.yml:3: tls_server_config\.key_file: is not it$"):
        load_web_config(path, build)
