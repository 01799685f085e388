"""Secrets are read when asked for, and never show what they hold."""

from pathlib import Path

import pytest

from monitor.config import Secret, SecretUnavailable, parse_config
from monitor.config.secret import Inline


@pytest.mark.parametrize(
    ("content", "secret"),
    [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("a\n\n", "a\n")],
)
def test_one_line_end_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, secret: str
) -> None:
    """Editors and `kubectl create secret --from-file` leave one."""
    file = tmp_path / "key"
    file.write_bytes(content.encode())
    monkeypatch.setenv("WS_TEST_KEY", content)
    assert Secret(file=file).read() == secret
    assert Secret(env="WS_TEST_KEY").read() == secret


def test_a_rotated_secret_is_read_anew(tmp_path: Path) -> None:
    """Nothing is kept between two reads."""
    file = tmp_path / "key"
    secret = Secret(file=file)
    file.write_text("old")
    assert secret.read() == "old"
    file.write_text("new")
    assert secret.read() == "new"


def test_an_unset_or_empty_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty key is never what was meant."""
    monkeypatch.delenv("WS_TEST_KEY", raising=False)
    with pytest.raises(SecretUnavailable, match=r"^environment variable WS_TEST_KEY is not set$"):
        Secret(env="WS_TEST_KEY").read()
    monkeypatch.setenv("WS_TEST_KEY", "\n")
    with pytest.raises(SecretUnavailable, match=r"^environment variable WS_TEST_KEY is empty$"):
        Secret(env="WS_TEST_KEY").read()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"hunter2\xff", "is not UTF-8 text"),
        (b"hunter2" * 10_000, "is larger than 64 KiB"),
    ],
)
def test_an_unusable_file_is_named_and_its_content_is_not(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """Nor is it in an exception that a traceback would show."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SecretUnavailable) as caught:
        Secret(file=file).read()
    assert str(caught.value) == f"file {file} {reason}"
    assert (
        caught.value.__context__ is None
        or b"hunter2" not in repr(caught.value.__context__.args).encode()
    )


def test_a_directory_in_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    """A mistyped mount looks like this."""
    with pytest.raises(SecretUnavailable, match=r"cannot be read: Is a directory$"):
        Secret(file=tmp_path).read()


def test_nothing_shows_a_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not `str`, not `repr`, not inside a list."""
    monkeypatch.setenv("WS_TEST_KEY", "hunter2")
    secret, inline = Secret(env="WS_TEST_KEY"), Inline("hunter2")
    shown = f"{secret} {secret!r} {inline} {inline!r} {[secret, inline]}"
    assert "hunter2" not in shown
    assert str(secret) == "<env WS_TEST_KEY>"
    assert str(Secret(file=Path("/run/key"))) == "<file /run/key>"
    assert inline.read() == "hunter2"


def test_a_relative_file_starts_at_the_configs_directory() -> None:
    """And an absolute one does not."""
    text = "embedded_target: {api_key: {file: keys/talo}}"
    embedded = parse_config(text, "c", directory=Path("/etc/ws")).embedded_target
    assert embedded is not None
    assert embedded.api_key == Secret(file=Path("/etc/ws/keys/talo"))
    absolute = parse_config(text.replace("keys/", "/run/"), "c", directory=Path("/etc/ws"))
    assert absolute.embedded_target is not None
    assert absolute.embedded_target.api_key == Secret(file=Path("/run/talo"))
