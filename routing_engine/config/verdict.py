"""Whether a revision on trial does worse than the one in force: counts in, a sentence out. As pure as the core.

Both have calls at the same time, and chance says who of the callers has which: so whatever happens to the site (a CRM
that is down, a holiday) happens to both, and a difference is the revision's, or chance. It is taken back when its share
is above the other's by more than the limit, and chance alone would do that in less than one step of a hundred.

Looked at after each call, something would always seem to be wrong once. So it is looked at after `calls` calls, and
then whenever there are half as many again; the look `k` (0, 1, 2, ...) has 1/((k+1)(k+2)) of the one in a hundred, a
third of that for each of the three measures. All together stay below it, however long a step lasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from routing_engine.settings.revisions import ActivationKeys

#: How often a step of a trial may be ended by chance alone.
FALSE_ALARM = 0.01
_MEASURES = 3
#: So many calls that the engine could not follow are no chance.
MOST_ERRORS = 3
_GROWS = 1.5


@dataclass(frozen=True, slots=True)
class CallCounts:
    """What became of calls: at the default, with a source that could not be asked, hung up early, errors of ours."""

    calls: int = 0
    defaults: int = 0
    lookup_errors: int = 0
    hang_ups: int = 0
    errors: int = 0

    def plus(self, other: CallCounts) -> CallCounts:
        """Return both together."""
        return CallCounts(
            self.calls + other.calls,
            self.defaults + other.defaults,
            self.lookup_errors + other.lookup_errors,
            self.hang_ups + other.hang_ups,
            self.errors + other.errors,
        )


@dataclass(frozen=True, slots=True)
class StepCounts:
    """What was counted in one step of a trial; `looks` is how often it was looked at."""

    trial: CallCounts = CallCounts()
    in_force: CallCounts = CallCounts()
    looks: int = 0


def judge(counts: StepCounts, limits: ActivationKeys) -> tuple[str, StepCounts]:
    """Return why the revision on trial must go, "" for no reason, and the counts with the looks that were had."""
    ours, theirs = counts.trial, counts.in_force
    if ours.errors >= MOST_ERRORS and ours.errors * theirs.calls > theirs.errors * ours.calls:
        return f"{ours.errors} of {ours.calls} calls had no route to follow, or met an error of the engine", counts
    if ours.errors >= MOST_ERRORS and not theirs.calls:
        return f"{ours.errors} of {ours.calls} calls had no route to follow, or met an error of the engine", counts
    due = looks_due(ours.calls, limits.calls)
    if due <= counts.looks:
        return "", counts
    # Looks that were missed, as while the engine was away, are one: the last.
    chance = FALSE_ALARM / _MEASURES / (due * (due + 1))
    return next(_excesses(ours, theirs, limits, chance), ""), replace(counts, looks=due)


def looks_due(calls: int, first: int) -> int:
    """Return how often so many calls are looked at: after `first`, then whenever there are half as many again."""
    return 0 if calls < first else 1 + int(math.log(calls / first) / math.log(_GROWS) + 1e-9)


def _excesses(ours: CallCounts, theirs: CallCounts, limits: ActivationKeys, chance: float) -> Iterator[str]:
    measures = (
        ("took the default", ours.defaults, theirs.defaults, limits.defaults),
        ("met a source that could not be asked", ours.lookup_errors, theirs.lookup_errors, limits.lookup_errors),
        ("were hung up before the decision", ours.hang_ups, theirs.hang_ups, limits.hang_ups),
    )
    for what, bad, others, limit in measures:
        if not theirs.calls:
            return  # nothing to hold it against
        above = 100 * (bad / ours.calls - others / theirs.calls)
        if above > limit and by_chance(bad, ours.calls, others, theirs.calls) < chance:
            yield (
                f"{bad} of {ours.calls} calls {what}, in force {others} of {theirs.calls}: "
                f"{above:.0f} percentage points above it, where {limit:g} are allowed"
            )


def by_chance(bad: int, calls: int, others: int, other_calls: int) -> float:
    """Return how probable so many bad calls, or more, are where both are alike (Fisher's exact test, one-sided)."""
    every, all_bad = calls + other_calls, bad + others
    whole = _ways(every, all_bad)
    worse = range(bad, min(calls, all_bad) + 1)
    return math.fsum(math.exp(_ways(calls, n) + _ways(other_calls, all_bad - n) - whole) for n in worse)


def _ways(of: int, some: int) -> float:
    """Return the logarithm of in how many ways some can be chosen; what is impossible has none."""
    if not 0 <= some <= of:
        return -math.inf
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)
