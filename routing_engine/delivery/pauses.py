"""When something is tried again: growing pauses for a job, and for a target that does not answer.

No clock and no chance here: both come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from routing_engine.delivery.jobs import JobKind

#: Seconds from 0 to 1, each as likely.
Chance: TypeAlias = Callable[[], float]

_MINUTE_S, _HOUR_S = 60.0, 3600.0
_DAY_S = 24 * _HOUR_S
#: The plan of the Standard Webhooks specification: three days, then once a day for ever. No outage is too long.
_LATER_S = tuple(hours * _HOUR_S for hours in (2, 5, 10, 14, 20, 24))
_WEBHOOK_S = (5.0, 5 * _MINUTE_S, 30 * _MINUTE_S, *_LATER_S)
# A person looks for the entry a second after the call, so what a CRM missed for a moment is there soon.
_QUICKLY_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
_CALL_LOG_S = (*_QUICKLY_S, 5 * _MINUTE_S, 30 * _MINUTE_S, *_LATER_S)
# So that not all who failed together come back together.
_JITTER = 0.2

#: So many failures in a row are the target's, and no longer those of single jobs.
_FAILURES_IN_ROW = 3
_PROBE_S = (*_QUICKLY_S, 60.0)
#: How many jobs of one lane are under way at once.
MOST_AT_ONCE = 8


def pause_s(kind: JobKind, tries: int, chance: Chance) -> float:
    """Return how long a job waits after so many tries in vain, 1 and more."""
    plan = _WEBHOOK_S if kind == "webhook" else _CALL_LOG_S
    return _jittered(plan[min(tries, len(plan)) - 1], chance)


def recording_pause_s(tries: int, waited_s: float, chance: Chance) -> float:
    """Return how long a recording that is not there yet is left alone, after so many tries and seconds."""
    if tries <= len(_QUICKLY_S):
        return _QUICKLY_S[max(tries, 1) - 1]
    return _jittered(2 * _MINUTE_S if waited_s < 30 * _MINUTE_S else _HOUR_S, chance)


def _jittered(pause: float, chance: Chance) -> float:
    return pause * (1 - _JITTER / 2 + _JITTER * chance())


class TargetGate:
    """Whether a target is well. While it is not, single jobs try whether it is back; the others wait untried.

    Without it every job that waits would run into a time-out by itself, and each would come back at a time of its own.
    A target that nobody has reached yet counts as one to be tried.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._failures = 0
        self._known = False
        self._opens_at = 0.0

    @property
    def closed(self) -> bool:
        """Whether the target counts as down."""
        return self._failures >= _FAILURES_IN_ROW

    def opens_at(self) -> float:
        """Return when the next job may be sent; a moment that has passed is now."""
        return self._opens_at

    def places(self, now: float) -> int:
        """Return how many jobs may be under way at once."""
        if now < self._opens_at:
            return 0
        return 1 if self.closed or not self._known else MOST_AT_ONCE

    def failed(self, now: float, after_s: float | None) -> bool:
        """Take note of a failure of the target; return whether it counts as down from now on."""
        was = self.closed
        self._failures += 1
        pause = 0.0
        if self.closed:
            step = min(self._failures - _FAILURES_IN_ROW, len(_PROBE_S) - 1)
            pause = _jittered(_PROBE_S[step], self._chance)
        # What it asks for counts at once; but an answer of a broken system must not silence it for ever.
        self._opens_at = max(self._opens_at, now + max(pause, min(after_s or 0.0, _DAY_S)))
        return self.closed and not was

    def worked(self) -> bool:
        """Take note that the target answered; return whether what waits for it should be tried now."""
        back = self.closed or not self._known
        self._failures, self._known, self._opens_at = 0, True, 0.0
        return back
