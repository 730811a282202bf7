"""Figures of the shell scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .source import Place, tracked

#: Readers that end before their input does. Their writer dies of SIGPIPE whenever it has not written all by then, which
#: is a matter of luck, and under `pipefail` the whole pipe has failed then.
_EARLY = re.compile(
    r"(?<!\|)\|&?\s*(?:LC_ALL=\S+\s+)?(?:"
    r"(?:e|f|z)?grep\s+(?:-\S+\s+)*(?:-\w*[qlm]|--quiet|--silent|--max-count|--files-with-matches)"
    r"|head\b"
    r"|sed\s[^|]*?(?:\d|/|\$|;|\{|'|\s)q\b"
    r"|awk\s[^|]*\bexit\b"
    r"|read\b"
    r")"
)


def early_readers(under: Path) -> list[Place]:
    """The pipes of scripts with `pipefail` whose reader may end before its writer."""
    return [place for path in _scripts(under) for place in early_readers_of(path, path.read_text())]


def early_readers_of(path: Path, text: str) -> Iterator[Place]:
    """The same of one script."""
    code = "\n".join("" if line.lstrip().startswith("#") else line for line in text.splitlines())
    # A command may go on in the next line: after a backslash, or after its pipe.
    joined = re.sub(r"\\\n|(?<=\|)\n", lambda gap: " " * (len(gap[0]) - 1) + "\v", code)
    for number, line in enumerate(joined.split("\n"), start=1):
        for found in _EARLY.finditer(line):
            above = joined.split("\n")[: number - 1]
            at = 1 + sum(1 + text.count("\v") for text in above) + line[: found.end()].count("\v")
            yield Place(path, at, found[0].replace("\v", " ").strip())


def _scripts(under: Path) -> Iterator[Path]:
    """Every shell script that has `pipefail`, or is read by those that have."""
    for path in tracked():
        if (path == under or under in path.parents) and path.suffix in ("", ".sh"):
            text = path.read_bytes()
            if b"pipefail" in text or (b"shellcheck shell=" in text):
                yield path
