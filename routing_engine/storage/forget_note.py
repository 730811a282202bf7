"""A note to the engine that runs elsewhere: forget this number, or read the folder now.

The command writes the note; the engine takes it within a second or two, drops what it holds, and leaves a receipt of
how much that was: so the command knows that it is done, and what was removed is counted by whoever removed it. The note
holds the number until then, so it is for the engine alone. One that nobody has taken stays for an engine that is only
frozen, or about to start.
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


def reload_path(state: Path) -> Path:
    """Return where the note lies that asks for a reload."""
    return state / "reload.json"


def leave_note(note: Path, e164: str) -> None:
    """Ask the running engine to forget a number. Raises `OSError` when the note cannot be written."""
    make_folder(note.parent, 0o777)  # it holds other files, too: the umask says who reads those
    _receipt(note).unlink(missing_ok=True)  # of another time
    replace_file(note, json.dumps(e164).encode(), _MODE)


def wait_for_receipt(note: Path, patience_s: float, sleep: Callable[[float], None] = time.sleep) -> int | None:
    """Wait until an engine has forgotten, and return how many answers it dropped.

    None when none has in `patience_s`; the note is there still.
    """
    for _ in range(max(1, round(patience_s / _LOOK_AGAIN_S))):
        if (count := _read(_receipt(note))) is not None:
            _receipt(note).unlink(missing_ok=True)
            return count if isinstance(count, int) else 0
        sleep(_LOOK_AGAIN_S)
    return None


def take_note(note: Path) -> str | None:
    """Return the number that is to be forgotten; None when there is nothing to forget. `leave_receipt` is next.

    A note that cannot be moved is not taken: its command would wait for ever, and the engine forget again and again.
    One that was taken by an engine which died before it had forgotten is taken once more.
    """
    taken = _taken(note)
    try:
        if note.exists():
            note.replace(taken)
    except OSError:
        return None
    number = _read(taken)
    if isinstance(number, str) and number:
        return number
    taken.unlink(missing_ok=True)
    return None


def leave_receipt(note: Path, answers: int) -> None:
    """Say that a number was forgotten, and how many answers were dropped. Raises `OSError`."""
    replace_file(_receipt(note), json.dumps(answers).encode(), _MODE)
    _taken(note).unlink(missing_ok=True)


def _taken(note: Path) -> Path:
    return note.with_suffix(".taken")


def _receipt(note: Path) -> Path:
    return note.with_suffix(".receipt")


def _read(path: Path) -> str | int | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8")[:_LONGEST])
    except (OSError, ValueError):
        return None
    return found if isinstance(found, (str, int)) else None
