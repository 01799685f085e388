"""docs/operations.md tells people by which log line they know a trouble: each is provoked here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.harness import (
    WS_MONITOR,
    Lab,
    Monitor,
    Scrape,
    TargetHandle,
    free_ports,
    talo_probe,
)
from tests.integration.harness.program import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
CHAPTER = PAGE.partition("\n## Troubleshooting")[2].partition("\n## ")[0]

Provoke = Callable[[Monitor, TargetHandle], Awaitable[object]]


def quoted() -> dict[str, list[dict[str, Any]]]:
    """The log lines under each heading of the chapter, without what differs each time."""
    found = {}
    for section in CHAPTER.split("\n### ")[1:]:
        heading, _, text = section.partition("\n")
        blocks = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [json.loads(line) for block in blocks for line in block.splitlines()]
        if lines:
            found[heading] = lines
    return found


def growing(heading: str) -> tuple[str, dict[str, str]] | None:
    """The counter that grows, as the page says under a heading, and its labels."""
    section = CHAPTER.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    found = re.search(r"^Grows: `(\w+)\{(.*)\}`\.$", section, re.MULTILINE)
    return (found[1], dict(re.findall(r'(\w+)="(\w+)"', found[2]))) if found else None


def faults(**those: object) -> Provoke:
    """Turn faults of the target on."""
    return lambda _, target: target.put(**those)


def action(name: str, **parameters: object) -> Provoke:
    """Have the target act once."""
    return lambda _, target: target.act(name, **parameters)


def then(*steps: Provoke) -> Provoke:
    """Do one thing after the other."""

    async def provoke(monitor: Monitor, target: TargetHandle) -> None:
        for step in steps:
            await step(monitor, target)

    return provoke


async def refused_config(monitor: Monitor, _: TargetHandle) -> None:
    """Have a config read that is wrong."""
    good = json.loads(monitor.config.read_text())
    await monitor.reload("probes:\n  - nmae: game\n", accepted=False)
    monitor.config.write_text(json.dumps(good))


def changed(**sections: object) -> Provoke:
    """Have a config read with other sections."""

    async def provoke(monitor: Monitor, _: TargetHandle) -> None:
        await monitor.reload({**json.loads(monitor.config.read_text()), **sections})

    return provoke


def discovered(source: str, targets: object = None) -> Provoke:
    """Have targets discovered from a file, which is not there unless it is given."""
    template = {"name": "room-{label.room}", "url": "ws://{address}/", "protocol": "ping"}
    section = {"name": source, "file_sd": {"files": [f"{source}.json"]}, "probe": template}

    async def provoke(monitor: Monitor, target: TargetHandle) -> None:
        if targets is not None:
            (monitor.config.parent / f"{source}.json").write_text(json.dumps(targets))
        await changed(discovery=[section])(monitor, target)

    return provoke


async def standstill(monitor: Monitor, _: TargetHandle) -> None:
    """Keep the monitor from running for a while."""
    monitor.pause()
    time.sleep(2)  # noqa: ASYNC251 - as nothing runs on a machine that stands still
    monitor.resume()


@dataclass(frozen=True)
class Trouble:
    """How a trouble is provoked.

    Attributes:
        provoke: what is done to a monitor whose probe is up; None if it never comes up.
        probe: what its probe has instead of what others have; None takes a key away.
    """

    provoke: Provoke | None
    probe: dict[str, Any] = field(default_factory=dict)


WONT_START = "It does not start"

OFTEN = {
    "ping": {"interval": "300ms", "timeout": "250ms"},
    "timeouts": {"ready": "2s", "ticket": "2s"},
}

NOWHERE = {
    "url": f"ws://127.0.0.1:{free_ports(1)[0]}/",
    "protocol": "ping",
    "ticket": None,
    "heartbeat": None,
}
"""A probe of a port where nothing listens, which asks for no ticket first."""

TROUBLES = {
    "Nothing listens": Trouble(None, NOWHERE),
    "No ticket": Trouble(then(faults(ticket_status=401), action("abort"))),
    "A secret is missing": Trouble(None, {"ticket": {"api_key": {"file": "not-there"}}}),
    "The upgrade is refused": Trouble(then(faults(reject_upgrade=503), action("abort"))),
    "Connected, but never ready": Trouble(then(faults(never_connected=True), action("abort"))),
    "Messages are not answered, pings are": Trouble(faults(stall_messages=True)),
    "Nothing is answered": Trouble(faults(freeze=True)),
    "Echoes come too late": Trouble(faults(delay=0.4), {"missed_threshold": 100}),
    "The server closes": Trouble(action("close", code=1012, reason="restart")),
    "The connection breaks": Trouble(action("reset")),
    "The peer complains": Trouble(faults(rate_points=1)),
}
"""Each has a probe and a target of its own."""

OWN_TROUBLES: dict[str, Provoke] = {
    "A new config is not taken": refused_config,
    "A part of the config takes a restart": changed(log={"format": "json", "level": "debug"}),
    "A source of targets fails": discovered("cmdb"),
    "A discovered target is left out": discovered("rooms", [{"targets": ["192.0.2.1:80"]}]),
    "The monitor itself is late": standstill,
}


def name_of(heading: str) -> str:
    """The name of the probe that has this trouble."""
    return re.sub(r"\W+", "-", heading.lower())


def section_of(heading: str, url: str) -> dict[str, Any]:
    """The section of the probe that has this trouble."""
    section = {**talo_probe(name_of(heading), url, **OFTEN), **TROUBLES[heading].probe}
    return {key: value for key, value in section.items() if value is not None}


async def told(monitor: Monitor, heading: str, **those: str) -> None:
    """Wait for the log lines that the page quotes, with these fields as well."""
    for quote in quoted()[heading]:
        await monitor.until_logged(**{**quote, **those})


async def grown(monitor: Monitor, heading: str, probe: str) -> None:
    """Wait until the counter that the page names has grown for a probe."""
    if found := growing(heading):
        name, labels = found
        if name.startswith("ws_probe_"):
            labels["probe"] = probe

        def has_grown(scrape: Scrape) -> bool:
            return (scrape.find(name, **labels) or 0) > 0

        await monitor.until(has_grown, what=f"{heading}: {name}")


class TestTheChapter:
    """The lines that it quotes are written, and the counters grow that it says grow."""

    def test_each_trouble_with_a_log_line_is_provoked_here(self) -> None:
        assert list(quoted()) == [*TROUBLES, *OWN_TROUBLES, WONT_START]

    async def test_each_shows_as_the_page_says(self, lab: Lab) -> None:
        targets = dict(zip(TROUBLES, await lab.targets(len(TROUBLES)), strict=True))
        monitor = await lab.monitor([section_of(each, at.url) for each, at in targets.items()])
        begin = [heading for heading, trouble in TROUBLES.items() if trouble.provoke is not None]

        def all_beat(scrape: Scrape) -> bool:
            return all(scrape.probe(name_of(each)).ping.echoed > 1 for each in begin)

        await monitor.until(all_beat, what="the probes beat")
        for heading in begin:
            await TROUBLES[heading].provoke(monitor, targets[heading])
        for heading in TROUBLES:
            await told(monitor, heading, probe=name_of(heading))
            await grown(monitor, heading, name_of(heading))
        for heading, provoke in OWN_TROUBLES.items():
            await provoke(monitor, targets["The server closes"])
            await told(monitor, heading)
            await grown(monitor, heading, name_of("The server closes"))

    async def test_a_monitor_that_cannot_start_says_so(self, lab: Lab) -> None:
        first = await lab.monitor([])
        taken = {"web": {"listen": f"127.0.0.1:{first.port}"}, "log": {"format": "json"}}
        second = lab.program(WS_MONITOR, "run", "--config", str(lab.write(taken)))
        assert await second.wait() == 3
        (quote,) = quoted()[WONT_START]
        assert quote.items() <= json.loads(second.err).items()
