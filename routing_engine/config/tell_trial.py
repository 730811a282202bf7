"""What is in force, what waits, who has it and how its calls do: for people in lines, for programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from routing_engine.calls.as_json import JsonObject, JsonValue, moment
from routing_engine.config.changes import changes, said
from routing_engine.config.in_force import InForce, TrialRevision
from routing_engine.config.revisions import Revisions
from routing_engine.config.trial_callers import said_callers
from routing_engine.config.verdict import CallCounts, StepCounts


def say_trial(trial: TrialRevision) -> str:
    """Return what is done with a revision that is not in force, in a sentence."""
    if trial.stage == "trying":
        return f"revision {trial.revision} is on trial, for {said_callers(trial.callers, trial.share)}"
    if trial.stage == "back":
        return f"revision {trial.revision} was taken back{f': {trial.why}' if trial.why else ''}"
    return f"revision {trial.revision} waits for 'routing-engine activate'"


def write_counts(trial: TrialRevision, counts: StepCounts) -> bytes:
    """Return what was counted, as `read_counts` reads it."""
    return json.dumps({"revision": trial.revision, "step": trial.step, **asdict(counts)}).encode()


def read_counts(revisions: Revisions, trial: TrialRevision | None, number: int | None = None) -> StepCounts:
    """Return what was counted in this step of a trial, by all processes or by one."""
    found = StepCounts()
    for path in revisions.path.glob("counts-*.json" if number is None else f"counts-{number}.json"):
        one = _read_one(path, trial)
        looks = max(found.looks, one.looks)
        found = StepCounts(found.trial.plus(one.trial), found.in_force.plus(one.in_force), looks)
    return found


def _read_one(path: Path, trial: TrialRevision | None) -> StepCounts:
    try:
        told = json.loads(path.read_bytes())
        if trial is None or (told["revision"], told["step"]) != (trial.revision, trial.step):
            return StepCounts()
        return StepCounts(CallCounts(**told["trial"]), CallCounts(**told["in_force"]), int(told["looks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return StepCounts()


def trial_lines(revisions: Revisions, found: InForce | None) -> Iterator[tuple[str, str]]:
    """Yield what is so, a name and a text each."""
    if found is None:
        yield "in force", "nothing yet: start the engine"
        return
    yield "in force", f"revision {found.revision}, since {_at(found.since)}"
    trial = found.candidate
    if trial is None:
        yield "waits", "nothing: what the folder holds is in force"
        return
    yield "waits", say_trial(trial)
    yield "changes", _what(revisions, found, trial) or "nothing that is kept"
    yield "since", f"{_at(trial.at)}{f', by {trial.who}' if trial.who else ''}"
    counts = read_counts(revisions, trial)
    for name, one in (("its calls", counts.trial), ("others", counts.in_force)) if trial.stage == "trying" else ():
        yield name, _counted(one)


def trial_json(revisions: Revisions, found: InForce | None) -> JsonObject:
    """Return what is so for programs. Callers are not told: there are numbers among them."""
    trial = None if found is None else found.candidate
    return {
        "in_force": None if found is None else found.revision,
        "since": None if found is None else moment(found.since.timestamp()),
        "guarded": found is not None and found.guarded,
        "waiting": None if found is None or trial is None else _waiting_json(revisions, found, trial),
    }


def _waiting_json(revisions: Revisions, found: InForce, trial: TrialRevision) -> JsonObject:
    counts = read_counts(revisions, trial)
    return {
        "revision": trial.revision,
        "stage": trial.stage,
        "share": trial.share,
        "callers": said_callers(trial.callers, 0) if trial.callers else "",
        "at": moment(trial.at.timestamp()),
        "who": trial.who,
        "why": trial.why,
        "what": _what(revisions, found, trial),
        "calls": _counts_json(counts.trial),
        "calls_in_force": _counts_json(counts.in_force),
    }


def _counts_json(counts: CallCounts) -> dict[str, JsonValue]:
    return dict(asdict(counts))


def _what(revisions: Revisions, found: InForce, trial: TrialRevision) -> str:
    before, after = revisions.known(found.revision), revisions.known(trial.revision)
    return "" if before is None or after is None else said(changes(before.files, after.files))


def _counted(one: CallCounts) -> str:
    if not one.calls:
        return "none yet"
    return (
        f"{one.calls}: {one.defaults} at the default, {one.lookup_errors} with a source that could not be asked, "
        f"{one.hang_ups} hung up early, {one.errors} without a route or with an error"
    )


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
