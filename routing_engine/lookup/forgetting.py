"""Forgetting a number in the cache of an engine that runs elsewhere: a note in the folder's `state`, and its file.

The command writes the note; the engine takes it within a second or two, drops what it holds, and removes the note,
which tells the command that it is done. The note holds the number for that long.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

NOTE = "state/forget.json"
_LONGEST = 64
_COUNT = "SELECT count(*) FROM answers WHERE instr(question, ?) OR instr(replace(answer, ' ', ''), ?)"
_DELETE = "DELETE FROM answers WHERE instr(question, ?) OR instr(replace(answer, ' ', ''), ?)"


def leave_note(folder: Path, e164: str) -> Path:
    """Ask the running engine to forget a number. Raises `OSError` when the folder cannot be written."""
    note = folder / NOTE
    note.parent.mkdir(parents=True, exist_ok=True)
    draft = note.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "w", encoding="utf-8") as file:
        json.dump(e164, file)
    os.replace(draft, note)
    return note


def wait_until_taken(note: Path, patience_s: float, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Wait until an engine has removed the note; False, and the note removed, when none has."""
    for _ in range(max(1, round(patience_s / 0.1))):
        if not note.exists():
            return True
        sleep(0.1)
    note.unlink(missing_ok=True)
    return False


def take_note(folder: Path) -> str | None:
    """Return the number that is to be forgotten, and remove the note; None when there is none."""
    note = folder / NOTE
    try:
        text = note.read_text(encoding="utf-8")[:_LONGEST]
        note.unlink()
        number = json.loads(text)
    except (OSError, ValueError):
        return None
    return number if isinstance(number, str) and number else None


def forget_on_disk(path: Path, e164: str, dry_run: bool) -> int:
    """Remove every answer about a number from the file of a cache; give how many those were.

    Raises `sqlite3.Error` or `OSError`. A file that is not there holds nothing.
    """
    if not path.exists():
        return 0
    digits = e164.lstrip("+")
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        (count,) = connection.execute(_COUNT, (digits, digits)).fetchone()
        if count and not dry_run:
            with connection:
                connection.execute(_DELETE, (digits, digits))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return int(count)
