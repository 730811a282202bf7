"""How many requests somebody may send: so many a second, and a burst of some seconds at once."""

from __future__ import annotations

from collections import OrderedDict

from routing_engine.core.ports import Clock
from routing_engine.web.requests import ApiError

#: What was not sent may be sent later, for so long.
BURST_S = 5.0
_MOST_KNOWN = 10_000


class Paces:
    """Counts requests by who sends them. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: When it was looked at, and how many requests were left then; the one that asked the longest ago first.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, per_second: float) -> None:
        """Count a request. Raises `ApiError` for one too many."""
        now, most = self._clock(), per_second * BURST_S
        at, left = self._left.pop(who, (now, most))
        left = min(most, left + (now - at) * per_second)
        self._left[who] = now, left - 1 if left >= 1 else left
        # Whoever has many addresses must not fill our memory with them.
        if len(self._left) > _MOST_KNOWN:
            self._left.popitem(last=False)
        if left < 1:
            headers = {"Retry-After": str(max(1, round((1 - left) / per_second)))}
            sentence = f"more than {per_second:g} requests a second came"
            raise ApiError(429, "too_fast", sentence, "wait as long as Retry-After says", headers)
