"""The kernel's view of a TCP connection (`TCP_INFO`, tcp(7))."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

# struct tcp_info of linux/tcp.h: eight bytes of small fields, then 32-bit counters.
_RTT = struct.Struct("68xI")
_TOTAL_RETRANSMITS = struct.Struct("100xI")


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Smoothed round-trip time in seconds, and segments sent again since the connection opened."""

    rtt: float
    retransmits: int


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Ask the kernel; None where it does not say."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, option, _TOTAL_RETRANSMITS.size)
    except OSError:
        return None
    if len(raw) < _TOTAL_RETRANSMITS.size:
        return None
    return TcpInfo(_RTT.unpack_from(raw)[0] / 1e6, _TOTAL_RETRANSMITS.unpack_from(raw)[0])
