"""A call as the entry that a CRM gets: the subject from a text over the call, and a body that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo

from routing_engine.calls.call import Call
from routing_engine.calls.ports import EntryContact, EntryUser, LogEntry
from routing_engine.core.model import Operand, Template, Value
from routing_engine.core.templates import render

# As much as the shortest field of a CRM that ships holds; a longer one would be refused whole.
_LONGEST_SUBJECT = 255
_NOBODY = EntryUser()
_OUTCOMES = {
    "answered": "answered",
    "missed": "missed: nobody took it",
    "abandoned": "missed: the caller gave up in the queue",
    "voicemail": "a message was left",
    "unanswered": "not answered",
    "busy": "busy",
    "failed": "it could not be set up",
    "unknown": "its end is not known",
}


def entry_of(
    call: Call,
    subject: Template,
    zone: tzinfo | None,
    user: EntryUser = _NOBODY,
    link: str = "",
    recording_url: str = "",
) -> LogEntry:
    """Return what a CRM is told of a call.

    `zone` is the site's, None this machine's; `link` and `recording_url` are "" for none.
    """
    texts = _Texts(call, zone, user)
    return replace(
        _facts(call),
        subject=texts.subject(subject),
        body="\n".join(texts.lines(link, recording_url)),
        notes="\n".join(texts.notes()),
        link=link,
        recording_url=recording_url,
        user=user,
        contact=contact_of(call),
    )


def _facts(call: Call) -> LogEntry:
    return LogEntry(
        id=call.id,
        direction=call.direction,
        subject="",
        body="",
        started_at=call.started_at,
        outcome=call.outcome,
        from_=call.from_ or "",
        to=call.to or "",
        did=call.did or "",
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        duration_s=call.duration_s,
        talk_s=call.talk_s,
        queue=call.queue or "",
        tags=call.tags,
        sentiment=call.sentiment,
        disposition=call.disposition or "",
    )


def contact_of(call: Call) -> EntryContact | None:
    """Return the record that a call belongs to; None where there is none, or more than one."""
    found = call.contact
    if found is None or found.model is None or not found.id:
        return None
    return EntryContact(found.model, found.id, found.name or "", found.fields)


class _Texts:
    """The words for one call."""

    def __init__(self, call: Call, zone: tzinfo | None, user: EntryUser) -> None:
        self._call, self._zone, self._user = call, zone, user

    def subject(self, text: Template) -> str:
        # A value that is missing leaves two spaces where it stood; a name out of a CRM may hold a line break.
        found = " ".join(render(text, self._value).split())
        return found[:_LONGEST_SUBJECT] or "Call"

    def lines(self, link: str, recording_url: str) -> Iterator[str]:
        """Yield the body: a line for each thing that is known."""
        call = self._call
        yield f"{call.direction.capitalize()} call from {call.from_ or 'a withheld number'} to {call.to or '?'}"
        yield f"Began {self._moment(call.started_at)}{self._how_long()}"
        if call.outcome is not None:
            yield f"Outcome: {_OUTCOMES[call.outcome]}{self._by_whom()}"
        yield from (f"{name}: {text}" for name, text in self._said() if text)
        notes = [*self.notes()]
        yield from ["Notes:", *notes] if notes else []
        yield from [f"Recording: {recording_url}"] if recording_url else []
        yield from [f"Details: {link}"] if link else []
        # The last line: what systems without a place for our id are searched by.
        yield f"Call ID: {call.id}"

    def _said(self) -> Iterator[tuple[str, str]]:
        call = self._call
        yield "Queue", call.queue or ""
        yield "Route", f"{call.route.name}, rule {call.route.rule}" if call.route and call.route.rule else ""
        yield "Disposition", call.disposition or ""
        yield "Sentiment", call.sentiment or ""
        yield "Tags", ", ".join(call.tags)

    def notes(self) -> Iterator[str]:
        """Yield the notes, each with who wrote it and when."""
        for note in self._call.notes:
            yield f"{self._moment(note.at)} {note.by}: {note.text}"

    def _by_whom(self) -> str:
        user = self._user
        name = user.name or self._call.user or ""
        who = f"{name} ({user.extension})" if name and user.extension else name or user.extension
        return f", by {who}" if who else ""

    def _how_long(self) -> str:
        call = self._call
        found = [
            *([f"lasted {clock(call.duration_s)}"] if call.duration_s is not None else []),
            *([f"spoken {clock(call.talk_s)}"] if call.talk_s else []),
            *([f"on hold {clock(call.hold_s)}"] if call.hold_s else []),
        ]
        return "".join(f", {one}" for one in found)

    def _moment(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone).strftime("%Y-%m-%d %H:%M")

    def _value(self, operand: Operand) -> Value:
        if operand.scope == "record":
            return self._contact(operand.name)
        if operand.name.startswith("user."):
            name = operand.name.removeprefix("user.")
            return {"name": self._user.name, "extension": self._user.extension, "email": self._user.email}[name]
        return self._call_text(operand.name)

    def _contact(self, name: str) -> Value:
        contact = self._call.contact
        if contact is None:
            return None
        known = {"name": contact.name, "id": contact.id, "url": contact.url, "model": contact.model}
        return contact.fields.get(name) or known.get(name)

    def _call_text(self, name: str) -> Value:
        call = self._call
        began = datetime.fromtimestamp(call.started_at, self._zone)
        return {
            "who": self._who(),
            "from": call.from_,
            "to": call.to,
            "did": call.did,
            "direction": call.direction,
            "outcome": call.outcome,
            "queue": call.queue,
            "duration": None if call.duration_s is None else clock(call.duration_s),
            "talk": None if call.talk_s is None else clock(call.talk_s),
            "date": began.strftime("%Y-%m-%d"),
            "time": began.strftime("%H:%M"),
            "disposition": call.disposition,
            "tags": call.tags,
            "pbx": call.pbx,
            "id": call.id,
        }[name]

    def _who(self) -> str:
        call = self._call
        # Our own extension says nothing of who it was.
        number = (call.to if call.direction == "outbound" else call.from_) or ""
        name = (call.contact.name if call.contact is not None else None) or ""
        return f"{name} ({number})" if name and number else name or number or "a withheld number"


def clock(seconds: float) -> str:
    """Return a duration as people read it: `5:03`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
