"""From an event to a row: what is kept of a call, and what is left out.

Not kept: the caller's name, the values of the record's fields, channel variables, what was said of values. The trail
tells those that the decision looked at, with its sensitive digits masked by the core.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted
from routing_engine.core.model import Decision, Destination, Record, Sound, Spoken, TrailStep
from routing_engine.core.phone import Number
from routing_engine.core.redact import visible
from routing_engine.journal.privacy import Privacy, may_hold_number

Ended: TypeAlias = Literal["routed", "fallback", "abandoned"]
#: Column -> value, see `tables.CALLS`.
Row: TypeAlias = dict[str, Any]
#: What makes a text fit to be kept.
Clean: TypeAlias = Callable[[str], str]

_LONGEST = 2000
#: The beginning of all moments, in whatever zone: rows have milliseconds since then in UTC, and the zone's offset.
EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)


class JournalEntry(NamedTuple):
    """A call on its way to the disk: small, so that many may wait while the disk does not take them.

    Where it has to wait, `decision` has no record, and of its side effects the names alone. `fields` are the names of
    the record's fields, `why` is why the call was abandoned.
    """

    number: Number | None
    called: str
    language: str
    call_id: str
    at: datetime
    took_ms: float
    waited_s: float
    silence_s: float
    route: str
    decision: Decision | None
    record: tuple[str, str, str] = ("", "", "")
    fields: tuple[str, ...] = ()
    why: str = ""


def journal_entry(event: CallEnded, small: bool = True) -> JournalEntry:
    """Return what is kept of an event. It does nothing that can wait: where many wait this runs on the call's path.

    Not `small`, for what is written at once, its decision has all that it had.
    """
    caller = event.caller
    times = event.took_ms, event.waited_s, event.silence_s
    about = caller.number, caller.called, caller.language, caller.call_id, caller.at, *times, event.route
    if not isinstance(event, CallRouted):
        return JournalEntry(*about, None, why=event.why if isinstance(event, CallAbandoned) else "")
    decision, record = event.decision, event.decision.record
    if small:
        # Not their values: they may be long, thousands of calls wait while the disk takes none, and rows have none.
        decision = replace(decision, record=None, sets=tuple((name, "") for name, _ in decision.sets))
    return JournalEntry(*about, decision, *(_reference(record) if record is not None else ()))


def _reference(record: Record) -> tuple[tuple[str, str, str], tuple[str, ...]]:
    return (record.id, record.url, record.origin), tuple(record.fields)


def row_of(entry: JournalEntry, privacy: Privacy) -> Row:
    """Return an entry as it is written: numbers as the setting says, every text clean and of bounded length."""
    number = entry.number

    def text(value: str) -> str:
        return value if value in _HARMLESS or _is_harmless(value) else privacy.text(clean(value), number)

    def own(value: str) -> str:
        return value if value in _HARMLESS or _is_harmless(value) else privacy.own(clean(value), number)

    decided = _NOTHING_DECIDED if entry.decision is None else _decision_columns(entry.decision, text)
    return _call_columns(entry, privacy, text, own) | decided


def _call_columns(entry: JournalEntry, privacy: Privacy, text: Clean, own: Clean) -> Row:
    at_ms, offset_s = _moment(entry.at)
    record_id, record_url, record_origin = entry.record
    return {
        "call_id": own(entry.call_id),
        "at_ms": at_ms,
        "offset_s": offset_s,
        "took_ms": round(entry.took_ms, 3),
        "waited_ms": round(entry.waited_s * 1000, 3),
        "silence_ms": round(entry.silence_s * 1000, 3),
        "caller": privacy.shown(entry.number),
        "token": privacy.token(entry.number),
        # What held when it was written: the setting may change, the row stays.
        "numbers": privacy.mode,
        "key_id": privacy.key_id,
        "called": own(entry.called),
        "language": clean(entry.language),
        "route": clean(entry.route),
        "record_id": own(record_id),
        "record_url": own(record_url),
        "record_origin": record_origin,
        "record_fields": _json([clean(name) for name in entry.fields]),
        "why": text(entry.why),
    }


def _decision_columns(decision: Decision, text: Clean) -> Row:
    first = decision.destination
    return {
        "ended": "fallback" if decision.failed else "routed",
        "revision": clean(decision.revision),
        "reason": decision.reason,
        "rule": clean(decision.rule),
        "source": clean(decision.source),
        "kind": first.kind if first is not None else "",
        "target": text(first.target) if first is not None else "",
        "priority": first.priority if first is not None else None,
        "ring_s": first.ring_s if first is not None else None,
        "chain": _json([_destination(one, text(one.target)) for one in decision.chain]),
        "played": _json([text(_name(sound)) for sound in decision.play]),
        "sets": _json([clean(name) for name, _ in decision.sets]),  # their values may hold anything of the CRM
        "trail": _json([_step(step, text(step.step), text(step.outcome)) for step in decision.trail]),
    }


#: What a call has that was abandoned.
_NOTHING_DECIDED: Row = {
    "ended": "abandoned",
    **dict.fromkeys(("revision", "reason", "rule", "source", "kind", "target"), ""),
    **dict.fromkeys(("priority", "ring_s")),
    **dict.fromkeys(("chain", "played", "sets", "trail"), "[]"),
}


def clean(text: str) -> str:
    """Return a text that can stand in every database and on every terminal: no control character, not too long."""
    return text if text in _HARMLESS or _is_harmless(text) else visible(text[:_LONGEST])


#: Texts that were found to be kept as they are, whatever the setting: names of routes and rules, `matched`, `1 record`.
#: Most texts of a call are among them, and to look for numbers in each took a third of a row's time.
_HARMLESS: set[str] = set()
_MOST_HARMLESS, _LONGEST_HARMLESS = 4096, 60


def _is_harmless(text: str) -> bool:
    """Return whether a text is kept as it is; remember it."""
    if len(text) > _LONGEST_HARMLESS or not text.isprintable() or may_hold_number(text):
        return False
    if len(_HARMLESS) >= _MOST_HARMLESS:
        _HARMLESS.clear()
    _HARMLESS.add(text)
    return True


def _destination(one: Destination, target: str) -> Row:
    return {"kind": one.kind, "target": target, "priority": one.priority, "ring_s": one.ring_s}


def _name(sound: Sound) -> str:
    """Return a sound's name; of what was said the kind alone: sensitive digits may have been among it."""
    return sound.kind if isinstance(sound, Spoken) else clean(sound)


def _step(step: TrailStep, name: str, outcome: str) -> list[str | float | None]:
    return [name, outcome, None if step.took_ms is None else round(step.took_ms, 1)]


def _moment(at: datetime) -> tuple[int, int]:
    """Return milliseconds since 1970 and the zone's offset in seconds; a moment without a zone counts as UTC.

    Not timestamp(): that asks the machine's zone, and fails near the year 1.
    """
    offset = at.utcoffset() or timedelta(0)
    return (at.replace(tzinfo=None) - EPOCH - offset) // _MS, round(offset.total_seconds())


# Made once: `json.dumps` makes an encoder for each text.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _json(value: Sequence[object]) -> str:
    return _JSON.encode(value) if value else "[]"
