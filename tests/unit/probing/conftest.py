"""Here time is virtual: no test waits."""

from tests.unit.net.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories() -> dict[str, type[VirtualLoop]]:
    """Run every test on a loop with a clock of its own."""
    return {"virtual": VirtualLoop}
