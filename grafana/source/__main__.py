"""Write the dashboards: `python -m grafana.source`."""

import sys

from grafana.source import write

for path in write():
    sys.stdout.write(f"{path}\n")
