"""Why lines are rendered by us at all."""

import time
from collections.abc import Callable

from prometheus_client.exposition import generate_latest

from monitor.core.events import Echoed, Mode, Sent
from monitor.metrics.block import Blocks
from monitor.metrics.exposition import Exposition
from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.series import ProbeSeries
from tests.component.metrics.expositions import Clocks, add, exposition
from tests.unit.metrics.probes import EPOCH

PROBES = 60


def least(work: Callable[[], object]) -> float:
    """Return the least processor time that some work took, in seconds."""
    took = []
    for _ in range(5):
        begun = time.thread_time()
        work()
        took.append(time.thread_time() - begun)
    return min(took)


def by_the_library(exposed: Exposition) -> bytes:
    """Return the page that the library writes, from the same numbers."""
    return generate_latest(exposed)


def beat_and_render(probes: list[ProbeSeries]) -> bytes:
    """Have every probe beat, and render all lines, family by family."""
    blocks = Blocks(EPOCH)
    for series in probes:
        series.take(Sent(Mode.MESSAGE, 50.0, 0.001))
        series.take(Echoed(Mode.MESSAGE, 50.03, 0.03))
        series.note(blocks, 60.0)
    return b"".join(block.write(family) for family in PROBE_FAMILIES for block in blocks)


def test_rendering_is_an_order_of_magnitude_cheaper_than_the_library_s() -> None:
    """Although every probe has beaten since the scrape before; 55 times is usual."""
    exposed = exposition(Clocks())
    probes = [add(exposed, f"probe-{number}") for number in range(PROBES)]
    beat_and_render(probes)
    ours = least(lambda: beat_and_render(probes))
    assert ours * 15 < least(lambda: by_the_library(exposed))
