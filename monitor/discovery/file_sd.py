"""Targets from files: the JSON and YAML of Prometheus' file_sd."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from monitor.discovery.source import Answer, Failed, LookFailedError, Targets
from monitor.discovery.target_groups import FormatError, read_json, read_yaml
from monitor.net.threads import in_daemon

T = TypeVar("T")

MOST_BYTES = 16 * 1024 * 1024
"""A larger file is refused."""

FileState = tuple[int, int, int]
"""Changes when a file is written or another one takes its place, also behind a symbolic link."""


class FileSource:
    """Reads files, and those that fit a pattern; each is a part of its own."""

    def __init__(self, patterns: Iterable[Path]) -> None:
        self._patterns = tuple(patterns)
        self._matched: dict[Path, list[Path]] = {}
        self._seen: dict[Path, FileState | None] = {}
        self._busy = threading.Lock()

    async def look(self) -> Answer:
        """Read every file. One that cannot be used keeps what it said last.

        Raises:
            LookFailedError: the look before has not ended yet.
        """
        return await self._in_thread(self._read_all)

    async def stirred(self) -> bool:
        """Tell whether a file was changed, added or removed."""
        return await self._in_thread(self._states) != self._seen

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Have files looked at; a file system that hangs gets one thread and no more."""
        if self._busy.locked():
            raise LookFailedError("its files are still being read")

        def alone() -> T:
            with self._busy:
                return call()

        return await in_daemon("discovery files", alone)

    def _read_all(self) -> Answer:
        self._seen = self._states()  # first: what changes while it is read is read again
        return {str(path): _read(path) for path in self._seen}

    def _states(self) -> dict[Path, FileState | None]:
        return {path: _state(path) for pattern in self._patterns for path in self._files(pattern)}

    def _files(self, pattern: Path) -> list[Path]:
        """Return the files of a pattern; while its directory cannot be read, those it had."""
        if "*" not in pattern.name:
            return [pattern]
        try:
            self._matched[pattern] = sorted(_matching(pattern))
        except OSError:
            # The pattern itself stands for what is wrong; there is no file of that name.
            return [pattern, *self._matched.get(pattern, [])]
        return self._matched[pattern]


def _matching(pattern: Path) -> Iterator[Path]:
    before, _, after = pattern.name.partition("*")
    for entry in os.scandir(pattern.parent):
        name = entry.name
        if len(name) >= len(before + after) and name.startswith(before) and name.endswith(after):
            yield pattern.parent / name


def _state(path: Path) -> FileState | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> Targets | Failed:
    try:
        body = _content(path)
        read = read_json if path.suffix.lower() == ".json" else read_yaml
        return read(body, {"__meta_filepath": str(path)})
    except OSError as error:
        return Failed(f"{path}: {(error.strerror or 'cannot be read').lower()}")
    except FormatError as error:
        return Failed(f"{path}: {error}")


def _content(path: Path) -> bytes:
    # Opening a pipe would wait for somebody who writes into it.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise FormatError("not a regular file")
        body = stream.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise FormatError(f"larger than {MOST_BYTES // 1024 // 1024} MiB")
    return body
