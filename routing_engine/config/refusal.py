"""Why the folder is not in force: said by the engine, and left on the disk as a note for the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from routing_engine.config.folder import read_folder
from routing_engine.errors import Problem
from routing_engine.settings.paths import state_folder
from routing_engine.storage.files import SHARED_FOLDER, make_folder, replace_file

#: The service's group may read it: its tools tell what is in force.
_MODE = 0o640
#: So many problems are told in the note; `routing-engine check` names all.
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the folder, with this content, is not in force; and what is instead: a revision, and since when."""

    content: str
    revision: str
    since: datetime
    problems: Sequence[Problem]

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return (
            f"the folder cannot be used ({count}): in force is the last good configuration, "
            f"revision {self.revision} of {self.since.astimezone():%Y-%m-%d %H:%M}"
        )


def note_refusal(folder: Path, refusal: Refusal | None) -> None:
    """Leave word for commands that the folder is not in force; None takes it back. Raises `OSError`."""
    path = _note_path(folder)
    if refusal is None:
        path.unlink(missing_ok=True)
        return
    told = {
        "folder": refusal.content,
        "revision": refusal.revision,
        "since": refusal.since.isoformat(),
        "problems": [asdict(one) for one in refusal.problems[:_MOST_PROBLEMS]],
    }
    make_folder(path.parent, SHARED_FOLDER)
    replace_file(path, json.dumps(told).encode(), _MODE)


def find_refusal(folder: Path) -> Refusal | None:
    """Return what the running engine says of the folder as it is now; None when it has taken it, or says nothing."""
    try:
        path = _note_path(folder)
        if not path.is_file():  # the engine's user could leave a pipe here, and root would wait for ever
            return None
        told = json.loads(path.read_bytes())
        if told["folder"] != read_folder(folder).content:
            return None  # it has changed since: the engine takes it, or says anew what is wrong
        problems = [Problem(one["file"], one["line"], one["sentence"], one["remedy"]) for one in told["problems"]]
        return Refusal(str(told["folder"]), str(told["revision"]), datetime.fromisoformat(told["since"]), problems)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _note_path(folder: Path) -> Path:
    return state_folder(folder) / "refused.json"
