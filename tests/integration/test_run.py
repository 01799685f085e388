"""The program as a whole: start, signals, reload, exit codes."""

from tests.integration.harness import Lab, talo_probe


async def test_a_healthy_target_is_echoed(lab: Lab) -> None:
    """The harness and the program work together."""
    target = await lab.target()
    monitor = await lab.monitor([talo_probe("a", target.url, interval="250ms", timeout="200ms")])
    scrape = await monitor.until(lambda scrape: scrape.probe("a").message.echoed > 3)
    assert scrape.probe("a").message.missed == 0
    more = (await lab.targets(3, tick_period=1.0))[1]
    assert (await more.counters())["connections_total"] == 0
