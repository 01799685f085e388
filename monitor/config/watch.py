"""Noticing that a file's content has changed and come to rest, whatever took its place and how.

Looked at again and again, and told by what the path leads to: an editor that writes in place, one
that renames, and Kubernetes, which swaps the link `..data` that a ConfigMap's files hang from, all
end in another file or another time there. The content decides, so a file that was only touched, or
that says what it said when it was last read, has not changed.
"""

import hashlib
import os
from pathlib import Path

_Stamp = tuple[int, int, int, int, int]
"""Tells a file from another one in its place, and from itself before somebody wrote to it."""


class FileWatch:
    """Watches one file. May be used from one thread after another.

    Args:
        path: the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: bytes | None = None
        self._seen: _Stamp | None = None
        self._restless: _Stamp | None = None
        self.mark()

    def mark(self) -> None:
        """Take what the file says now for known: it is about to be read."""
        self._seen = self._stamp()
        self._known = self._digest()

    def look(self) -> bool:
        """Return whether the file says something else than when it was known.

        Only once it is the same for two looks, since it may be half written; and then only once. A
        file that is not there, or cannot be read, says nothing else.
        """
        stamp = self._stamp()
        before, self._restless = self._restless, stamp
        if stamp in (None, self._seen) or stamp != before:
            return False
        digest = self._digest()
        if digest is None:
            return False
        known, self._known, self._seen = self._known, digest, stamp
        return digest != known

    def _stamp(self) -> _Stamp | None:
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _digest(self) -> bytes | None:
        try:
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").digest()
        except (OSError, ValueError):
            return None
