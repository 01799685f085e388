"""Watching: one probe's life, the fleet of them, and what makes them beat."""
