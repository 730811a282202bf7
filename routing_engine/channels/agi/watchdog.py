"""The dialplan's limit for an engine that has a call and stays silent, moved along with the steps of one call.

Asterisk ends AGI() when it is over, whatever we do: an engine that freezes is left within the longest time that its
step can need, and some seconds. So the limit has to fit the step. A sound's length is asked of Asterisk, once a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from routing_engine.channels.agi.wire import Reply
from routing_engine.core.asks import Collect
from routing_engine.core.model import Spoken

#: A step has this long beyond what it can need at most.
SLACK_S = 10.0
#: A limit that leaves so much beyond what the next step can need serves that one, too: no round trip for it.
_ENOUGH_S = 5.0
#: A sound whose length Asterisk cannot tell.
UNKNOWN_SOUND_S = 60.0
#: Where a sound is begun to learn its length: behind the end of any, so that it is over at once and not heard.
MEASURE = "1999999999"
#: Somebody may record a sound anew, and longer.
_REMEMBERED_S = 60.0
_MOST_SOUNDS = 1000
#: Files of 16 kHz and more are told too long, never too short.
_SAMPLES_PER_S = 8000


@dataclass(slots=True)
class Watchdog:
    """The limit of one call, as Asterisk has it."""

    clock: Callable[[], float]
    _until: float | None = None

    def moved(self, longest_s: float) -> float | None:
        """Return the new limit for a step that can last so long; None when the one that runs fits it."""
        now = self.clock()
        if self._until is not None and longest_s + _ENOUGH_S <= self._until - now <= longest_s + SLACK_S:
            return None
        self._until = now + longest_s + SLACK_S
        return longest_s + SLACK_S


@dataclass(slots=True)
class SoundLengths:
    """How long sounds last, by language and name, for all calls of one Asterisk."""

    clock: Callable[[], float]
    _known: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def get(self, language: str, name: str) -> float | None:
        """Return the seconds; None when they must be asked for (again)."""
        seconds, until = self._known.get((language, name), (0.0, 0.0))
        return seconds if self.clock() < until else None

    def learn(self, language: str, name: str, measured: Reply) -> float:
        """Remember what Asterisk answered to a sound that was begun behind its end; return the seconds."""
        samples = measured.rest.removeprefix("endpos=")
        known = samples.isascii() and samples.isdigit() and 0 < int(samples) < int(MEASURE)
        seconds = int(samples) / _SAMPLES_PER_S if known else UNKNOWN_SOUND_S
        if len(self._known) >= _MOST_SOUNDS:
            self._known.clear()
        self._known[language, name] = seconds, self.clock() + _REMEMBERED_S
        return seconds


def longest_saying(spoken: Spoken) -> float:
    """Return the seconds that Asterisk can need to say a value: a digit takes less than one, a date some ten."""
    return 5.0 + 2.0 * len(spoken.text)


def longest_typing(ask: Collect) -> float:
    """Return the seconds that a caller has for the digits that are still to come."""
    one = ask.input
    return one.first_digit_timeout_s + max(0, one.max - len(ask.typed)) * one.inter_digit_timeout_s
