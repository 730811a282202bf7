"""A revision as programs get it: from the command line and from the API alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from routing_engine.calls.as_json import JsonObject, JsonValue, moment
from routing_engine.config.changes import FileChange, changes, diff, said
from routing_engine.config.in_force import InForce
from routing_engine.config.revisions import Revision, Revisions


def list_json(revisions: Revisions, most: int) -> list[JsonObject]:
    """Return the revisions that are kept, the newest first, each with what it changed."""
    every, standing = revisions.every(), revisions.standing.read()
    return [revision_json(one, _changed_by(one, every), standing) for one in every[: max(0, most)]]


def whole_json(revisions: Revisions, found: Revision, other: Revision | None) -> JsonObject:
    """Return one revision with its files, and how it differs from another, by lines. Raises `RevisionError`."""
    changed = changes({} if other is None else other.files, found.files)
    lines = diff({} if other is None else revisions.contents(other), revisions.contents(found), changed)
    return {
        **revision_json(found, changed, revisions.standing.read()),
        "against": None if other is None else other.number,
        "files": [*sorted(found.files)],
        "diff": "\n".join(lines),
    }


def revision_json(revision: Revision, changed: Sequence[FileChange], standing: InForce | None) -> JsonObject:
    """Return a revision; `changed` is against what was in force before it."""
    return {
        "revision": revision.number,
        "state": state_of(revision, standing),
        "at": moment(revision.at.astimezone(UTC).timestamp()),
        "who": revision.author.who,
        "why": revision.author.why,
        "commit": revision.author.commit,
        "engine": revision.version,
        "what": said(changed),
        "changes": changes_json(changed),
    }


def changes_json(changed: Sequence[FileChange]) -> list[JsonValue]:
    """Return what has changed, file by file."""
    return [{"file": one.file, "how": one.how} for one in changed]


def state_of(revision: Revision, standing: InForce | None) -> str:
    """Return whether a revision is in force, was, or never was."""
    if standing is not None and revision.number == standing.revision:
        return "in force"
    return "was in force" if revision.taken else "never in force"


def _changed_by(revision: Revision, every: Sequence[Revision]) -> list[FileChange]:
    before = next((one for one in every if one.number == revision.before), None)
    return changes({} if before is None else before.files, revision.files)
