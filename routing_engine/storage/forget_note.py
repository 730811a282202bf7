"""A note to the engine that runs elsewhere: forget this number.

The command writes the note; the engine takes it within a second or two, drops what it holds, and removes the note: so
the command knows that it is done. The note holds the number for that long, so it is for the engine alone. One that
nobody has taken stays for an engine that is only frozen, or about to start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from routing_engine.storage.files import make_folder, replace_file

_LONGEST = 64
_LOOK_AGAIN_S = 0.1
#: The engine may be known to the folder by its group only.
_MODE = 0o640


def note_path(state: Path) -> Path:
    """Return where the note lies, in the folder that the engine may write."""
    return state / "forget.json"


def leave_note(note: Path, e164: str) -> None:
    """Ask the running engine to forget a number. Raises `OSError` when the note cannot be written."""
    make_folder(note.parent, 0o777)  # it holds other files, too: the umask says who reads those
    replace_file(note, json.dumps(e164).encode(), _MODE)


def wait_until_taken(note: Path, patience_s: float, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Wait until an engine has removed the note. Return False when none has; the note is there still."""
    for _ in range(max(1, round(patience_s / _LOOK_AGAIN_S))):
        if not note.exists():
            return True
        sleep(_LOOK_AGAIN_S)
    return not note.exists()


def take_note(note: Path) -> str | None:
    """Return the number that is to be forgotten, and remove the note; None when there is nothing to forget.

    A note that cannot be removed is not taken: its command would wait for ever, and the engine forget again and again.
    """
    try:
        text = note.read_text(encoding="utf-8")[:_LONGEST]
        note.unlink()
        number = json.loads(text)
    except (OSError, ValueError):
        return None
    return number if isinstance(number, str) and number else None
