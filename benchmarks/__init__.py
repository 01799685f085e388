"""Benchmarks: the real program as its own process, against the best witness there is."""
