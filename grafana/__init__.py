"""Grafana dashboards: `source` builds them, `queries` lists what they ask, `drawing` draws them.

`dashboards/` has the files that Grafana reads. They are made by `python -m grafana.source` and
committed, so that nobody needs Python to install them.
"""
