"""A stamp's age is told truly, whatever else the machine does while the clocks are read."""

import socket
import struct
from types import SimpleNamespace

import pytest

from monitor.net import kernel_stamps
from monitor.net.kernel_stamps import Clocks

WALL = 1_700_000_000
STAMPED = 10.0
"""The monotonic second of every stamp here."""

HELD = 0.005
"""Seconds for which the machine may do something else between two readings of a clock."""

PAYLOAD = struct.pack("6q", WALL + int(STAMPED), 0, 0, 0, 0, 0)
STAMP = (socket.SOL_SOCKET, kernel_stamps.SO_TIMESTAMPING, PAYLOAD)


class Machine:
    """Takes a tenth of a microsecond for each reading, and longer before those that are named."""

    def __init__(self, *held_up: int) -> None:
        self.readings = 0
        self.set_ahead = 0
        self._held_up = held_up
        self._now = STAMPED + 1

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return self._read()

    def time_ns(self) -> int:
        """Return nanoseconds of Unix time: the same clock, with another beginning."""
        return (WALL + self.set_ahead) * 1_000_000_000 + round(self._read() * 1e9)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def _read(self) -> float:
        self._now += HELD if self.readings in self._held_up else 1e-7
        self.readings += 1
        return self._now


def use(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Return what reads stamps by the clocks of this machine."""
    fake = SimpleNamespace(monotonic=machine.monotonic, time_ns=machine.time_ns)
    monkeypatch.setattr(kernel_stamps, "time", fake)
    return Clocks()


@pytest.mark.parametrize("held_up", [(), (0,), (1,), (2,), (3,), (2, 6)])
def test_what_came_between_the_readings_is_not_taken_for_age(
    monkeypatch: pytest.MonkeyPatch, held_up: tuple[int, ...]
) -> None:
    """They are taken again."""
    stamped, now = use(Machine(*held_up), monkeypatch).read([STAMP])
    assert stamped == pytest.approx(STAMPED, abs=1e-6)
    assert now > STAMPED + 1


def test_a_machine_that_is_never_quick_enough_is_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its times are as good as they get."""
    machine = Machine(*range(100))
    stamped, _ = use(machine, monkeypatch).read([STAMP])
    assert machine.readings == 1 + 9
    assert stamped == pytest.approx(STAMPED + HELD)


def test_what_was_found_out_of_the_clocks_is_believed_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After that the wall clock may have been set."""
    machine = Machine()
    clocks = use(machine, monkeypatch)
    clocks.read([STAMP])
    machine.set_ahead = 3600
    machine.readings = 0
    stamped, _ = clocks.read([STAMP])
    assert (machine.readings, stamped) == (1, pytest.approx(STAMPED, abs=1e-6))
    machine.go_on(0.0011)
    stamped, _ = clocks.read([STAMP])
    assert (machine.readings, stamped) == (5, pytest.approx(STAMPED - 3600, abs=1e-6))


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        [(socket.SOL_SOCKET, 29, PAYLOAD)],
        [(socket.IPPROTO_TCP, kernel_stamps.SO_TIMESTAMPING, PAYLOAD)],
    ],
)
def test_without_a_stamp_only_now_is_told(
    monkeypatch: pytest.MonkeyPatch, ancillary: kernel_stamps.Ancillary
) -> None:
    """Other messages of the kernel are none."""
    clocks = use(Machine(), monkeypatch)
    assert clocks.read(ancillary) == (None, pytest.approx(STAMPED + 1, abs=1e-6))
