"""ws-monitor: long-lived WebSocket connections, watched by their heartbeats."""

__version__ = "0.1.0"
