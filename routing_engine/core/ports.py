"""Every plug of the engine on one page: what a channel, a provider and a look-up must do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from routing_engine.core.asks import Collect, Find, Found, Play, SourceDown, Typed
from routing_engine.core.model import Caller, Filler, Operand, Record, Value
from routing_engine.core.phone import Number
from routing_engine.errors import ChannelError, Problem


class Channel(Protocol):
    """A call in progress, however it reached us. Everything may raise `CallerHungUp` or `ChannelBroken`."""

    caller: Caller

    @property
    def lost(self) -> ChannelError | None:
        """Why the conversation is over before its end; None while it goes on."""

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        """Open the conversation.

        `longest_s` is what its first look-up may need at most: a channel that is silent for longer is broken.
        `language` is that of the prompts ("" keeps the channel's). Returns the caller with the channel variables of the
        names in `variables`.
        """

    async def expect(self, longest_s: float) -> None:
        """Say that what comes next can last so long without a word of ours; sounds and digits are expected already."""

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        """Make prompts audible: answer the call, or open early media. Called once, before the first prompt."""

    async def play(self, ask: Play) -> Typed:
        """Play sounds one after the other; a digit ends them where `barge_in` allows it. A missing one is skipped."""

    async def collect(self, ask: Collect) -> Typed:
        """Read digits: without the terminator, at most `max` of them."""

    async def switch(self, language: str) -> None:
        """Play prompts in this language from now on."""

    async def observe(self, operands: Sequence[Operand]) -> Mapping[Operand, Value]:
        """Return what live operands are now; one that cannot be told is left out."""

    async def fill(self, filler: Filler | None) -> bool:
        """Start what the caller hears during a look-up; None ends it. Return whether the call is up: he hears us."""

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        """Set channel variables in this order and end the conversation. Raises when they were not all taken."""


#: Searched in place of a field, where `Model.by_name` says so: words of what people call a record.
NAME_WORDS = "~name"


@dataclass(frozen=True, slots=True)
class Query:
    """What a provider is asked.

    `field` is the field (our name) that `value` is searched in, or `NAME_WORDS`; "" leaves the choice to the provider.
    `by_caller`
    says that the search is for the caller's number: `value` is then that number in E.164. `caller` is the calling
    number also when the search is for something else, and None when it is hidden: then it must not be sent.
    `form` is the format that the integration wants it in, one of `PHONE_FORMATS`, and `number` is that text.
    `attempt` counts from 0 for providers that have several ways to ask for a caller (`Model.attempts`).
    A provider may return other people's records too: `caller_match` leaves out what does not hold the caller's number.
    """

    model: str
    field: str
    value: str
    by_caller: bool
    caller: Number | None
    form: str = "e164"
    attempt: int = 0

    @property
    def number(self) -> str:
        """The calling number in `form`; "" when it is hidden."""
        return self.caller.form(self.form) if self.caller is not None else ""


class Noted(tuple[Record, ...]):
    """What `Provider.find` found, and what must be said of it in the trail. `asked` is False where nothing was sent."""

    note: str
    asked: bool

    def __new__(cls, records: Iterable[Record], note: str, asked: bool = True) -> Noted:
        """Return the records with their note."""
        made = super().__new__(cls, records)
        made.note, made.asked = note, asked
        return made


class Provider(Protocol):
    """A connection to a system that holds records."""

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the records that fit, best first; an empty sequence is "no record".

        Raises `ProviderUnreachable`, `ProviderRefused` or `ProviderMisread`, and nothing else. It has no time-out of
        its own to keep: the caller cancels it.
        """

    async def close(self) -> None:
        """Release connections. Called once, after the last look-up."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of a list: `records` as `find` gives them, each with its `id`, and `gone`, ids of those deleted.

    `cursor` is where the next page begins, in words of the provider's own; "" says that this was the last page.
    """

    records: Sequence[Record] = ()
    gone: Sequence[str] = ()
    cursor: str = ""


#: What of a model can be listed: nothing, all records, or also those that were changed since a moment.
Listing: TypeAlias = Literal["", "all", "changes"]


@runtime_checkable
class Listable(Protocol):
    """What a provider's settings keep when its records can be listed.

    They know it before anything is opened, so that a `mirror:` which cannot be is refused when the folder is read.
    """

    def listing(self, model: str) -> Listing:
        """Return what of a model can be listed."""


@runtime_checkable
class KnowsPages(Protocol):
    """What a provider's settings keep when they, and not the model alone, say where a record's page is.

    So that records which are given beforehand have the page that the system's own would have.
    """

    def page_of(self, model: str, fields: Mapping[str, Value]) -> str:
        """Return the address of a record's page; "" where it has none, or only a log-in tells it."""


@runtime_checkable
class Lists(Protocol):
    """What a provider keeps beside `Provider` when its records can be listed: then they can be mirrored."""

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        """Return one page: one request to the other side, as the limits of an integration count.

        `cursor` is "" for the first page, else that of the page before; the same one may be asked for again when the
        request failed, and hours later. `since` None lists every record; else (UTC) all that were changed at that
        moment or later, and the ids of those deleted since where the system tells them. Too many, or one twice, do no
        harm; one too few is wrong until the next full list. Order pages by something that does not move.
        Raises what `find` raises, and like it is cancelled when it takes too long.
        """


@runtime_checkable
class Ages(Protocol):
    """What a provider keeps beside `Provider` when it answers from a copy of the system's records."""

    def age_s(self, model: str) -> float | None:
        """Return how many seconds old the copy of a model is; None while there is none."""


@runtime_checkable
class NamesAuth(Protocol):
    """What a provider's settings keep when the system wants to know who asks."""

    @property
    def auth_way(self) -> str:
        """How we prove who we are, in the words of `auth`; "" when nobody asks."""


@runtime_checkable
class Checks(Protocol):
    """What a provider keeps beside `Provider` when it knows something cheaper to ask than a look-up."""

    async def check(self) -> str:
        """Ask the system whether all is well; return a sentence on what was seen. Raises what `find` raises."""


@runtime_checkable
class Remarks(Protocol):
    """What a provider keeps beside `Provider` when it can tell of records that nobody will find."""

    async def remarks(self) -> Sequence[Problem]:
        """Return what is wrong with single records. Raises what `find` raises."""


@dataclass(frozen=True, slots=True)
class FileSearch:
    """How a source of a route searches a model: `field` "" leaves the choice to the provider."""

    model: str
    field: str
    by_caller: bool


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What is wrong with a file of records: what every call would stumble over, and what only some records have."""

    faults: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


@runtime_checkable
class ReadsFile(Protocol):
    """What a provider's settings keep when its records lie in a file here: `check` reads it, as a call would."""

    def look(
        self, folder: Path, fields: Mapping[str, Mapping[str, str]], region: str, searches: Sequence[FileSearch]
    ) -> FileFindings:
        """Read the file; `fields` are the field maps of its models. Problems call it by its name in `folder`."""


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field that a system says a model has: its name there, and, where it tells, what people call it and its type."""

    name: str
    label: str = ""
    type: str = ""


@runtime_checkable
class Describes(Protocol):
    """What a provider keeps beside `Provider` when the system can tell the fields of its models."""

    async def fields_of(self, model: str) -> Sequence[RemoteField]:
        """Ask for the fields; none when it cannot be told. Raises what `find` raises."""

    def asks_for(self, model: str) -> Mapping[str, Sequence[str]]:
        """Return the names of theirs that each field of ours is made of, without those that come with every record."""


class Speech(Protocol):
    """Text to speech."""

    @property
    def patience_s(self) -> float:
        """How long one text may take at most."""

    async def sound(self, text: str, language: str) -> str | None:
        """Return the name of a sound that says the text; None when it cannot be made in time. Never raises."""


#: What a look-up that was begun early is cancelled with when the time of its call is up.
TOO_LATE = "too late"


class Lookup(Protocol):
    """Finds a record in time, or says that the source is down."""

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Ask the source's integration; never raises for a failing provider and never takes longer than `left_s`.

        Cancelled with `TOO_LATE` it returns at once what it would return at the end of `left_s`.
        """


#: Returns the seconds of a clock that never goes back; an argument, so that no test waits.
Clock = Callable[[], float]
#: The moment, in the site's time zone.
Now = Callable[[], datetime]
