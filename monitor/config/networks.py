"""Networks of addresses, and those that discovered probes keep off."""

import ipaddress
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.config.values import kind_of, refuse
from monitor.core.deny_list import Network

_NOTATION = "write a network like 10.0.0.0/8 or fd00::/8"


class NetworkValue:
    """For a field that takes a network or one address, written as text."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read, serialization=core_schema.to_string_ser_schema()
        )

    def _read(self, value: object) -> Network:
        if not isinstance(value, str):
            raise refuse(f"expected a network in quotes, found {kind_of(value)}: {_NOTATION}")
        try:
            return ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise refuse(f"not a network: {_NOTATION}") from None

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}


METADATA_AND_LOCAL: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "169.254.0.0/16",
            "fe80::/10",
            "127.0.0.0/8",
            "::1/128",
            "0.0.0.0/8",
            "::/128",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
        ),
    )
)
"""What discovered probes keep off unless the config says otherwise.

Link-local addresses, where most clouds have their metadata service; this machine itself; and the
metadata services that live elsewhere: AWS and Google over IPv6, Alibaba, Azure, Oracle.
"""
