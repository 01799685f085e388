"""The config: its schema, loading it, secrets, and showing it redacted.

The one home of YAML.  Nothing else in the monitor reads a config file or a secret.
"""

from monitor.config.discovered import make_probe
from monitor.config.discovery import DiscoverySource, DnsSd, FileSd, HttpSd
from monitor.config.document import read_yaml_as_text
from monitor.config.json_schema import json_schema
from monitor.config.loading import load_config, parse_config
from monitor.config.placeholders import DiscoveredTarget, Unfit, target_with
from monitor.config.probe import (
    Beat,
    DiscoveredProbe,
    Heartbeat,
    Mode,
    Ping,
    ProbeConfig,
    Protocol,
    Reconnect,
    Ticket,
    Timeouts,
    Tls,
)
from monitor.config.problems import ConfigError, Problem
from monitor.config.redaction import redacted, redacted_text
from monitor.config.schema import (
    Config,
    Connect,
    EmbeddedTarget,
    Log,
    Metrics,
    TicketBudget,
    Web,
)
from monitor.config.secret import Inline, Secret, SecretUnavailable
from monitor.config.template import Template
from monitor.config.text import Text
from monitor.config.urls import endpoint_of
from monitor.config.values import ListenAddress, format_duration, parse_duration
from monitor.config.watch import FileWatch
from monitor.config.web_config import TlsServer, Unusable, WebConfig, load_web_config

__all__ = [
    "Beat",
    "Config",
    "ConfigError",
    "Connect",
    "DiscoveredProbe",
    "DiscoveredTarget",
    "DiscoverySource",
    "DnsSd",
    "EmbeddedTarget",
    "FileSd",
    "FileWatch",
    "Heartbeat",
    "HttpSd",
    "Inline",
    "ListenAddress",
    "Log",
    "Metrics",
    "Mode",
    "Ping",
    "ProbeConfig",
    "Problem",
    "Protocol",
    "Reconnect",
    "Secret",
    "SecretUnavailable",
    "Template",
    "Text",
    "Ticket",
    "TicketBudget",
    "Timeouts",
    "Tls",
    "TlsServer",
    "Unfit",
    "Unusable",
    "Web",
    "WebConfig",
    "endpoint_of",
    "format_duration",
    "json_schema",
    "load_config",
    "load_web_config",
    "make_probe",
    "parse_config",
    "parse_duration",
    "read_yaml_as_text",
    "redacted",
    "redacted_text",
    "target_with",
]
