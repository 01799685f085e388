"""Sources that name targets, and the probes that are made of them."""
