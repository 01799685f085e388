"""Targets from the DNS: SRV records, or addresses with one port for all.

The one home of dnspython.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator

from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.rdtypes.IN.SRV import SRV
from dns.resolver import NXDOMAIN, Answer, NoNameservers

from monitor.config import DiscoveredTarget, DnsSd, target_with
from monitor.discovery.source import Answer as Found
from monitor.discovery.source import Failed, LookFailedError, Targets

SHARE = 0.9
"""Of the time that a look may take, what one name gets: the others must not lose their answers."""


class DnsSource:
    """Asks for names; each is a part of its own.

    An answer without records means that nobody is there. A name that does not exist is a failure:
    it is likelier to be misspelt, or its zone broken, than to have lost its last target.
    """

    def __init__(self, dns: DnsSd, timeout: float) -> None:
        self._dns = dns
        self._lifetime = timeout * SHARE

    async def look(self) -> Found:
        """Ask for every name, all at the same time.

        Raises:
            LookFailedError: this machine is not told whom to ask.
        """
        try:
            resolver = self._resolver()
        except DNSException as error:
            raise LookFailedError(_reason(error)) from None
        answers = await asyncio.gather(*(self._ask(resolver, name) for name in self._dns.names))
        return dict(zip(self._dns.names, answers, strict=True))

    async def stirred(self) -> bool:
        """Nothing tells before it is asked."""
        return False

    def _resolver(self) -> Resolver:
        """Return a resolver as the machine is configured now."""
        nameserver = self._dns.nameserver
        resolver = Resolver(configure=nameserver is None)
        if nameserver is not None:
            resolver.nameservers = [nameserver.host]
            resolver.port = nameserver.port
        resolver.lifetime = self._lifetime
        return resolver

    async def _ask(self, resolver: Resolver, name: str) -> Targets | Failed:
        try:
            answer = await resolver.resolve(
                name, self._dns.type, search=True, raise_on_no_answer=False
            )
        except DNSException as error:
            return Failed(f"{name}: {_reason(error)}")
        return tuple(self._targets(name, answer))

    def _targets(self, name: str, answer: Answer) -> Iterator[DiscoveredTarget]:
        for record in answer.rrset or ():
            labels = {"__meta_dns_name": name}
            if isinstance(record, SRV):
                host, port = record.target.to_text(omit_final_dot=True), record.port
                if host == ".":
                    continue  # "decidedly not available at this domain" (RFC 2782)
                labels["__meta_dns_srv_record_target"] = host
                labels["__meta_dns_srv_record_port"] = str(port)
            else:
                host, port = record.address, self._dns.port or 0
            yield target_with(f"{_bracketed(host)}:{port}", labels)


def _bracketed(host: str) -> str:
    return f"[{ipaddress.IPv6Address(host)}]" if ":" in host else host


def _reason(error: DNSException) -> str:
    if isinstance(error, NXDOMAIN):
        return "there is no such name"
    if isinstance(error, Timeout):
        return "no answer from the name server in time"
    if isinstance(error, NoNameservers):
        return "no name server gave an answer that can be used"
    return f"the name server could not be asked ({type(error).__name__})"
