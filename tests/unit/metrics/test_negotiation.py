"""What a scraper gets, by what it says that it accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.negotiation import Format, accepts_gzip, choose_format

TEXT_004 = "text/plain; version=0.0.4; charset=utf-8"
TEXT_100 = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
OPEN_PLAIN = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
    "q=0.7," + PROMETHEUS_3
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT_004),
        ("", TEXT_004),
        ("*/*", TEXT_004),
        ("text/*", TEXT_004),
        ("image/png", TEXT_004),
        (FIREFOX, TEXT_004),
        ("text/plain", TEXT_004),
        ("text/plain;version=0.0.4", TEXT_004),
        ("text/plain;version=1.0.0", TEXT_100),
        ("application/openmetrics-text", OPEN_PLAIN),
        ("application/openmetrics-text;version=1.0.0", OPEN),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPEN),
        ('application/openmetrics-text; version="1.0.0"', OPEN),
        (PROMETHEUS_2, OPEN),
        (PROMETHEUS_3, OPEN.replace("underscores", "allow-utf-8")),
        (PROTOBUF_FIRST, OPEN.replace("underscores", "allow-utf-8")),
    ],
)
def test_what_is_served(accept: str | None, content_type: str) -> None:
    """To the scrapers there are, and to a person with a browser."""
    assert choose_format(accept)[1] == content_type


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/openmetrics-text;q=0.3,text/plain;q=0.9", Format.TEXT),
        ("text/plain;q=0.3,application/openmetrics-text;q=0.9", Format.OPENMETRICS),
        ("text/plain;version=0.0.4,application/openmetrics-text", Format.TEXT),
        ("application/openmetrics-text;q=0,text/plain;q=0.1", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=2,text/plain;q=0.1", Format.TEXT),
        ("application/openmetrics-text;q=nan,text/plain;q=0.1", Format.TEXT),
        ("application/openmetrics-text;q=high,text/plain;q=0.1", Format.TEXT),
    ],
)
def test_the_client_s_preference_counts(accept: str, chosen: Format) -> None:
    """Not the order in which it lists things, unless it prefers none."""
    assert choose_format(accept)[0] is chosen


@pytest.mark.parametrize("version", ["2.0.0", "1.0.1", "99", "0.0.1", "1.0.0evil"])
def test_no_version_is_claimed_that_we_do_not_write(version: str) -> None:
    """The next range is taken instead."""
    accept = f"application/openmetrics-text;version={version},text/plain;q=0.1"
    assert choose_format(accept) == (Format.TEXT, TEXT_004)


@pytest.mark.parametrize("escaping", ["dots", "values", "\x00"])
def test_no_escaping_is_claimed_that_we_do_not_do(escaping: str) -> None:
    """Names are never rewritten, as underscores are legal everywhere."""
    accept = f"application/openmetrics-text;version=1.0.0;escaping={escaping}"
    assert choose_format(accept) == (Format.OPENMETRICS, OPEN)


@given(st.text(max_size=60) | st.text('application/openmetrics-text*;,=version1.0q" ', max_size=90))
def test_any_header_gets_an_answer(header: str) -> None:
    """From a closed set, so nothing that a client sends comes back."""
    content_type = choose_format(header)[1]
    assert content_type.replace("allow-utf-8", "underscores") in {
        TEXT_004,
        TEXT_100,
        OPEN,
        OPEN_PLAIN,
    }
    assert accepts_gzip(header) in (True, False)


@pytest.mark.parametrize(
    ("accept_encoding", "wanted"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br, zstd", False),
    ],
)
def test_gzip_is_for_those_who_take_it(accept_encoding: str | None, wanted: bool) -> None:
    """A weight of 0 is a refusal."""
    assert accepts_gzip(accept_encoding) is wanted
