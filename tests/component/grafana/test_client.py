"""Whatever answers in Prometheus' place, there is one line to say about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from grafana.drawing.client import Prometheus, QueryError

Answering = Callable[[int, bytes], Prometheus]


@contextmanager
def _serving(status: int, body: bytes) -> Iterator[Prometheus]:
    """Serve the same answer to every question."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Prometheus(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"status":"error","error":"parse error"}', "parse error: up{"),
        (503, b"Service Unavailable", "HTTP Error 503: Service Unavailable: up{"),
        (502, b"[]", "HTTP Error 502: Bad Gateway: up{"),
        (200, b"<html>", "no answer from http://127.0.0.1"),
        (200, b"{}", "no answer from http://127.0.0.1"),
    ],
)
def test_a_refusal_is_told_in_one_line(status: int, body: bytes, said: str) -> None:
    """Also while Prometheus starts, and when something else has its port."""
    with _serving(status, body) as prometheus, pytest.raises(QueryError) as refused:
        prometheus.instant("up{", 0)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_an_answer_is_a_list_of_series() -> None:
    """Each with its labels, and its points as numbers."""
    body = b'{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[7,"+Inf"]}]}}'
    with _serving(200, body) as prometheus:
        (series,) = prometheus.instant("up", 0)
    assert (series.labels, series.points) == ({"a": "b"}, ((7.0, float("inf")),))
