"""What is in force, and what waits to be: one file on the disk, for every engine and command of a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from routing_engine.settings.paths import state_folder
from routing_engine.storage.files import SHARED_FOLDER, locked, make_folder, replace_file

#: The service's group may read it: its tools tell what is in force.
_MODE, _FOLDER_MODE = 0o640, 0o750
#: What is done with a revision that is not in force: no call has it yet; some have; none has it any more.
Stage: TypeAlias = Literal["waiting", "trying", "back"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class TrialRevision:
    """What the folder holds, while something else is in force.

    On trial it has the calls of `callers` (numbers, or names of lists) and `share` per cent of all others. `step` is
    another one whenever somebody changes these: what was counted is of one step. `who` set it, and `why` it is back.
    """

    revision: str
    at: datetime
    stage: Stage = "waiting"
    callers: tuple[str, ...] = ()
    share: float = 0.0
    step: int = 0
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """The revision that is in force, since when, and the candidate beside it.

    `guarded`: a changed folder is one. For a start, which must know it before it has read any file.
    """

    revision: str
    since: datetime
    candidate: TrialRevision | None = None
    guarded: bool = False


class InForceFile:
    """The file. What writes raises `OSError`; `held` keeps others from writing, and engines from reading the folder."""

    def __init__(self, folder: Path) -> None:
        self.path = state_folder(folder) / "revisions" / "in-force.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others away for as long as the block lasts."""
        make_folder(self.path.parent.parent, SHARED_FOLDER)
        make_folder(self.path.parent, _FOLDER_MODE)
        with locked(self.path.parent):
            yield

    def read(self) -> InForce | None:
        """Return what is in force; None where nothing was yet, or the file is damaged."""
        try:
            if not self.path.is_file():  # a pipe would be waited for
                return None
            return _in_force(json.loads(self.path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, found: InForce) -> None:
        """Write it, within `held`."""
        replace_file(self.path, json.dumps(asdict(found), default=datetime.isoformat).encode(), _MODE)

    def sign(self) -> tuple[int, int]:
        """Return what is another one once the file is."""
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns


def settled(found: InForce | None, folder: str, guarded: bool, now: datetime) -> InForce:
    """Return what is in force once the folder holds the revision `folder`.

    `guarded`: a changed folder becomes a candidate. Without, it is in force, unless somebody has taken just that back.
    """
    if found is None:
        return InForce(folder, now)
    if folder == found.revision:
        return replace(found, candidate=None)
    if found.candidate is not None and found.candidate.revision == folder:
        return found
    return replace(found, candidate=TrialRevision(folder, now)) if guarded else InForce(folder, now)


def _in_force(told: dict[str, object]) -> InForce:
    candidate = told["candidate"]
    return InForce(
        str(told["revision"]),
        datetime.fromisoformat(str(told["since"])).astimezone(UTC),
        _candidate(candidate) if isinstance(candidate, dict) else None,
        told.get("guarded") is True,
    )


def _candidate(told: dict[str, object]) -> TrialRevision:
    stage = next(one for one in STAGES if one == told["stage"])
    callers, share, step = told["callers"], told["share"], told["step"]
    if not (isinstance(callers, list) and isinstance(share, (int, float)) and isinstance(step, int)):
        raise TypeError("this was not written by us")
    at = datetime.fromisoformat(str(told["at"])).astimezone(UTC)
    texts = str(told["who"]), str(told["why"])
    return TrialRevision(str(told["revision"]), at, stage, tuple(map(str, callers)), float(share), step, *texts)
