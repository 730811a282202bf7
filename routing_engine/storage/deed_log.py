"""A log whose lines hang together: each holds the hash of the one before, so that whoever changes one is found out.

One file with a line of JSON for each deed, and `head` beside it with the number and hash of the last: without that,
lines cut off at the end would not be missed. Who may write both could write the whole log anew; so each line's number
and hash are written to the engine's log too, which lies elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.logger import Logger
from routing_engine.storage.files import locked, make_folder, open_private, replace_file

#: The service's group may read it: its tools show it.
_MODE, _FOLDER_MODE = 0o640, 0o750
_LONGEST = 300
#: No line is longer: so much of the end of the file has the last one.
_TAIL = 32_768
_LINE = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)
#: What a line says that stands for lines which were old enough to go.
FORGOTTEN = "forgotten"
_UP_TO = re.compile(r"lines 1 to ([0-9]{1,18})\Z", re.ASCII)
_log = Logger()


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done: a line of the log. `who` is "" for somebody who is not known, `hash` is of all before it."""

    number: int
    at: datetime
    who: str
    what: str
    about: str
    revision: str
    address: str
    before: str
    hash: str


@dataclass(frozen=True, slots=True)
class _Link:
    """Where the log has come to: number and hash of a line."""

    number: int = 0
    hash: str = ""


class DeedLog:
    """The log in a folder of its own. Every method raises `OSError`. Several processes may add to it."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder, self._now = folder, now
        self.path, self._head = folder / "log.jsonl", folder / "head"

    def add(self, who: str, what: str, about: str = "", revision: str = "", address: str = "") -> Deed:
        """Add a line; when this returns it survives a power cut."""
        make_folder(self._folder, _FOLDER_MODE)
        with locked(self._folder):
            file = open_private(self.path, _MODE)
            try:
                link = self._cut_torn_line(file)
                deed, line = self._line(link, who, what, about, revision, address)
                os.lseek(file, 0, os.SEEK_END)
                # One write: a reader sees a line whole, or not yet.
                os.write(file, line)
                os.fsync(file)
            finally:
                os.close(file)
            self._point_at(deed)
        _log.info("audit.added", number=deed.number, hash=deed.hash, who=deed.who, what=deed.what, about=deed.about)
        return deed

    def forget(self, before: datetime) -> int:
        """Let the lines go that are older, and say so in a new line; return how many those are."""
        if not self.path.exists():
            return 0
        with locked(self._folder):
            lines = self.path.read_bytes().splitlines(keepends=True)
            old = _count_older(lines, before)
            if old == 0:
                return 0
            read = [deed for line in lines if (deed := _deed_of(line)) is not None]
            last = max([self._linked(), *(_Link(one.number, one.hash) for one in read)], key=lambda one: one.number)
            gone = _deed_of(lines[old - 1])
            upto = gone.number if gone is not None else 0
            deed, line = self._line(last, "engine", FORGOTTEN, f"lines 1 to {upto}", "", "")
            # Whole or not at all: a crash must not look like somebody who has cut lines off.
            replace_file(self.path, b"".join([*lines[old:], line]), _MODE)
            self._point_at(deed)
        return old

    def deeds(self) -> list[Deed]:
        """Return every line that can be read, the oldest first."""
        return [deed for line in self._lines() if (deed := _deed_of(line)) is not None]

    def faults(self) -> list[str]:
        """Return what is wrong, a sentence each: lines that were changed, removed, added or moved."""
        try:
            head = self._head.read_bytes()
        except FileNotFoundError:
            head = b""
        return list(faults_of(self._lines(), head))

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []

    def _line(self, link: _Link, who: str, what: str, about: str, revision: str, address: str) -> tuple[Deed, bytes]:
        at = self._now()
        texts = [text[:_LONGEST] for text in (who, what, about, revision, address)]
        names = ("number", "at", "who", "what", "about", "revision", "address", "before")
        moment = at.astimezone(UTC).isoformat(timespec="milliseconds")
        values = (link.number + 1, moment, *texts, link.hash)
        body = json.dumps(dict(zip(names, values, strict=True)), separators=(",", ":"))
        digest = hashlib.sha256(body.encode()).hexdigest()
        who, what, about, revision, address = texts
        deed = Deed(link.number + 1, at, who, what, about, revision, address, link.hash, digest)
        return deed, f'{body[:-1]},"hash":"{digest}"}}\n'.encode()

    def _cut_torn_line(self, file: int) -> _Link:
        """Return where the log has come to. A line that a crash has torn was never there: its deed was not answered."""
        size = os.lseek(file, 0, os.SEEK_END)
        tail = os.pread(file, _TAIL, max(0, size - _TAIL))
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            os.ftruncate(file, size - len(tail) + len(whole))
        last = _deed_of(whole.splitlines(keepends=True)[-1]) if whole else None
        head = self._linked()
        # A crash between the line and the head leaves the head one behind; a head that is ahead knows of lines cut off.
        return _Link(last.number, last.hash) if last is not None and last.number > head.number else head

    def _linked(self) -> _Link:
        try:
            return _link_of(self._head.read_bytes()) or _Link()
        except FileNotFoundError:
            return _Link()

    def _point_at(self, deed: Deed) -> None:
        replace_file(self._head, f"{deed.number} {deed.hash}\n".encode(), _MODE)


def faults_of(lines: Sequence[bytes], head: bytes) -> Iterator[str]:
    """Yield what is wrong with the lines of a log and its head."""
    link = _link_of(head)
    if link is None:
        if lines:
            yield "the file 'head' is missing or damaged: nobody knows whether lines are missing at the end"
        elif head:
            yield "the file 'head' is damaged, and there is no line"
    known = [_deed_of(line) for line in lines]
    yield from _broken_links(known)
    yield from _missing_ends([deed for deed in known if deed is not None], link)


def _broken_links(known: Sequence[Deed | None]) -> Iterator[str]:
    before: Deed | None = None
    for place, deed in enumerate(known, 1):
        if deed is None:
            yield f"line {before.number + 1 if before is not None else place} has been changed"
        elif before is not None and deed.number <= before.number:
            yield f"line {deed.number} stands behind line {before.number}: it was moved, or is there twice"
        elif before is not None and known[place - 2] is not None:
            if deed.number > before.number + 1:
                yield f"{_range(before.number + 1, deed.number - 1)} missing"
            elif deed.before != before.hash:
                yield f"line {deed.number} does not follow from line {before.number}: one of the two was replaced"
        elif before is not None and deed.number > before.number + 2:
            yield f"{_range(before.number + 2, deed.number - 1)} missing"
        before = deed or before


def _missing_ends(known: Sequence[Deed], head: _Link | None) -> Iterator[str]:
    first = known[0].number if known else 1
    forgotten = [int(up_to[1]) for one in known if one.what == FORGOTTEN and (up_to := _UP_TO.match(one.about))]
    if first - 1 != max(forgotten, default=0):
        yield (
            f"{_range(1, first - 1)} missing, and no line says that they were forgotten"
            if first > 1
            else ("line 1 is there, and a later line says that it was forgotten")
        )
    if first == 1 and known and known[0].before:
        yield "line 1 does not begin the log"
    if head is None:
        return
    last = known[-1].number if known else 0
    if head.number > last:
        yield f"{_range(last + 1, head.number)} missing at the end"
    elif all((one.number, one.hash) != (head.number, head.hash) for one in known):
        yield f"line {head.number} is another one than the file 'head' says"


def _range(first: int, last: int) -> str:
    return f"line {first} is" if first >= last else f"lines {first} to {last} are"


def _link_of(head: bytes) -> _Link | None:
    found = re.fullmatch(rb"([0-9]{1,18}) ([0-9a-f]{64})\n", head)
    return None if found is None else _Link(int(found[1]), found[2].decode())


def _deed_of(line: bytes) -> Deed | None:
    """Return what a line says; None where it is not as it was written."""
    found = _LINE.fullmatch(line.removesuffix(b"\n")) if line.endswith(b"\n") else None
    if found is None:
        return None
    body = found[1] + b"}"
    if hashlib.sha256(body).hexdigest().encode() != found[2]:
        return None
    try:
        told = json.loads(body)
        who, what, about, revision, address, before = (
            str(told[name]) for name in ("who", "what", "about", "revision", "address", "before")
        )
        at, digest = datetime.fromisoformat(told["at"]), found[2].decode()
        return Deed(int(told["number"]), at, who, what, about, revision, address, before, digest)
    except (ValueError, KeyError, TypeError):
        return None


def _count_older(lines: Sequence[bytes], before: datetime) -> int:
    """Return how many lines at the beginning are older."""
    for count, line in enumerate(lines):
        deed = _deed_of(line)
        if deed is None or deed.at >= before:
            return count
    return len(lines)
