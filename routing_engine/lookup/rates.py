"""How many requests may begin in a time: buckets that fill with it."""

from __future__ import annotations

from collections.abc import Sequence

from routing_engine.settings.integration import RateLimits

_MINUTE_S = 60.0


class Bucket:
    """So many as `burst` may begin at once, and `rate` more each second. Times are seconds, from wherever."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self.burst = rate, burst
        self._held, self._counted_at = burst, now

    def free(self, now: float) -> float:
        """Fill the bucket up to now, and return what it holds."""
        self._held = min(self.burst, self._held + (now - self._counted_at) * self._rate)
        self._counted_at = now
        return self._held

    def take(self, now: float) -> float:
        """Take one, and return how long to wait for it: below nothing it is a place in the queue."""
        self._held = self.free(now) - 1
        return max(0.0, -self._held / self._rate)

    def give_back(self) -> None:
        """Return one that was not used."""
        self._held += 1


def buckets_of(limits: RateLimits, now: float) -> Sequence[Bucket]:
    """Return what bounds the rate; nothing where nothing does."""
    found = []
    if limits.per_second is not None:
        found.append(Bucket(limits.per_second, limits.burst or max(1.0, limits.per_second), now))
    if limits.per_minute is not None:
        # A burst counts too: with what is added while it is used up, no minute has more than it may.
        burst = min(limits.burst or max(1, limits.per_minute // 4), limits.per_minute)
        found.append(Bucket((limits.per_minute - burst + 1) / _MINUTE_S, burst, now))
    return found
