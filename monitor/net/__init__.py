"""The network: dialling in phases, kernel time stamps, and the one home of `websockets`."""
