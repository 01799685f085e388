"""The tests. A package, so that they can share code and no other `tests` stands in the way."""
