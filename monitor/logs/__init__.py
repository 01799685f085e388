"""The log: how a line looks, and which events make one."""
