"""The Dockerfile and its .dockerignore, read as far as the tests need."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile's text."""

    text: str

    @cached_property
    def instructions(self) -> list[tuple[str, str]]:
        """Each instruction's name, and the rest of it with continued lines joined."""
        kept = "\n".join(line for line in self.text.splitlines() if not line.startswith("#"))
        joined = kept.replace("\\\n", " ")
        split = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
        return [(name.upper(), re.sub(r"\s+", " ", rest.strip())) for name, _, rest in split]

    def all(self, name: str) -> list[str]:
        """Every instruction of a name."""
        return [rest for found, rest in self.instructions if found == name]

    def last(self, name: str) -> str:
        """The one that counts: the last of a name."""
        return self.all(name)[-1]

    def command(self, name: str) -> list[str]:
        """The words of an ENTRYPOINT or a CMD in exec form, which takes no shell."""
        words: list[str] = json.loads(self.last(name))
        return words

    @property
    def arguments(self) -> dict[str, str]:
        """The build arguments that have a default."""
        return dict(rest.split("=", 1) for rest in self.all("ARG") if "=" in rest)

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        words = (word for rest in self.all("LABEL") for word in shlex.split(rest))
        return dict(word.split("=", 1) for word in words)

    @property
    def copied(self) -> list[str]:
        """What is copied out of the build context."""
        copies = (shlex.split(rest) for rest in self.all("COPY"))
        return [
            source
            for words in copies
            if not words[0].startswith("--from=")
            for source in words[:-1]
        ]


def in_context(path: str, ignore: str) -> bool:
    """Whether a .dockerignore lets a file into the build context: its last line that fits says."""
    kept = True
    for line in ignore.splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if not pattern or pattern.startswith("#"):
            continue
        parts = Path(path).parts
        whole = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        candidates = [*whole, *parts] if "**/" in line else whole
        if any(fnmatch.fnmatchcase(candidate, pattern) for candidate in candidates):
            kept = line.startswith("!")
    return kept
