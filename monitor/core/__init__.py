"""The pure core: heartbeat accounting, lifecycle, backoff.

Nothing here does I/O or reads a clock. Time is an argument, in monotonic seconds; chance is an
argument too. What happened comes back as events, small frozen dataclasses.
"""
