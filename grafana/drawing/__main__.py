"""The command: `scripts/draw-dashboards --prometheus http://127.0.0.1:9090 --since 1h`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from grafana.drawing.client import Prometheus, QueryError
from grafana.drawing.draw import draw_dashboards
from grafana.drawing.frames import Span, seconds


def main(arguments: Sequence[str]) -> int:
    """Draw the dashboards; return 0, or 1 when Prometheus did not answer."""
    chosen = _parse(arguments)
    end = chosen.until or time.time()
    span = Span(end - chosen.since, end, chosen.scrape_interval)
    try:
        paths = draw_dashboards(Prometheus(chosen.prometheus), span, chosen.out, chosen.probe)
    except QueryError as error:
        sys.stderr.write(f"draw-dashboards: {error}\n")
        return 1
    for path in paths:
        sys.stdout.write(f"{path}\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="draw-dashboards",
        description="Draw what each panel of the Grafana dashboards would show, one PNG for each "
        "dashboard, from a Prometheus that scrapes ws-monitor.",
    )
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument(
        "--since", type=_duration, default=3600.0, metavar="1h", help="how far back to look"
    )
    parser.add_argument(
        "--until", type=float, metavar="UNIX", help="where to end, in Unix seconds; default: now"
    )
    parser.add_argument(
        "--scrape-interval",
        type=_duration,
        default=15.0,
        metavar="15s",
        help="how often Prometheus scrapes; Grafana has it from the data source",
    )
    parser.add_argument(
        "--probe", metavar="NAME", help="for the dashboard of one probe; default: the first"
    )
    parser.add_argument("--out", type=Path, default=Path("build/dashboards"), metavar="FOLDER")
    return parser.parse_args(arguments)


def _duration(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
