"""A fire drill: real faults, a real Prometheus and Alertmanager, and what arrives at a receiver.

The target of `monitor.target` is broken in each way it knows while the real monitor watches it.
Rules are those of `deploy/prometheus`, unchanged; so is the routing, but for who is told and for
waits of over five seconds. `python -m drill` prints what arrived when, and writes docs/drill.md.

It does not test rules in detail (tests/rules does, with promtool). It uses nothing but loopback,
unless it is told to try a receiver elsewhere.
"""
