"""A revision on trial in the running engine: its calls are counted, and it is taken back when they do worse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.config.activation import take_back
from routing_engine.config.in_force import InForce, TrialRevision
from routing_engine.config.revisions import Revisions
from routing_engine.config.tell_trial import read_counts, say_trial, write_counts
from routing_engine.config.trial_callers import TrialCallers, callers_of, said_callers
from routing_engine.config.verdict import CallCounts, StepCounts, judge
from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted, Reading
from routing_engine.core.model import Caller, NumberList
from routing_engine.errors import RevisionError
from routing_engine.logger import Logger
from routing_engine.settings.revisions import AT_ONCE, ActivationKeys
from routing_engine.storage.files import replace_file

_MODE = 0o640
#: So many callers are remembered, of each side; then everybody may count once more.
_MOST_CALLERS = 50_000
#: Decisions that are the default's.
_DEFAULTS = frozenset({"no_input", "no_record", "no_rule", "source_down", "error"})
_log = Logger()


class Guard:
    """Counts calls while a revision is on trial. `follow` what is in force, `hear` of calls, `look` each second.

    Where several processes carry calls, each counts its own, and that of `number` 0 judges them together.
    """

    def __init__(self, folder: Path, number: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._revisions, self._number, self._now = Revisions(folder), number, now
        self._standing: InForce | None = None
        self._callers = TrialCallers()
        self._limits: ActivationKeys = AT_ONCE
        self._counts = self._written = self._all = StepCounts()
        self._looks = 0
        self._seen: tuple[set[int], set[int]] = set(), set()
        self._rolled_back = 0

    @property
    def trial(self) -> TrialRevision | None:
        """What waits, is tried or was taken back; None while the folder is in force."""
        return None if self._standing is None else self._standing.candidate

    def follow(self, standing: InForce | None, limits: ActivationKeys, lists: dict[str, NumberList]) -> TrialCallers:
        """Take what is in force and on trial now; return whose calls the trial has. What changed is logged."""
        before, self._standing, self._limits = self.trial, standing, limits
        trial = self.trial
        self._callers = TrialCallers() if trial is None else callers_of(trial, lists)
        if _step_of(before) != _step_of(trial):
            self._counts = self._written = self._all = read_counts(self._revisions, trial, self._number)
            self._looks = self._counts.looks
            self._seen = set(), set()
            if not self._number:
                _tell(before, trial, "" if standing is None else standing.revision)
        return self._callers

    # In the call's own turn, some microseconds of it, and nothing at all while there is no trial.
    def hear(self, event: CallEnded) -> None:
        """Count a call, where there is a trial."""
        standing, trial = self._standing, self.trial
        if standing is None or trial is None or trial.stage != "trying" or event.health_check:
            return
        tried = event.revision == trial.revision
        if not tried and event.revision != standing.revision:
            return
        found = _counted(event)
        # Who is named is there to try it: each call counts. Of all others chance has chosen callers, not calls: one
        # that calls a hundred times is one.
        if self._callers.why(event.caller) != "named" and self._is_known(tried, event.caller):
            found = CallCounts(errors=found.errors)
        counts = self._counts
        if tried:
            self._counts = replace(counts, trial=counts.trial.plus(found))
        else:
            self._counts = replace(counts, in_force=counts.in_force.plus(found))

    async def look(self) -> None:
        """Keep what was counted, and take the revision back if it does worse."""
        trial = self.trial
        if trial is None or trial.stage != "trying":
            return
        counts = replace(self._counts, looks=self._looks)
        if counts != self._written:
            await asyncio.to_thread(self._keep, trial, counts)
            self._written = counts
        if not self._number:
            await self._judge(trial)

    async def _judge(self, trial: TrialRevision) -> None:
        found = await asyncio.to_thread(read_counts, self._revisions, trial)
        every = replace(found, looks=max(found.looks, self._looks))
        if every == self._all:
            return
        why, self._all = judge(every, self._limits)
        self._looks = self._all.looks
        if why:
            await asyncio.to_thread(self._take_back, trial, why)

    def readings(self) -> Iterator[Reading]:
        """Yield the state of the trial, for metrics."""
        trial = self.trial
        yield Reading("activation_waiting", trial is not None)
        yield Reading("activation_share_ratio", trial.share / 100 if trial is not None else 0.0)
        yield Reading("activation_rollbacks_total", self._rolled_back)
        for name, found in (("trial", self._all.trial), ("in_force", self._all.in_force)):
            yield Reading("activation_calls", found.calls, (name,))
            yield Reading("activation_defaults", found.defaults, (name,))

    def remark(self) -> str:
        """Return what waits, in a sentence; "" for nothing."""
        trial = self.trial
        return "" if trial is None else say_trial(trial)

    def _is_known(self, tried: bool, caller: Caller) -> bool:
        if caller.number is None:
            return False
        # The hash alone: nothing here is to hold a list of who has called.
        seen, who = self._seen[tried], hash(caller.number.e164)
        if who in seen:
            return True
        if len(seen) >= _MOST_CALLERS:
            seen.clear()
        seen.add(who)
        return False

    def _keep(self, trial: TrialRevision, counts: StepCounts) -> None:
        with suppress(OSError):  # what is not kept is counted anew after a restart
            replace_file(self._revisions.path / f"counts-{self._number}.json", write_counts(trial, counts), _MODE)

    def _take_back(self, trial: TrialRevision, why: str) -> None:
        try:
            take_back(self._revisions, "engine", self._now(), why, trial.step)
        except RevisionError:
            return  # somebody was quicker
        except OSError as error:
            _log.error("activation.not_taken_back", revision=trial.revision, why=str(error.strerror))
            return
        self._rolled_back += 1
        _log.error("activation.rolled_back", revision=trial.revision, why=why)


def _step_of(trial: TrialRevision | None) -> tuple[str, int, str]:
    return ("", 0, "") if trial is None else (trial.revision, trial.step, trial.stage)


def _counted(event: CallEnded) -> CallCounts:
    if isinstance(event, CallRouted):
        decision = event.decision
        unasked = decision.reason == "source_down" or any(one.outcome.startswith("down") for one in decision.trail)
        default = decision.failed or decision.reason in _DEFAULTS
        return CallCounts(1, default, unasked, 0, decision.failed or decision.reason == "error")
    if isinstance(event, CallAbandoned):
        return CallCounts(1, 0, 0, event.cause == "hung_up", event.cause == "error")
    return CallCounts(1)


def _tell(before: TrialRevision | None, trial: TrialRevision | None, in_force: str) -> None:
    if trial is None:
        if before is not None:
            _log.info("activation.over", revision=before.revision, in_force=in_force)
    elif trial.stage == "trying":
        callers = said_callers(trial.callers, trial.share)
        _log.info("activation.trying", revision=trial.revision, callers=callers, in_force=in_force, who=trial.who)
    elif trial.stage == "back":
        _log.warning("activation.back", revision=trial.revision, why=trial.why, in_force=in_force, who=trial.who)
    else:
        _log.warning("activation.waiting", revision=trial.revision, in_force=in_force)
