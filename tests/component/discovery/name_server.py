"""A small name server on loopback, over UDP and TCP, that says what it is told to say."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer:
    """Answers for the names in `records`; any other does not exist.

    Attributes:
        records: the data of each name and type, as in a zone file.
        rcode: if set, every answer is this code and nothing else.
        silent: names that get no answer.
        truncated: whether answers over UDP are cut short, so that TCP has to be used.
        asked: the transport and the name of each question.
    """

    port: int = 0
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    rcode: dns.rcode.Rcode | None = None
    silent: set[str] = field(default_factory=set)
    truncated: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it listens, as the config has it."""
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """Return the answer to a question, or nothing."""
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((transport, name))
        if name in self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if self.rcode is not None:
            response.set_rcode(self.rcode)
        elif self.truncated and transport == "udp":
            response.flags |= dns.flags.TC
        elif (name, kind) in self.records:
            if found := self.records[name, kind]:
                response.answer.append(dns.rrset.from_text(question.name, 5, "IN", kind, *found))
        elif not any(name == known for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)


def _a_port_of_both_kinds() -> tuple[socket.socket, socket.socket]:
    """Return a TCP and a UDP socket of one number; another program may have half of it."""
    while True:
        streams = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(streams.getsockname())
        except OSError:
            streams.close()
            datagrams.close()
        else:
            return streams, datagrams


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """Run a name server that knows no name yet, in the running loop."""
    server = NameServer()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = server.answer(await reader.readexactly(length), "tcp") or b""
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        finally:
            writer.close()

    streams, datagrams = _a_port_of_both_kinds()
    server.port = streams.getsockname()[1]
    listener = await asyncio.start_server(stream, sock=streams)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(server), sock=datagrams
    )
    try:
        yield server
    finally:
        transport.close()
        listener.close()
        await listener.wait_closed()
