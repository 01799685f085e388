"""A target to practise on: a server that speaks Talo's socket protocol and fails on command.

It is faithful where a monitor could tell the difference (docs/target.md lists what is not), and it
knows nothing of the monitor: no config, no metrics, no probes. The decisions are pure modules that
are told the time (`admission`, `conversation`, `credentials`, `envelope`, `faults`,
`fault_json`, `frames`, `ratelimit`, `tickets`); the sockets are in `listener`, `connection`,
`endpoints`, `server` and `control`.
"""

from monitor.target.counters import Counters
from monitor.target.fault_json import FaultError, parse_faults
from monitor.target.faults import CloseFrame, Faults, Rejection
from monitor.target.server import Target, serve_until
from monitor.target.settings import TargetSettings

__all__ = [
    "CloseFrame",
    "Counters",
    "FaultError",
    "Faults",
    "Rejection",
    "Target",
    "TargetSettings",
    "parse_faults",
    "serve_until",
]
