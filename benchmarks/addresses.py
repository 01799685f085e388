"""Loopback addresses: all of 127.0.0.0/8 is this machine.

Where each connection has an address of its own, a packet tells which connection it is of, and the
client's port numbers do not run out.
"""


def address(number: int) -> str:
    """Return the loopback address for a number below 62,500."""
    return f"127.1.{number // 250}.{number % 250 + 1}"
