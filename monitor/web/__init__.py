"""What the monitor serves over HTTP: metrics, its own health, pages for people."""
