"""The plugs of the calls' half on one page: where calls and records are written down, and what a PBX is told to do.

Whoever keeps one raises the errors of `errors.py`: `ProviderUnreachable` (try again; `ProviderThrottled` says when),
`ProviderRefused` (an administrator must act: the same again would be refused again), `ProviderMisread`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from routing_engine.calls.call import CallOutcome, Direction, Sentiment
from routing_engine.core.model import Json, Record

#: When the entry of a CRM is made: when the call begins, to be changed at its end; or when it is over.
LogAt: TypeAlias = Literal["start", "end"]
#: What a CRM takes of a recording: the sound itself, only an address where it can be heard, or nothing.
TakesRecording: TypeAlias = Literal["file", "link", ""]
#: A value of a request to the REST interface.
JsonField: TypeAlias = str | int | Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class EntryUser:
    """Who took or placed the call. `id` is the CRM's own; "" where nobody is known there."""

    id: str = ""
    extension: str = ""
    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class EntryContact:
    """The record that a call is written to. `model` is one of the integration's; `fields` go by our names."""

    model: str
    id: str
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One call as an entry of a CRM: everything that the steps of a description may use.

    Moments are seconds since 1970; what is not known (yet) is None or "". `body` is a readable text that carries notes,
    tags and sentiment for the many systems without fields of that kind; `notes` are the notes alone.
    """

    id: str
    direction: Direction
    subject: str
    body: str
    started_at: float
    outcome: CallOutcome | None = None
    from_: str = ""
    to: str = ""
    did: str = ""
    answered_at: float | None = None
    ended_at: float | None = None
    duration_s: float | None = None
    talk_s: float | None = None
    queue: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    sentiment: Sentiment | None = None
    disposition: str = ""
    # The page of the call here, and the address of its recording; "" where there is none.
    link: str = ""
    recording_url: str = ""
    user: EntryUser = EntryUser()
    # None: nobody knows the other party (`unmatched: log`).
    contact: EntryContact | None = None


@dataclass(frozen=True, slots=True)
class CrmEntry:
    """The entry in the CRM: its id there, and the address of its page ("" where the CRM has none)."""

    id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A recording that is final. `open` begins to read it from its start, each time anew: a request may be repeated.

    `size` is None where it is not known before the end.
    """

    name: str
    seconds: float
    open: Callable[[], AsyncIterator[bytes]]
    size: int | None = None
    media_type: str = "audio/wav"


@runtime_checkable
class WritesCalls(Protocol):
    """What a provider's settings keep when calls can be written: known before anything is opened, for `log:`."""

    @property
    def writes_calls(self) -> Literal["", "matched", "any"]:
        """Which calls can be written: none, those whose contact is known, or all."""

    @property
    def links_recordings(self) -> bool:
        """Whether an entry that is there can be told where its recording is heard."""


@runtime_checkable
class LogsCalls(Protocol):
    """What a provider keeps beside `Provider` when calls can be written to its system."""

    def call_log(self) -> CallLog | None:
        """Return what writes them, with the connection and the credentials of the look-ups; None where it cannot."""


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request as it would be sent, with the names of secrets in their place."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str


@runtime_checkable
class Rehearses(Protocol):
    """What a `CallLog` keeps when it can show what it would send, for `integrations log-test`."""

    def rehearse(self, entry: LogEntry) -> Sequence[ShownRequest]:
        """Return what `log` would send, without sending; what an answer gives stands as its name: `<crm_id>`."""


class CallLog(Protocol):
    """A system that calls are written to."""

    @property
    def log_at(self) -> LogAt:
        """When the entry is made. With `start`, `log` is for a call that may not have ended, and `update` closes it."""

    @property
    def takes_recording(self) -> TakesRecording:
        """What `attach` can do."""

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        """Write a new entry. `again` says that this was tried before, and nobody knows whether it arrived.

        With `again` the entry is searched for first, and changed where it is there already.
        """

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        """Bring an entry up to what the call is now. Nothing is sent to a CRM whose entries cannot be changed."""

    async def move(self, entry: LogEntry, crm_id: str, was: EntryContact) -> bool:
        """Take an entry from the record that it was written to, to that of `entry`; False where the CRM cannot."""

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        """Add the recording to an entry; with `takes_recording` "link" `entry.recording_url` alone, without a file."""

    async def find_user(self, email: str, extension: str) -> str | None:
        """Return the CRM's id of a person, by e-mail, then by extension; None where nobody, or several, fit."""


class PbxCommands(Protocol):
    """One PBX that does what it is told: over its own manager interface, or over the line of the edge beside it."""

    @property
    def reachable(self) -> bool:
        """Whether it can be told something now."""

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        """Return the answer to an action of the manager interface, and the events of a list behind it.

        A field with several values stands as often. Raises `AmiRefused` where Asterisk says no, `PbxDown` where nobody
        answers, and `ValueError` for a control character in a value: it would begin another line.
        """

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        """Let a phone ring on a channel with this id; return whether it was asked to.

        False: there is no such phone, or it is not registered. Raises what `action` raises.
        """

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        """Return the status of a request to Asterisk's REST interface; `path` begins behind `/ari`.

        Raises `PbxDown` where nobody answers, or the PBX has no `ari`.
        """


@dataclass(frozen=True, slots=True)
class ClickToDial:
    """Somebody has clicked on a number in a system: who it is there, and the id of the click ("" where it has none)."""

    number: str
    user: str
    id: str = ""


@runtime_checkable
class TakesClicks(Protocol):
    """What a provider's settings keep when its system may tell us of clicks on numbers."""

    def click(self, told: Json) -> ClickToDial | None:
        """Return the click; None where whoever tells of it does not prove to be the system, or says too little."""


@runtime_checkable
class HasScreens(Protocol):
    """What a provider keeps beside `Provider` when its system can show people who is calling."""

    def screen(self) -> CallScreen | None:
        """Return what shows it; None where the system cannot."""


class CallScreen(Protocol):
    """A system that shows its people who is calling: `entry.user` is the person, `entry.contact` the caller."""

    async def pop(self, entry: LogEntry) -> Mapping[str, str] | None:
        """Show it; return what `close` needs to know, None where it cannot be shown (yet): of nobody, say."""

    async def close(self, entry: LogEntry, shown: Mapping[str, str]) -> None:
        """Take it away again."""


@dataclass(frozen=True, slots=True)
class RecordForm:
    """Which fields of a model can be written, by our names: of a new record, and of one that is there."""

    create: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    # Without these nothing is created.
    needed: tuple[str, ...] = ()


@runtime_checkable
class KeepsRecords(Protocol):
    """What a provider keeps beside `Provider` when records can be written in its system."""

    def record_desk(self) -> RecordDesk | None:
        """Return what writes them, with the connection and the credentials of the look-ups; None where it cannot."""


class RecordDesk(Protocol):
    """A system whose records can be created and changed."""

    def form(self, model: str) -> RecordForm:
        """Return what can be written; an empty form where nothing can."""

    async def create(self, model: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> Record:
        """Create a record of a model, for its owner where that is somebody there; `fields` go by our names.

        Raise `ProviderRefused` where it cannot be done.
        """

    async def edit(self, model: str, record_id: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> None:
        """Change these fields of a record, and no others."""


@runtime_checkable
class Unregisters(PbxCommands, Protocol):
    """What keeps more of `PbxCommands`: it hears where phones are registered."""

    async def unregister(self, endpoint: str) -> None:
        """Let the PBX forget where a phone is registered, as far as it is known. Raises `PbxDown`."""
