"""Going back: a folder holds the files of an older revision again, and what it held meanwhile is kept as a revision."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from routing_engine.config.authors import Author, author_of
from routing_engine.config.changes import FileChange, changes, said
from routing_engine.config.folder import FolderTexts, UnreadableFile, is_file_of_ours, read_folder
from routing_engine.config.in_force import InForce
from routing_engine.config.revisions import Revision, Revisions
from routing_engine.errors import RevisionError
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog
from routing_engine.storage.files import make_folder, replace_file


@dataclass(frozen=True, slots=True)
class PutBack:
    """What the folder holds now, what it held before, and what has changed by that."""

    now: str
    before: str
    changed: Sequence[FileChange]


def revision_before(revisions: Revisions) -> Revision:
    """Return what was in force before what is in force. Raises `RevisionError` where nothing was."""
    found = revisions.before(revisions.newest)
    if found is None:
        raise RevisionError("there is no revision to go back to", "each change that comes into force makes one")
    return found


def put_back(revisions: Revisions, target: Revision, who: str, now: datetime) -> PutBack:
    """Let the folder hold a revision again, whole or not at all. Raises `RevisionError`, and `OSError`.

    What it holds is kept first, whether it could be used or not. No engine reads the folder meanwhile, and whatever it
    is told to hold back, this one counts at once: it was in force before, and somebody wants it now.
    """
    folder, standing = revisions.folder, revisions.standing
    with standing.held():
        # All of it before the first file is written: what is damaged must not be found out half-way.
        contents, present = revisions.contents(target), read_folder(folder)
        changed = changes(revisions.hashes(present), target.files)
        _need_replaceable(folder, present, changed)
        before = standing.read()
        if not changed and before is not None and before.revision == target.number:
            raise RevisionError(f"the folder holds the revision {target.number} already", "nothing is to be done")
        if revisions.known(present.revision) is None:
            held = {name: present.bytes_of(name) for name in present.written}
            revisions.keep(present, now, author_of(folder, held, []), False, _number(before))
        standing.write(InForce(target.number, now, guarded=before is not None and before.guarded))
        try:
            _write(folder, contents, changed)
        except OSError:
            _write(folder, {name: present.bytes_of(name) for name in present.written}, _turned(changed))
            if before is not None:
                standing.write(before)
            raise
        author = Author(who, "rollback")
        revisions.note(replace(target, at=now, author=author, taken=True, before=_number(before)))
    DeedLog(audit_folder(folder)).add(who, "rollback", said(changed), target.number)
    return PutBack(target.number, present.revision, changed)


def _need_replaceable(folder: Path, present: FolderTexts, changed: Sequence[FileChange]) -> None:
    """Raise `RevisionError` for what would be lost, or is not ours to write."""
    if present.missing:
        raise RevisionError(f"there is no folder {folder}", "name another with --config")
    for name, text in present.texts.items():
        if isinstance(text, UnreadableFile) and is_file_of_ours(name):
            raise RevisionError(f"'{name}' would be lost: {text.why}", "move it away, then go back")
    for one in changed:
        path = folder / one.file
        if path.is_symlink() or path.parent.is_symlink():
            where = path.resolve()
            raise RevisionError(f"'{one.file}' is a link to {where}", "put the older file there, where it comes from")


def _write(folder: Path, contents: dict[str, bytes], changed: Sequence[FileChange]) -> None:
    """Write what is new first: a folder whose disk is full has lost nothing."""
    for one in changed:
        path = folder / one.file
        if one.how != "removed":
            make_folder(path.parent, stat.S_IMODE(folder.stat().st_mode))
            replace_file(path, contents[one.file], _mode(path, folder))
    for one in changed:
        if one.how == "removed":
            (folder / one.file).unlink(missing_ok=True)


def _mode(path: Path, folder: Path) -> int:
    """Return the mode of a file as it is, or as the folder lets others in."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return folder.stat().st_mode & 0o666


def _number(standing: InForce | None) -> str:
    return "" if standing is None else standing.revision


def _turned(changed: Sequence[FileChange]) -> list[FileChange]:
    """Return the changes that undo others."""
    return [
        replace(one, how="removed" if one.how == "added" else "added" if one.how == "removed" else "changed")
        for one in changed
    ]
