"""One does the work, all who ask for it meanwhile wait for that; who hangs up leaves it to the others.

The work runs in a task of its own, so that no caller's hang-up ends what others wait for. What it raised is looked at
here, because when all have left nobody else does, and asyncio would complain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Work: TypeAlias = Callable[[], Coroutine[None, None, T]]


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    """Work under way: how many wait for it, and whether it goes on when nobody does any more."""

    task: asyncio.Task[T]
    goes_on: bool
    waiters: int = 0


class SingleFlight(Generic[T]):
    """The work under way, by key; without a key there is one at a time.

    With `goes_on` it comes to its end for those who ask later. Without, it is cancelled when the last who waited has
    left: with the message that he was cancelled with, or with `too_late` when his own time was up.
    """

    def __init__(self, goes_on: bool = True, too_late: str = "") -> None:
        self._goes_on, self._too_late = goes_on, too_late
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()  # also those that nobody may join any more

    def __len__(self) -> int:
        return len(self._flights)

    def under_way(self, key: Hashable = None) -> bool:
        """Return whether somebody is at it."""
        return key in self._flights

    def begin(self, work: Work[T], key: Hashable = None) -> None:
        """Begin the work unless it is under way, without waiting; from now on it comes to its end."""
        (self._flights.get(key) or self._begin(work, key)).goes_on = True

    def let_go_on(self, key: Hashable = None) -> None:
        """Bring the work to its end from here, even if all leave: stopping it would save nothing any more."""
        if key in self._flights:
            self._flights[key].goes_on = True

    async def join(self, work: Work[T], key: Hashable = None, timeout_s: float | None = None) -> asyncio.Task[T] | None:
        """Wait for the work, which begins unless it is under way, and return its task, done; None when time was up.

        The task may have been cancelled, by `close`. Being cancelled oneself passes through.
        """
        flight = self._flights.get(key) or self._begin(work, key)
        flight.waiters += 1
        # Not `shield`: it would take the work's own cancelling for ours, and its failure for one that nobody saw.
        why = self._too_late
        try:
            await asyncio.wait({flight.task}, timeout=timeout_s)
        except asyncio.CancelledError as error:
            why = str(error.args[0]) if error.args else ""
            raise
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.goes_on and not flight.task.done():
                self._leave(key, flight)  # at once: who comes now must not wait for what is being ended
                flight.task.cancel(why)
        return flight.task if flight.task.done() else None

    async def run(self, work: Work[T], key: Hashable = None) -> T:
        """Wait for the work as `join` does, however long, and return what it returns. Raise what it raises."""
        done = await self.join(work, key)
        assert done is not None  # there was no time to be up
        return done.result()

    async def close(self, finish: bool = False) -> None:
        """End what is under way, or with `finish` wait for its end."""
        tasks = tuple(self._tasks)
        if not finish:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Work[T], key: Hashable) -> _Flight[T]:
        flight = _Flight(asyncio.get_running_loop().create_task(work()), self._goes_on)
        self._flights[key] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda _: self._done(key, flight))
        return flight

    def _done(self, key: Hashable, flight: _Flight[T]) -> None:
        self._leave(key, flight)
        self._tasks.discard(flight.task)
        if not flight.task.cancelled():
            flight.task.exception()

    def _leave(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:  # another for this key may have begun meanwhile
            del self._flights[key]
