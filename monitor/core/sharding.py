"""Which monitors watch which probe, where several share the work: rendezvous hashing.

Every shard has a weight for every probe, and the shards with the largest weights watch it (Thaler
and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
Networking 6(1), 1998). A weight depends on the probe's name and the shard's number alone. So each
shard decides for itself and all agree, and a shard that comes or goes moves no probe between two
others.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from dataclasses import dataclass


def shards_of(name: str, count: int, replication: int) -> list[int]:
    """Return which of `count` shards watch a probe: `replication` of them, or all if that is fewer.

    The one with the largest weight comes first.
    """
    # One digest of any length, of which a longer one only goes on: the weight of a shard is the
    # same however many there are. 64 bits each, so that equal ones need no thought.
    digest = hashlib.shake_128(name.encode()).digest(8 * count)
    weights = struct.unpack(f">{count}Q", digest)
    return heapq.nlargest(replication, range(count), key=weights.__getitem__)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` monitors that share the probes, each of which `replication` of them watch.

    `index` counts from 0. One beyond the last is a surplus shard. It watches what it would if it
    were the last, and so at least what it watched when there were more: nothing is let go before
    those that stay have been told that it is theirs.
    """

    index: int = 0
    count: int = 1
    replication: int = 1

    @property
    def is_surplus(self) -> bool:
        """Whether the others watch everything already."""
        return self.index >= self.count

    def watches(self, name: str) -> bool:
        """Whether this shard watches a probe."""
        return self.index in shards_of(name, max(self.count, self.index + 1), self.replication)


ALONE = Shard()
"""The only shard there is."""
