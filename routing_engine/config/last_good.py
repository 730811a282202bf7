"""The last configuration that was in force, on the disk: a start takes it while the folder is broken.

It holds the files as they are written, `${NAME}` and `{file: PATH}` unexpanded: no secret gets here. Calendar files and
lists of the folder belong to it, for routes need them. Tables of records do not: they are data of a system, as large as
that, and a source whose table cannot be read is down, not unknown. What commands switch (`state/`) is always today's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from routing_engine import __version__
from routing_engine.config.folder import STATE, FolderTexts, read_folder
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.paths import state_folder
from routing_engine.storage.files import SHARED_FOLDER, make_folder, replace_file

#: The service's group may read both: its tools tell what is in force.
_MODE = 0o640
#: So many problems are told in the note; `routing-engine check` names all.
_MOST_PROBLEMS = 20
_AS_OWNER = "run this as that user: root does not follow what it has written"
_ANEW = "mend the folder: the next start writes it anew"


@dataclass(frozen=True, slots=True)
class LastGood:
    """Files that were in force, since when, and which version of the engine took them."""

    texts: FolderTexts
    since: datetime
    version: str


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


def last_good_path(folder: Path) -> Path:
    """Return where the last good configuration of a folder is kept."""
    return state_folder(folder) / "last-good.json"


def keep_last_good(folder: Path, texts: FolderTexts, now: datetime) -> None:
    """Keep the files that are in force now, whole or not at all. Raises `OSError`.

    Two engines on one folder write the same; what is there already is left as it is.
    """
    path = last_good_path(folder)
    with suppress(ConfigError):
        kept = read_last_good(folder)
        if kept is not None and (kept.texts.texts, kept.texts.revision) == (_written(texts), texts.revision):
            return
    content = {"engine": __version__, "revision": texts.revision, "since": now.isoformat(), "files": _written(texts)}
    make_folder(path.parent, SHARED_FOLDER)
    replace_file(path, json.dumps(content, ensure_ascii=False, indent=0).encode("utf-8", "replace"), _MODE)


def read_last_good(folder: Path) -> LastGood | None:
    """Return the last good configuration; None when none was kept. Raises `ConfigError` for one that is unusable."""
    path = last_good_path(folder)
    try:
        with open(path, "rb") as file:
            # A configuration names programs and secrets, and this file belongs to the engine's user.
            if os.geteuid() == 0 != os.fstat(file.fileno()).st_uid:
                raise ConfigError([Problem(str(path), 0, "this belongs to the engine's user", _AS_OWNER)])
            found = json.loads(file.read())
        files = {str(name): str(text) for name, text in found["files"].items()}
        texts = FolderTexts(files, str(found["revision"]), str(found["revision"]))
        return LastGood(texts, datetime.fromisoformat(found["since"]), str(found["engine"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        sentence = f"the last good configuration cannot be read: {error.strerror}"
        raise ConfigError([Problem(str(path), 0, sentence, "make it readable for this user")]) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError([Problem(str(path), 0, "this is no configuration that was kept", _ANEW)]) from None


def _written(texts: FolderTexts) -> Mapping[str, str]:
    return {
        name: text for name, text in texts.texts.items() if isinstance(text, str) and not name.startswith(STATE + "/")
    }


# --------------------------------------------------------------------------------------------- the note for commands


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
