"""What is asked of the calls that are kept: which ones, and what is to be changed about one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from routing_engine.calls.call import Call, CallContact, CallOutcome, Direction, Note, Sentiment

T = TypeVar("T")
#: Longer cursors are nobody's: the year 5138 has fewer digits.
_LONGEST_MOMENT = 14


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls: None does not narrow. Moments are of their start, `until` not included; the newest come first.

    `number` (E.164 or an extension) and `user` are of anybody who took part, `contact` is the other party's record as
    `contact_key` has it. `cursor` is what the page before gave.
    """

    since: float | None = None
    until: float | None = None
    user: str | None = None
    number: str | None = None
    outcome: CallOutcome | None = None
    direction: Direction | None = None
    cursor: str | None = None
    limit: int = 50
    contact: str | None = None

    @property
    def after(self) -> tuple[int, str] | None:
        """The start (milliseconds) and the id of the last call of the page before. Raises `ValueError`."""
        if self.cursor is None:
            return None
        at_ms, dash, call_id = self.cursor.partition("-")
        if not (dash and call_id and at_ms.isdecimal() and at_ms.isascii() and len(at_ms) <= _LONGEST_MOMENT):
            raise ValueError("this is no cursor; take 'next' of the page before")
        return int(at_ms), call_id


def contact_key(contact: CallContact | None) -> str | None:
    """Return what calls of one record are found by; None for nobody, and for one of several."""
    if contact is None or not (contact.integration and contact.model and contact.id):
        return None
    return f"{contact.integration}.{contact.model}/{contact.id}"


def start_ms(call: Call) -> int:
    """Return when a call began, in milliseconds since 1970."""
    return round(call.started_at * 1000)


def cursor_of(call: Call) -> str:
    """Return the cursor of the page that follows a call."""
    return f"{start_ms(call)}-{call.id}"


@dataclass(frozen=True, slots=True)
class CallEdit:
    """What people and workflows change about a call: None leaves it, "none" takes it away.

    `tags` replaces all of them, `add_tags` and `remove_tags` change some: so do two edits that know nothing of each
    other both count.
    """

    notes: tuple[Note, ...] = ()
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    sentiment: Sentiment | Literal["none"] | None = None
    disposition: str | None = None
    contact: CallContact | Literal["none"] | None = None

    def of(self, call: Call) -> Call:
        """Return a call with these changes, its version as it was."""
        kept = call.tags if self.tags is None else self.tags
        tags = _once((*(tag for tag in kept if tag not in self.remove_tags), *self.add_tags))
        return replace(
            call,
            notes=(*call.notes, *self.notes),
            tags=tags,
            sentiment=_changed(call.sentiment, self.sentiment),
            disposition=_changed(call.disposition, self.disposition),
            contact=_changed(call.contact, self.contact),
        )


def _once(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


def _changed(before: T | None, wanted: T | Literal["none"] | None) -> T | None:
    if wanted is None:
        return before
    return None if wanted == "none" else wanted
