"""Prometheus' own tool has nothing to say about what we expose."""

import asyncio
import subprocess

from monitor.core.events import Mode
from tests.component.metrics.expositions import Clocks, add, exposition, text


def test_promtool_finds_nothing_to_say() -> None:
    """About names, types, help texts and values of a full exposition."""
    exposed = exposition(Clocks())
    add(exposed, "lobby", Mode.MESSAGE, Mode.PING, region="eu")
    add(exposed, 'odd "name"\\\n')
    exposed.monitor.reloaded(ok=True)
    exposed.monitor.loop_lag.observe(0.001)
    page = asyncio.run(text(exposed))
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
