"""What may be asked of one integration now: circuit breaker, limits on calls at a time and a second, `Retry-After`.

Everything here is bookkeeping on the event loop: no lock, and no wait that the look-up's own deadline does not bound.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from routing_engine.core.pace import TURN
from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderError, ProviderSkipped, ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.rates import buckets_of
from routing_engine.settings.integration import RateLimits

T = TypeVar("T")


class Limiter:
    """The state of one integration: `run` every request of it.

    What `run` does, step by step: `enter` before the request, then `succeeded`, `failed` or `leave`. `clock` is in
    seconds, from wherever; `name` begins every sentence of an error.
    """

    def __init__(self, name: str, limits: RateLimits, clock: Clock) -> None:
        self._name, self._limits, self._clock = name, limits, clock
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._failures = 0
        self._closed_until = 0.0
        self._probing = False  # one look-up tries whether the system is back; nobody else is let through
        self._told_to_wait_until = 0.0
        self._buckets = buckets_of(limits, clock())

    async def run(
        self, ask: Callable[[], Awaitable[T]], early: bool = False, tell: Callable[[bool], None] = lambda _: None
    ) -> T:
        """Ask when there is a place for it, return the answer, and remember what came of it.

        `early` is as for `enter`; `tell` hears whether a request of it waits for its moment. Raises `ProviderSkipped`
        without asking, and whatever `ask` raises.
        """
        if not self._enters_at_once(early):
            await self.enter(early)
        was = TURN.set(LookupTurn(self, tell))
        try:
            found = await ask()
        except ProviderThrottled as error:
            self.failed(error.retry_after_s)
            raise
        except ProviderUnreachable:
            self.failed()
            raise
        except ProviderError:
            self.succeeded()  # a refusal is an answer
            raise
        except BaseException:
            self.leave()  # hung up, or a fault of ours: neither says anything about the system
            raise
        finally:
            TURN.reset(was)
        self.succeeded()
        return found

    async def enter(self, early: bool = False) -> None:
        """Wait for a place. Raises `ProviderSkipped` at once when it is not to be asked now.

        `early` is for a look-up that nobody waits for yet: it takes no place that another may need, and never waits.
        """
        if self._enters_at_once(early):
            return
        self._refuse_when_held()
        if early and (self._running * 2 >= self._limits.at_a_time or not self._has_half()):
            raise ProviderSkipped(f"{self._name}: not asked early, its limits are needed for others")
        if self._running >= self._limits.at_a_time:
            await self._wait_for_place()
        else:
            self._running += 1
        try:
            await self.wait_for_rate()
            self._refuse_when_held()  # it may have failed while we waited
        except BaseException:
            self.leave()
            raise
        self._probing = self.open

    def _enters_at_once(self, early: bool) -> bool:
        """Take a place and return True where nothing speaks against it: no failure, no pause, no rate, a free place."""
        if self._failures or self._told_to_wait_until or self._buckets or early or self._waiting:
            return False
        if self._running >= self._limits.at_a_time:
            return False
        self._running += 1
        return True

    def succeeded(self) -> None:
        """Note that it answered; "no record" and a refusal are answers too."""
        self._failures, self._probing = 0, False
        self.leave()

    def failed(self, retry_after_s: float | None = None) -> None:
        """Note that it did not answer; with `retry_after_s` it asked to be left alone for that long instead."""
        self._probing = False
        if retry_after_s is not None:
            self._told_to_wait_until = max(self._told_to_wait_until, self._clock() + retry_after_s)
        else:
            self.late()
        self.leave()

    def late(self) -> None:
        """Note that a look-up which has left already got no answer in time."""
        self._failures += 1
        if self.open:
            self._closed_until = self._clock() + self._limits.pause_s

    def leave(self) -> None:
        """Return the place back without a verdict: the look-up was cancelled."""
        self._probing = False
        self.give()

    def take(self) -> bool:
        """Take a place if one is free now, and nobody waits for it."""
        if self._waiting or self._running >= self._limits.at_a_time:
            return False
        self._running += 1
        return True

    def give(self) -> None:
        """Return a place."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place passes on; nobody can take it in between
                return
        self._running -= 1

    @property
    def open(self) -> bool:
        """Whether the breaker is open: too many failures in a row."""
        return 0 < self._limits.failures <= self._failures

    def _refuse_when_held(self) -> None:
        now = self._clock()
        if now < self._told_to_wait_until:
            raise ProviderSkipped(
                f"{self._name}: not asked, it asked for a pause of {_s(self._told_to_wait_until - now)}"
            )
        if not self.open:
            return
        if now < self._closed_until:
            again = _s(self._closed_until - now)
            raise ProviderSkipped(
                f"{self._name}: not asked, it failed {self._failures} times in a row; next try in {again}"
            )
        if self._probing:
            raise ProviderSkipped(
                f"{self._name}: not asked, it failed {self._failures} times in a row and is being tried"
            )

    async def _wait_for_place(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the place had been given to us in the same moment
            raise

    def _has_half(self) -> bool:
        """Return whether half of each burst is left, and one request at least."""
        now = self._clock()
        return all(bucket.free(now) >= max(1.0, bucket.burst / 2) for bucket in self._buckets)

    async def wait_for_rate(self) -> None:
        """Wait until one more request may begin."""
        if not self._buckets:
            return
        now = self._clock()
        wait_s = max([bucket.take(now) for bucket in self._buckets])
        if wait_s > 0:
            try:
                await asyncio.sleep(wait_s)
            except asyncio.CancelledError:
                for bucket in self._buckets:
                    bucket.give_back()
                raise


class LookupTurn:
    """Keeps the port `Turn` for one look-up: the limiter let it through for its first request."""

    def __init__(self, limiter: Limiter, tell: Callable[[bool], None]) -> None:
        self._limiter, self._tell = limiter, tell
        self._first = True
        self.take, self.give = limiter.take, limiter.give

    async def request(self) -> None:
        """Wait until one more request may begin; the first one may at once."""
        if self._first:
            self._first = False
            return
        self._tell(True)
        await self._limiter.wait_for_rate()
        self._tell(False)


def _s(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else "a moment"
