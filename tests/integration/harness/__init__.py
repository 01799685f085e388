"""Real processes to test with: the monitor, targets, and what they say about themselves.

A test asks the fixture `lab` for processes, and the lab ends them. Everything listens on a free
port of 127.0.0.1, and every wait has a generous limit::

    async def test_a_healthy_target_is_echoed(lab: Lab) -> None:
        target = await lab.target()
        monitor = await lab.monitor([talo_probe("a", target.url, interval="250ms")])
        scrape = await monitor.until(lambda scrape: scrape.probe("a").message.echoed > 3)
        assert scrape.probe("a").message.missed == 0

What there is:

- `lab.monitor(probes, **sections)` starts `ws-monitor run` with a config of these probes. The
  sections go on top of `web` and `log`, which it fills in itself. `lab.monitor_from(file)`
  takes a config file as it is.
- `Monitor.scrape()` reads `/metrics`. **Every scrape checks the books** of every probe: `sent =
  echoed + missed + aborted + in flight`, and `sent + skipped` follows the schedule. A test need
  not repeat that. `Monitor.until(check)` scrapes until `check` is true of a scrape.
- `Monitor.log()` gives the log lines as dictionaries, `Monitor.lines(message, **fields)` those
  that match. `Monitor.signal`, `pause`, `resume`, `wait` act on the process.
- `lab.target()` starts `ws-monitor target`; `lab.targets(count, **settings)` starts many targets
  in one process, with settings that the command does not have (`ticket_points`, `tick_period`).
  `TargetHandle.put(**faults)`, `heal()`, `act(name, **parameters)` and `counters()` speak to its
  control endpoint.
- `lab.program(*command)` starts anything else, `lab.module(name, *arguments)` a Python module, like
  `harness.scripted_server`, which echoes by a script and writes down what it did.
- `talo_probe` and `probe` write a probe's section of the config.
- `movements.movements(before, after)` says which of a probe's counters moved, and how far.
- `free_ports(count)` is for programs that must be told their ports.
- `wait_until(check)` waits for anything else, by polling.
- `watching(monitor)` scrapes in the background; `Watch.until(check)` is for many waits at once on
  one monitor.

At its end the lab sees that no monitor logged a traceback or a bug of its own. When a test fails,
its report has the last lines of each process. A module whose tests share processes makes its own
`Lab(directory)` in a fixture and calls `close` at the end.
"""

from tests.integration.harness.lab import Lab
from tests.integration.harness.metrics import BeatView, Histogram, ProbeView, Scrape
from tests.integration.harness.monitor import Monitor, config_of, probe, talo_probe
from tests.integration.harness.ports import free_ports
from tests.integration.harness.program import WS_MONITOR, Program
from tests.integration.harness.targets import TargetHandle
from tests.integration.harness.waiting import PATIENCE, wait_until
from tests.integration.harness.watch import Watch, watching

__all__ = [
    "PATIENCE",
    "WS_MONITOR",
    "BeatView",
    "Histogram",
    "Lab",
    "Monitor",
    "ProbeView",
    "Program",
    "Scrape",
    "TargetHandle",
    "Watch",
    "config_of",
    "free_ports",
    "probe",
    "talo_probe",
    "wait_until",
    "watching",
]
