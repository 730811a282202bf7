"""What people and the engine do with a revision that is not in force: try it, put it in force, take it back, hold it.

Everything is a change of one file; each engine of the folder sees it within a second, and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from routing_engine.config.authors import Author, author_of
from routing_engine.config.folder import read_folder
from routing_engine.config.in_force import InForce, TrialRevision
from routing_engine.config.revisions import Revision, Revisions
from routing_engine.config.trial_callers import said_callers
from routing_engine.errors import RevisionError
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog

_NOTHING = "nothing waits: what the folder holds is in force"
_GUARD = "write 'activation: guarded' into engine.yaml, and the next change waits here; or see 'revisions'"


def try_out(
    revisions: Revisions, who: str, now: datetime, callers: Sequence[str] | None = None, share: float | None = None
) -> InForce:
    """Let the revision that waits have these callers, and `share` per cent of all others; None leaves each as it is."""

    def change(found: TrialRevision) -> TrialRevision:
        trying = found.stage == "trying"
        return replace(
            found,
            stage="trying",
            callers=tuple(callers) if callers is not None else found.callers if trying else (),
            share=share if share is not None else found.share if trying else 0.0,
            step=found.step + 1,
            at=now,
            who=who,
            why="",
        )

    found = _change(revisions, lambda before: replace(before, candidate=change(_waiting(before))))
    trial = _waiting(found)
    _note(revisions, who, "activate", said_callers(trial.callers, trial.share), trial.revision)
    return found


def put_in_force(revisions: Revisions, who: str, now: datetime) -> InForce:
    """Put the revision that waits in force, for everybody."""
    older = revisions.standing.read()
    found = _change(revisions, lambda before: InForce(_waiting(before).revision, now, guarded=before.guarded))
    kept = revisions.known(found.revision)
    if kept is not None and older is not None:
        revisions.note(replace(kept, at=now, taken=True, before=older.revision))
    _note(revisions, who, "activate", "for everybody", found.revision)
    return found


def take_back(revisions: Revisions, who: str, now: datetime, why: str = "", step: int | None = None) -> InForce:
    """Let no call have the revision that waits, until the folder changes or somebody tries it again.

    With `step` that step of its trial alone is ended: nobody has begun another one meanwhile.
    """

    def change(before: InForce) -> InForce:
        trial = _waiting(before)
        if step is not None and (trial.step, trial.stage) != (step, "trying"):
            raise RevisionError("this trial is over already", "see 'activate --status'")
        back = replace(trial, stage="back", callers=(), share=0.0, step=trial.step + 1, at=now, who=who, why=why)
        return replace(before, candidate=back)

    found = _change(revisions, change)
    _note(revisions, who, "taken back", why, _waiting(found).revision)
    return found


def hold(revisions: Revisions, target: Revision, who: str, now: datetime) -> InForce:
    """Put an older revision in force without touching the folder: what that holds waits, until it is changed."""
    # By its content: whatever is saved next is another revision, and counts as any change does.
    present = read_folder(revisions.folder)
    if present.revision == target.number:
        raise RevisionError(f"the folder holds the revision {target.number} itself", "nothing is to be held")
    if revisions.known(present.revision) is None:
        contents = {name: present.bytes_of(name) for name in present.written}
        revisions.keep(present, now, author_of(revisions.folder, contents, []), False, target.number)
    held = TrialRevision(present.revision, now, "back", who=who, why="an older revision is held in force")
    found = _change(revisions, lambda before: InForce(target.number, now, held, before.guarded))
    revisions.note(replace(target, at=now, author=Author(who, "rollback --hold"), taken=True, before=present.revision))
    _note(revisions, who, "rollback", "the folder is left as it is", target.number)
    return found


def _change(revisions: Revisions, change: Callable[[InForce], InForce]) -> InForce:
    with revisions.standing.held():
        before = revisions.standing.read()
        if before is None:
            raise RevisionError("nothing is in force here yet", "start the engine: routing-engine serve")
        found = change(before)
        revisions.standing.write(found)
        return found


def _waiting(found: InForce) -> TrialRevision:
    if found.candidate is None:
        raise RevisionError(_NOTHING, _GUARD)
    return found.candidate


def _note(revisions: Revisions, who: str, what: str, about: str, revision: str) -> None:
    DeedLog(audit_folder(revisions.folder)).add(who, what, about, revision)
