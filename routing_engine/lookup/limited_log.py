"""Calls written within the limits of their integration, behind the look-ups of calls that ring now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from routing_engine.calls.ports import (
    CallLog,
    CallScreen,
    CrmEntry,
    EntryContact,
    EntryUser,
    LogAt,
    LogEntry,
    RecordDesk,
    RecordForm,
    SoundFile,
    TakesRecording,
)
from routing_engine.core.model import Record
from routing_engine.errors import ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.limiter import Limiter

T = TypeVar("T")


class LimitedCallLog:
    """Keeps the port `CallLog` in front of another. Raises `ProviderSkipped` where its turn has not come.

    What is written waits for nobody: it takes a place only where the look-ups of callers leave half of them.
    """

    def __init__(self, inner: CallLog, limiter: Limiter) -> None:
        self._inner, self._limiter = inner, limiter

    @property
    def log_at(self) -> LogAt:
        """When the entry is made."""
        return self._inner.log_at

    @property
    def takes_recording(self) -> TakesRecording:
        """What `attach` can do."""
        return self._inner.takes_recording

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        """Write a new entry."""
        return await self._run(partial(self._inner.log, entry, again))

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        """Bring an entry up to what the call is now."""
        await self._run(partial(self._inner.update, entry, crm_id))

    async def move(self, entry: LogEntry, crm_id: str, was: EntryContact) -> bool:
        """Take an entry to another record."""
        return await self._run(partial(self._inner.move, entry, crm_id, was))

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        """Add the recording to an entry."""

        async def ask() -> ProviderUnreachable | None:
            try:
                await self._inner.attach(entry, crm_id, recording)
            except ProviderThrottled:
                raise
            except ProviderUnreachable as error:
                return error
            return None

        # An upload may break without the system being down: no caller's look-up may be left out for it.
        if (broke := await self._run(ask)) is not None:
            raise broke

    async def find_user(self, email: str, extension: str) -> str | None:
        """Return the system's id of a person."""
        return await self._run(partial(self._inner.find_user, email, extension))

    async def _run(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await self._limiter.run(ask, early=True)


class LimitedRecordDesk:
    """Keeps the port `RecordDesk` in front of another. A person waits for it, as a caller does: it waits its turn."""

    def __init__(self, inner: RecordDesk, limiter: Limiter) -> None:
        self._inner, self._limiter = inner, limiter

    def form(self, model: str) -> RecordForm:
        """Return what can be written."""
        return self._inner.form(model)

    async def create(self, model: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> Record:
        """Create a record of a model."""
        return await self._limiter.run(partial(self._inner.create, model, fields, owner))

    async def edit(self, model: str, record_id: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> None:
        """Change some fields of a record."""
        await self._limiter.run(partial(self._inner.edit, model, record_id, fields, owner))


class LimitedScreen:
    """Keeps the port `CallScreen` in front of another. A telephone that rings waits for nobody: it has no later."""

    def __init__(self, inner: CallScreen, limiter: Limiter) -> None:
        self._inner, self._limiter = inner, limiter

    async def pop(self, entry: LogEntry) -> Mapping[str, str] | None:
        """Show who is calling."""
        return await self._limiter.run(partial(self._inner.pop, entry), early=True)

    async def close(self, entry: LogEntry, shown: Mapping[str, str]) -> None:
        """Take it away again."""
        await self._limiter.run(partial(self._inner.close, entry, shown))
