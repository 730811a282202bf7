"""Whether the clock may be believed: one that says 2028 for a moment must not delete what is kept.

What is deleted is gone from the bytes, so a doubt costs a day of waiting, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

#: A clock that has gone on for so long is believed, whatever it says.
DOUBTED_S = 86_400.0
#: So much may a clock be corrected, or a machine sleep, without a doubt.
_CORRECTED_S = 3600.0


class ClockDoubt:
    """Doubts a clock that has jumped ahead, and one at whose word no call would be left."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None
        self._since: float | None = None

    def believes(self, now: float, newest: float | None, keep_s: float) -> bool:
        """Return whether calls before `now - keep_s` may go. `newest` is when the newest call was, None for none."""
        elapsed = self._monotonic()
        jumped = self._offset is not None and now - elapsed - self._offset > _CORRECTED_S
        first = self._offset is None
        self._offset = now - elapsed
        if jumped or (first and newest is not None and newest < now - keep_s):
            self._since = elapsed
        if self._since is not None and elapsed - self._since >= DOUBTED_S:
            self._since = None
        return self._since is None
