"""Prometheus families: what they are, where their values live, how a scrape is rendered."""
