"""What a person writes goes through the own account, and through the integration's where that one has ended.

Only what the person does: nobody's look-ups, and nobody else's entries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from routing_engine.calls.own_accounts import OwnAccount
from routing_engine.calls.ports import (
    CallLog,
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
from routing_engine.errors import ProviderRefused
from routing_engine.logger import Logger

T = TypeVar("T")
_log = Logger()


async def in_own_name(
    account: OwnAccount, own: Callable[[], Awaitable[T]], usual: Callable[[], Awaitable[T]], whose: str
) -> T:
    """Do something with a person's account; with the integration's where the account is not connected any more.

    What the system refuses to a person who is connected is refused: it must not be done with the rights of another.
    """
    if not await is_connected(account):
        return await usual()
    try:
        return await own()
    except ProviderRefused:
        # A log-in that was taken back shows with its first use.
        if await is_connected(account):
            raise
        _log.warning("account.ended", account=whose)
        return await usual()


async def is_connected(account: OwnAccount) -> bool:
    """Return whether an account can be used; what is kept of it may not be readable."""
    try:
        state = await account.state()
    except ProviderRefused:
        return False
    return state is not None and state.state == "connected"


class PersonalDesk:
    """Keeps the port `RecordDesk` for one person: `own` is the person's account, `usual` that of the integration."""

    def __init__(self, account: OwnAccount, own: RecordDesk, usual: RecordDesk, whose: str) -> None:
        self._account, self._own, self._usual, self._whose = account, own, usual, whose

    def form(self, model: str) -> RecordForm:
        """Return what can be written."""
        return self._usual.form(model)

    async def create(self, model: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> Record:
        """Create a record of a model."""
        return await self._do(lambda desk: desk.create(model, fields, owner))

    async def edit(self, model: str, record_id: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> None:
        """Change some fields of a record."""
        await self._do(lambda desk: desk.edit(model, record_id, fields, owner))

    async def _do(self, act: Callable[[RecordDesk], Awaitable[T]]) -> T:
        return await in_own_name(self._account, lambda: act(self._own), lambda: act(self._usual), self._whose)


class PersonalLog:
    """Keeps the port `CallLog` for the calls of one person."""

    def __init__(self, account: OwnAccount, own: CallLog, usual: CallLog, whose: str) -> None:
        self._account, self._own, self._usual, self._whose = account, own, usual, whose

    @property
    def log_at(self) -> LogAt:
        """When the entry is made."""
        return self._usual.log_at

    @property
    def takes_recording(self) -> TakesRecording:
        """What `attach` can do."""
        return self._usual.takes_recording

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        """Write a new entry."""
        return await self._do(lambda log: log.log(entry, again))

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        """Bring an entry up to what the call is now."""
        await self._do(lambda log: log.update(entry, crm_id))

    async def move(self, entry: LogEntry, crm_id: str, was: EntryContact) -> bool:
        """Take an entry to another record."""
        return await self._do(lambda log: log.move(entry, crm_id, was))

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        """Add the recording to an entry."""
        await self._do(lambda log: log.attach(entry, crm_id, recording))

    async def find_user(self, email: str, extension: str) -> str | None:
        """Return the system's id of a person: people themselves may often not read the users."""
        return await self._usual.find_user(email, extension)

    async def _do(self, act: Callable[[CallLog], Awaitable[T]]) -> T:
        return await in_own_name(self._account, lambda: act(self._own), lambda: act(self._usual), self._whose)
