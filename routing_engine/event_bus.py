"""Who hears of what happens: an event goes to every subscriber, and none of them can hold up a call or another one.

`subscribe` is for everybody: before each subscriber stands a queue of its own, so it may be slow, or break. The log,
metrics and the journal use `subscribe_at_once`: they only take a note, which costs less than a queue would.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar, cast

from routing_engine.core.events import Event
from routing_engine.errors import traceback_frames
from routing_engine.logger import Logger

E = TypeVar("E", bound=Event)
#: How many events may wait before one subscriber: a quarter of a minute at some hundred calls a second.
MOST_WAITING = 5000
#: How long the end of the service waits for what subscribers still have to do.
CLOSE_S = 3.0

_log = Logger()
# A subscriber takes one kind of event, and gets no other; the dispatch by class is what types cannot say.
_Hear: TypeAlias = Callable[[Any], None]


class EventBus:
    """Takes events from everywhere in the event loop, and tells those who subscribed. `close` at the end."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._subscribed: list[tuple[type[Event], str, _Hear]] = []
        self._by_class: dict[type[Event], tuple[tuple[str, _Hear], ...]] = {}
        self._queues: list[_Queue[Any]] = []
        self._failing: set[str] = set()

    def subscribe(self, kind: type[E], hear: Callable[[E], Awaitable[None]] | Callable[[E], None]) -> None:
        """Let `hear` take every event of `kind`, one after the other, in order.

        A coroutine function runs in the event loop and may await what it likes; a plain function runs in a thread of
        its own and may block. Who falls `most_waiting` events behind misses the next ones, which is logged.
        """
        awaits = inspect.iscoroutinefunction(hear) or inspect.iscoroutinefunction(type(hear).__call__)
        queue: _Queue[E]
        if awaits:
            queue = _InLoop(cast(Callable[[E], Awaitable[None]], hear), self._most_waiting, self._failed)
        else:
            queue = _InThread(cast(Callable[[E], None], hear), self._most_waiting, self._failed)
        self._queues.append(queue)
        self._add(kind, queue.name, queue.put)

    def subscribe_at_once(self, kind: type[E], hear: Callable[[E], None]) -> None:
        """Let `hear` take every event of `kind` in the call's own turn: it must not wait and cost microseconds only."""
        self._add(kind, _name(hear), hear)

    def is_heard(self, kind: type[Event]) -> bool:
        """Return whether anybody hears of `kind`: what nobody hears of need not be measured."""
        return any(issubclass(kind, wanted) for wanted, _, _ in self._subscribed)

    def publish(self, event: Event) -> None:
        """Tell everybody. Never raises and never waits."""
        # By class, and found once: walking all subscriptions would cost each event more than telling them.
        hearers = self._by_class.get(type(event))
        if hearers is None:
            hearers = self._by_class[type(event)] = self._hearers(type(event))
        for name, hear in hearers:
            try:
                hear(event)
            except Exception as error:
                self._failed(name, error)

    async def close(self, within_s: float = CLOSE_S) -> None:
        """Let subscribers finish what waits for them, for `within_s` seconds; the rest is dropped."""
        await asyncio.gather(*(queue.close(within_s) for queue in self._queues))

    def _add(self, kind: type[Event], name: str, hear: _Hear) -> None:
        self._subscribed.append((kind, name, hear))
        self._by_class.clear()

    def _hearers(self, kind: type[Event]) -> tuple[tuple[str, _Hear], ...]:
        return tuple((name, hear) for wanted, name, hear in self._subscribed if issubclass(kind, wanted))

    def _failed(self, name: str, error: Exception) -> None:
        # Once each: one that breaks does so with every call, and the log is for people.
        if name not in self._failing:
            self._failing.add(name)
            _log.error(
                "subscriber.failed", subscriber=name, error=type(error).__name__, traceback=traceback_frames(error)
            )


class _Queue(Generic[E]):
    """What stands before one subscriber: a bounded line, and who works it off."""

    def __init__(self, name: str, most: int, failed: Callable[[str, Exception], None]) -> None:
        self.name, self._most, self._failed = name, most, failed
        self._waiting: deque[E] = deque()
        self._lost = 0

    def put(self, event: E) -> None:
        """Take an event into the line, unless it is full."""
        if len(self._waiting) >= self._most:
            self._lost += 1
            if self._lost == 1:
                _log.warning("subscriber.behind", subscriber=self.name, waiting=self._most)
            return
        if self._lost and not self._waiting:
            _log.info("subscriber.caught_up", subscriber=self.name, lost=self._lost)
            self._lost = 0
        self._waiting.append(event)
        self._wake()

    @abstractmethod
    def _wake(self) -> None:
        """See that somebody works the line off."""

    @abstractmethod
    async def close(self, within_s: float) -> None:
        """Let the line be worked off, for so many seconds."""


class _InLoop(_Queue[E]):
    """Works a line off in the event loop: a task that lives as long as something waits."""

    def __init__(
        self, hear: Callable[[E], Awaitable[None]], most: int, failed: Callable[[str, Exception], None]
    ) -> None:
        super().__init__(_name(hear), most, failed)
        self._hear = hear
        self._task: asyncio.Task[None] | None = None

    def _wake(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=self.name)

    async def _work(self) -> None:
        # One after the other: a subscriber that awaits still sees its events in order.
        while self._waiting:
            try:
                await self._hear(self._waiting.popleft())
            except Exception as error:
                self._failed(self.name, error)
        self._task = None

    async def close(self, within_s: float) -> None:
        """Wait for the task, then end it."""
        if (task := self._task) is not None:
            await asyncio.wait({task}, timeout=within_s)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _InThread(_Queue[E]):
    """Works a line off in a thread, begun with the first event. It is a daemon: one that hangs holds up no exit."""

    def __init__(self, hear: Callable[[E], None], most: int, failed: Callable[[str, Exception], None]) -> None:
        super().__init__(_name(hear), most, failed)
        self._hear = hear
        self._ready = threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def _wake(self) -> None:
        self._ready.release()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._ready.acquire()
            if not self._waiting:  # `close` let us go without an event
                return
            try:
                self._hear(self._waiting.popleft())
            except Exception as error:
                self._failed(self.name, error)

    async def close(self, within_s: float) -> None:
        """Wait for the thread; one that does not end is left behind."""
        if self._thread is not None:
            self._ready.release()
            await asyncio.to_thread(self._thread.join, within_s)


def _name(hear: Callable[[Any], Any]) -> str:
    """Return where a subscriber is from, for the log: its module and its name; of a callable object its class."""
    named = hear if hasattr(hear, "__qualname__") else type(hear)
    return f"{hear.__module__ or 'builtins'}.{named.__qualname__}".removeprefix("routing_engine.")
