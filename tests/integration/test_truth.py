"""Echoes without an id: whatever the server does, no figure says more than what happened.

A server answers by a script and writes down when each frame came and when it was echoed. Its
records are the truth, and the monitor's figures are held against them.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from tests.integration.harness import Histogram, Lab, ProbeView, Scrape, probe, watching

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERVAL = 0.5
TIMEOUT = 0.45

SPAN = 18.0
"""Seconds for which each script is played: thirty-six beats."""

TOLERANCE = 0.15
"""Seconds that a frame may lie unread in the server. Far less than the interval, by which an echo
taken for another's would be off."""

TOGETHER = 0.1
"""Seconds within which the frames of one heartbeat reach the server."""

BUCKETS = [round(0.05 * number, 2) for number in range(1, 41)]


@dataclass(frozen=True)
class Script:
    """What the server does, and what must come of it.

    Attributes:
        query: the script, as the server reads it.
        echoed: at least so many heartbeats are echoed in time, where the connection is kept.
        missed: at least so many are missed.
        late: whether late echoes must have been recognised, where the connection is kept.
        unsolicited: whether there must be some; else there must be none.
    """

    query: Mapping[str, float]
    echoed: int = 0
    missed: int = 0
    late: bool = False
    unsolicited: bool = False


SCRIPTS: Mapping[str, Script] = {
    "answers": Script({}, echoed=30),
    "swallows every 2nd": Script({"swallow": 2}, echoed=10, missed=5),
    "swallows every 3rd": Script({"swallow": 3}, echoed=12, missed=5),
    "swallows every 5th": Script({"swallow": 5}, echoed=15, missed=3),
    "freezes for 2.5 intervals": Script(
        {"freeze": 2.5 * INTERVAL, "every": 8 * INTERVAL}, echoed=10, missed=4, late=True
    ),
    "takes 1.5 intervals": Script({"delay": 1.5 * INTERVAL}, missed=8, late=True),
    "takes 2.5 intervals": Script({"delay": 2.5 * INTERVAL}, missed=6, late=True),
    "takes 1.5 intervals and swallows": Script({"delay": 1.5 * INTERVAL, "swallow": 3}, missed=6),
    "freezes and swallows": Script(
        {"freeze": 2.5 * INTERVAL, "every": 8 * INTERVAL, "swallow": 3}, echoed=5, missed=4
    ),
    "takes half an interval": Script({"delay": 0.5 * INTERVAL}, echoed=30),
    "answers twice at once": Script({"duplicate": 1}, echoed=25, unsolicited=True),
    "answers three times, by and by": Script(
        {"duplicate": 2, "gap": 0.1 * INTERVAL}, echoed=15, unsolicited=True
    ),
    "swallows every 3rd and answers twice": Script(
        {"duplicate": 1, "swallow": 3}, echoed=12, missed=4, unsolicited=True
    ),
}

THRESHOLDS = {"patient": 1000, "by default": 3}


@dataclass
class Sending:
    """One heartbeat as the server saw it: when its first frame came, and what each echo took."""

    received: float
    took: list[float] = field(default_factory=list)

    @property
    def in_time(self) -> bool:
        """Whether any frame of it was answered before the deadline."""
        return any(took < TIMEOUT for took in self.took)

    @property
    def too_late(self) -> bool:
        """Whether any frame was answered when the deadline may have been over."""
        return any(took + TOLERANCE >= TIMEOUT for took in self.took)

    def could_take(self, low: float, high: float) -> bool:
        """Whether its RTT may lie above `low` and up to `high`."""
        return any(took <= high and took + TOLERANCE > low for took in self.took)


def read_sendings(records: Iterable[Mapping[str, Any]]) -> list[Sending]:
    """Return the heartbeats in one probe's records."""
    received: dict[str, dict[int, float]] = defaultdict(dict)
    echoed: dict[str, dict[int, float]] = defaultdict(dict)
    for record in records:
        connection, frame = record["connection"], record["frame"]
        for key, times in (("received", received), ("echoed", echoed)):
            if key in record:
                times[connection][frame] = record[key]
    found = []
    for connection, frames in received.items():
        last: Sending | None = None
        previous = float("-inf")
        for frame, at in frames.items():
            if last is None or at - previous > TOGETHER:
                found.append(last := Sending(at))
            if frame in echoed[connection]:
                last.took.append(echoed[connection][frame] - last.received)
            previous = at
    return found


@dataclass(frozen=True)
class Truth:
    """A monitor's figures, and what the server had written down soon after."""

    scrape: Scrape
    sendings: Mapping[str, list[Sending]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def truth(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Truth]:
    """Play every script side by side, with both thresholds."""
    lab = Lab(tmp_path_factory.mktemp("truth"))
    try:
        yield await play(lab)
    finally:
        lab.close()


async def play(lab: Lab) -> Truth:
    """Play the scripts for a while; the books are checked all the time."""
    server = lab.module("tests.integration.harness.scripted_server", name="server")
    port = json.loads(await server.first_line())["port"]
    probes = [
        section(name(script, patience), port, SCRIPTS[script], threshold)
        for script in SCRIPTS
        for patience, threshold in THRESHOLDS.items()
    ]
    monitor = await lab.monitor(
        probes, metrics={"rtt_buckets": [f"{round(1000 * bound)}ms" for bound in BUCKETS]}
    )
    async with watching(monitor, every=0.5) as watch:
        first = await watch.until(lambda _: True)
        last = await watch.until(lambda scrape: scrape.began - first.began > SPAN, within=SPAN + 30)
    # What the monitor had counted, the server has written down by now.
    await asyncio.sleep(TOLERANCE)
    records: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in server.out.splitlines()[1:]:
        record = json.loads(line)
        records[record["name"]].append(record)
    return Truth(last, {each["name"]: read_sendings(records[each["name"]]) for each in probes})


def name(script: str, patience: str) -> str:
    """Return the name of a script's probe."""
    return f"{script}-{patience}".replace(" ", "-").replace(",", "")


def section(name: str, port: int, script: Script, threshold: int) -> dict[str, Any]:
    """Return the section of the config for a script's probe."""
    query = urlencode({"name": name, **script.query})
    return probe(
        name,
        f"ws://127.0.0.1:{port}/?{query}",
        "text",
        text={"send": "beat"},
        heartbeat={
            "interval": f"{round(1000 * INTERVAL)}ms",
            "timeout": f"{round(1000 * TIMEOUT)}ms",
        },
        missed_threshold=threshold,
    )


@pytest.mark.parametrize("patience", THRESHOLDS)
@pytest.mark.parametrize("script", SCRIPTS)
class TestNoFigureSaysMoreThanWhatHappened:
    """Each script, once with all patience and once with the default."""

    async def test_it_counts_no_heartbeat_that_was_not_sent(
        self, truth: Truth, script: str, patience: str
    ) -> None:
        view, sendings = look(truth, script, patience)
        assert view.message.sent <= len(sendings)
        # The last ones may have been sent after the scrape.
        assert len(sendings) <= view.message.sent + 3

    async def test_it_counts_no_echo_that_did_not_come_in_time(
        self, truth: Truth, script: str, patience: str
    ) -> None:
        view, sendings = look(truth, script, patience)
        assert view.message.echoed <= sum(sending.in_time for sending in sendings)

    async def test_it_counts_no_late_echo_that_was_not_late(
        self, truth: Truth, script: str, patience: str
    ) -> None:
        view, sendings = look(truth, script, patience)
        assert view.message.late <= sum(sending.too_late for sending in sendings)

    async def test_each_round_trip_is_one_that_a_heartbeat_took(
        self, truth: Truth, script: str, patience: str
    ) -> None:
        """No stretch of the histogram holds more than the heartbeats that fit there (Hall)."""
        view, sendings = look(truth, script, patience)
        rtt = view.message.rtt
        assert rtt.count <= view.message.echoed + view.message.late
        for low, high in combinations([0.0, *BUCKETS, float("inf")], 2):
            fitting = sum(sending.could_take(low, high) for sending in sendings)
            assert rtt.within(low, high) <= fitting, f"RTTs from {low} to {high} s: {told(rtt)}"

    async def test_their_sum_is_one_that_heartbeats_took(
        self, truth: Truth, script: str, patience: str
    ) -> None:
        view, sendings = look(truth, script, patience)
        rtt = view.message.rtt
        shortest = sorted(min(sending.took) for sending in sendings if sending.took)
        longest = sorted((max(s.took) for s in sendings if s.took), reverse=True)
        count = int(rtt.count)
        assert sum(shortest[:count]) <= rtt.sum + 0.001 * count
        assert rtt.sum <= sum(longest[:count]) + TOLERANCE * count

    async def test_it_says_what_can_be_said(self, truth: Truth, script: str, patience: str) -> None:
        """A monitor that counts nothing tells no lie, and is no use."""
        view, _ = look(truth, script, patience)
        expected = SCRIPTS[script]
        message = view.message
        assert message.missed >= expected.missed, str(view)
        assert (message.missed > 0) is (expected.missed > 0), str(view)
        assert (message.unsolicited > 0) is expected.unsolicited, str(view)
        if patience == "patient":
            assert message.echoed >= expected.echoed, str(view)
            assert message.late > 0 or not expected.late, str(view)
            assert set(view.disconnects) <= {("local", "1000")}, str(view)


def look(truth: Truth, script: str, patience: str) -> tuple[ProbeView, list[Sending]]:
    """Return a script's figures and its records."""
    return truth.scrape.probe(name(script, patience)), truth.sendings[name(script, patience)]


def told(rtt: Histogram) -> dict[float, int]:
    """Return what a histogram holds, without its empty buckets."""
    bounds = [0.0, *BUCKETS, float("inf")]
    counts = {high: int(rtt.within(low, high)) for low, high in pairwise(bounds)}
    return {high: count for high, count in counts.items() if count}
