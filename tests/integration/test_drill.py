"""The short form of the drill: from a real fault to a webhook, with the rules as shipped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drill import report
from drill.receiver import Receiver
from drill.scenarios import MISSION, PROMISED
from drill.servers import Guests, start_alertmanager
from drill.stage import SHORT_FORM, run, set_stage
from tests.integration.harness import Lab, wait_until


@pytest.fixture
async def receivers() -> AsyncIterator[tuple[Receiver, Receiver]]:
    """Two webhooks of an operator's."""
    both = (Receiver(), Receiver())
    for receiver in both:
        await receiver.start()
    yield both
    for receiver in both:
        await receiver.stop()


async def test_alerts_arrive_in_time_end_in_time_and_no_other_comes(
    tmp_path: Path, lab: Lab, receivers: tuple[Receiver, Receiver]
) -> None:
    """And an operator's own webhook and Alertmanager are told the same."""
    webhook, behind = receivers
    alertmanager = await start_alertmanager(lab, behind.port, Guests())
    guests = Guests(f"http://127.0.0.1:{webhook.port}/", f"http://127.0.0.1:{alertmanager}/")
    directory = tmp_path / "drill"
    directory.mkdir()
    async with set_stage(directory, SHORT_FORM, guests) as stage:
        outcomes = await run(stage)
        assert report.problems(outcomes, SHORT_FORM.interval) == [], report.table(outcomes)
        for receiver in receivers:
            await wait_until(lambda heard=receiver: told_of_mission(heard), what="guests are told")


def told_of_mission(receiver: Receiver) -> bool:
    """Whether a receiver heard the beginning and the end of the mission's alert, as a drill."""
    wanted = {"alertname": PROMISED, "vantage": MISSION.name, "drill": "yes"}
    return any(
        wanted.items() <= episode.labels.items() and episode.ended is not None
        for episode in receiver.episodes()
    )
