"""`python -m monitor` is `ws-monitor`."""

from monitor.cli import main

main()
