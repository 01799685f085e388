"""The place of this monitor among others: its shard and its vantage, from command and environment.

They differ from pod to pod, so they are not in the config, which all pods share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from monitor.config.labels import LabelValue
from monitor.core.sharding import ALONE, Shard

ORDINAL = "WS_MONITOR_POD_INDEX"
"""The variable with the pod's ordinal; without it, the host's name ends in it."""

MOST_SHARDS = 1000

_SHARD = re.compile(r"(?P<index>[0-9]{1,9}|auto)/(?P<count>[0-9]{1,9})")
_VANTAGE: TypeAdapter[str] = TypeAdapter(LabelValue)


class PlaceError(ValueError):
    """A place that makes no sense; the text is one line that says which option and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which shard this monitor is, and where it stands; an empty vantage is none."""

    shard: Shard = ALONE
    vantage: str = ""

    @property
    def labels(self) -> Mapping[str, str]:
        """What every probe's series get on top of the config's labels."""
        return {"vantage": self.vantage} if self.vantage else {}


NOWHERE = Place()
"""A monitor alone, which does not say where it stands."""


def read_place(
    shard: str,
    replication: str,
    vantage: str,
    *,
    environ: Mapping[str, str],
    hostname: Callable[[], str],
) -> Place:
    """Return the place that three options name, each as it was written.

    Args:
        shard: NUMBER/COUNT, or auto/COUNT for the ordinal of a pod.
        replication: how many shards watch each probe.
        vantage: the value of the label `vantage`, or nothing.
        environ: where the ordinal may be.
        hostname: the host's name, which may end in the ordinal.

    Raises:
        PlaceError: one of them makes no sense.
    """
    index, count = _index_and_count(shard, environ, hostname)
    return Place(Shard(index, count, _replication(replication)), _vantage(vantage))


def _index_and_count(
    text: str, environ: Mapping[str, str], hostname: Callable[[], str]
) -> tuple[int, int]:
    match = _SHARD.fullmatch(text)
    if match is None:
        raise PlaceError(
            f'--shard: "{text}": write NUMBER/COUNT, such as 0/3, or auto/3 in a StatefulSet'
        )
    count = int(match["count"])
    if not 1 <= count <= MOST_SHARDS:
        raise PlaceError(f'--shard: "{text}": there can be 1 to {MOST_SHARDS} shards')
    if match["index"] == "auto":
        # May be beyond the last: while their number goes down, the pods that are to go are left.
        return _ordinal(environ, hostname), count
    index = int(match["index"])
    if index >= count:
        raise PlaceError(
            f'--shard: "{text}": they count from 0, so the last is {count - 1}/{count}'
        )
    return index, count


def _ordinal(environ: Mapping[str, str], hostname: Callable[[], str]) -> int:
    given = environ.get(ORDINAL, "")
    where, text = (ORDINAL, given) if given else ("the host's name", hostname().partition(".")[0])
    match = re.search(r"(?:^|-)([0-9]{1,4})$", text)
    if match is None or int(match[1]) >= MOST_SHARDS or (given and match[1] != given):
        raise PlaceError(
            f'--shard: auto needs the pod\'s ordinal, and {where} is "{text}"; '
            f"run a StatefulSet, set {ORDINAL}, or write NUMBER/COUNT"
        )
    return int(match[1])


def _replication(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_SHARDS:
        raise PlaceError(f'--replication: "{text}": write how many shards watch a probe, 1 or more')
    return int(text)


def _vantage(text: str) -> str:
    if not text:
        return ""
    try:
        return _VANTAGE.validate_python(text)
    except ValidationError as error:
        raise PlaceError(f"--vantage: {error.errors()[0]['msg']}") from None
