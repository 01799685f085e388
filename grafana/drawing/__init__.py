"""Draws what each panel would show, from a real Prometheus: a look at the dashboards, no Grafana.

It reads the same files as Grafana does and imitates the panels that we use, roughly. It shows what
the queries return, how legends read and what colours thresholds give; it is no proof of how Grafana
draws them.
"""
