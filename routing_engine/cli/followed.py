"""What `calls` and `explain` say of calls that were followed to their end: a line each, or as a person tells it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from routing_engine.calls.as_json import call_json, call_with_texts
from routing_engine.calls.call import Call, CallDelivery, HangupBy, Leg
from routing_engine.calls.requests import CallQuery
from routing_engine.cli.common import paint
from routing_engine.cli.journal import JournalPlace
from routing_engine.core.redact import escaped, visible
from routing_engine.journal.privacy import Privacy
from routing_engine.storage.place import DatabasePlace

#: Columns of the list.
HEAD = ("started", "call", "direction", "from", "to", "outcome", "by", "talked", "route")
_MASKED = Privacy("masked")
_WHO: Mapping[HangupBy, str] = {"other": "other party", "user": "user", "system": "system"}
_EMERGENCY = "the dialplan's emergency prompt ended it"


def find_followed(place: DatabasePlace, wanted: CallQuery) -> tuple[list[Call], bool] | None:
    """Return the calls that fit, the newest first, and whether there are more; None where no call was followed yet.

    Raises `StorageError`.
    """
    from routing_engine.storage import calls_table  # late: SQLAlchemy
    from routing_engine.storage.connector import Connector

    if place.path is not None and not place.path.exists():
        return None  # the journal says it, which may lie elsewhere
    with Connector(place, write=False).transaction() as connection:
        if calls_table.newest_start(connection) is None:
            return None
        calls, more = calls_table.find_calls(connection, wanted)
        return calls, more is not None


def with_id(place: DatabasePlace, call_id: str) -> list[Call]:
    """Return the calls with this id, of ours or of Asterisk; none where no database is. Raises `StorageError`."""
    from routing_engine.storage import calls_table  # late: SQLAlchemy
    from routing_engine.storage.connector import Connector

    if place.path is not None and not place.path.exists():
        return []
    with Connector(place, write=False).transaction() as connection:
        return calls_table.with_pbx_id(connection, call_id)


def masked(call: Call) -> Call:
    """Return a call with all that looks like a telephone number masked."""
    return call_with_texts(call, lambda text: _MASKED.text(text, None))


def ids_of(call: Call) -> set[str]:
    """Return every id by which the journal may know a call."""
    routed = (call.route_call_id, call.route.call_id if call.route is not None else None)
    return {one for one in (call.pbx_call_id, *call.linkedids, *routed) if one is not None}


# ------------------------------------------------------------------------------------------------ a line each


def list_followed(calls: Sequence[Call], options: argparse.Namespace, place: JournalPlace) -> None:
    """Print calls: the contract's JSON a line each, or a table."""
    shown = calls if options.plain else [masked(call) for call in calls]
    for call in shown if options.json else ():
        print(escaped(json.dumps(call_json(call), ensure_ascii=False)))
    if options.json:
        return
    rows = [HEAD, *(_row(call, place.zone) for call in shown)] if shown else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)] if rows else []
    for number, row in enumerate(rows):
        line = "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        print(line if number else paint(line, "dim"))


def _row(call: Call, zone: tzinfo | None) -> tuple[str, ...]:
    outcome = call.outcome or call.state
    cells = (
        _at(call.started_at, zone, "%Y-%m-%d %H:%M:%S"),
        call.pbx_call_id,
        call.direction,
        call.from_ or "withheld",
        call.to or "",
        f"{outcome}, emergency" if call.stranded is not None else outcome,
        call.user or "",
        "" if call.talk_s is None else f"{call.talk_s:.0f} s",
        call.route.name if call.route is not None else "",
    )
    return tuple(visible(cell) for cell in cells)


def _at(moment: float, zone: tzinfo | None, form: str = "%H:%M:%S") -> str:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).strftime(form)


# ------------------------------------------------------------------------------------------------ one to its end


def tell_followed(call: Call, zone: tzinfo | None) -> str:
    """Return a call to its end in some lines: who rang, who answered, how long, where it was written."""
    lines = [(name, text) for name, texts in _parts(call, zone) for name, text in _named(name, texts)]
    return "\n".join([_headline(call), *(f"  {name:<10}{visible(text)}" for name, text in lines)])


def _named(name: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(texts):
        yield "" if number else name, text


def _headline(call: Call) -> str:
    by = f" by {visible(call.user)}" if call.outcome == "answered" and call.user is not None else ""
    colour = "good" if call.outcome == "answered" else "bold"
    return paint(f"{call.outcome or call.state}{by} ({call.direction})", colour)


def _parts(call: Call, zone: tzinfo | None) -> Iterator[tuple[str, Iterable[str]]]:
    yield "call", [f"{call.pbx_call_id} of {call.pbx}, {_at(call.started_at, zone, '%Y-%m-%d %H:%M:%S%z')}"]
    did = f", called as {call.did}" if call.did not in (None, call.to) else ""
    yield "from", [f"{call.from_ or 'a withheld number'} to {call.to or 'nobody'}{did}"]
    if call.queue is not None:
        yield "queue", [call.queue]
    yield "rang", [_leg(leg, zone) for leg in call.legs] or ["no telephone"]
    yield (
        "passed on",
        (
            f"{one.how}, by {one.by or 'somebody'} to {one.to or 'nobody yet'}, {_at(one.at, zone)}"
            for one in call.transfers
        ),
    )
    yield "lasted", _times(call)
    yield "ended", _end(call, zone)
    if call.contact is not None:
        who = call.contact
        named = " ".join(filter(None, (who.name, who.integration, who.model, who.id, who.url)))
        yield "contact", [f"{named or 'nobody was chosen'} ({who.matched})"]
    if call.recording.state != "none":
        yield "recording", [" ".join(filter(None, (call.recording.state, call.recording.url)))]
    yield "written", (_delivery(target, one, zone) for target, one in call.deliveries.items())
    yield "notes", (f"{_at(one.at, zone)} {one.by}: {one.text}" for one in call.notes)
    said = [*call.tags, *(one for one in (call.sentiment, call.disposition) if one is not None)]
    yield "marked", [", ".join(said)] if said else []


def _leg(leg: Leg, zone: tzinfo | None) -> str:
    user = f" ({leg.user})" if leg.user is not None else ""
    rang = f", rang {_at(leg.ringing_at, zone)}" if leg.ringing_at is not None else ""
    answered = f", answered {_at(leg.answered_at, zone)}" if leg.answered_at is not None else ""
    left = f", left {_at(leg.left_at, zone)}" if leg.left_at is not None else ""
    return f"{leg.phone}{user}: {leg.result or 'under way'}{rang}{answered}{left}"


def _times(call: Call) -> list[str]:
    figures = (("in all", call.duration_s), ("waited", call.wait_s), ("talked", call.talk_s), ("held", call.hold_s))
    told = [f"{name} {seconds:.1f} s" for name, seconds in figures if seconds]
    return [", ".join(told)] if told else []


def _end(call: Call, zone: tzinfo | None) -> list[str]:
    if call.ended_at is None:
        return []
    by = f", hung up by the {_WHO[call.hangup_by]}" if call.hangup_by is not None else ""
    cause = f", cause {call.cause}" if call.cause is not None else ""
    lines = [f"{_at(call.ended_at, zone)}{by}{cause}"]
    if call.stranded is not None:
        lines.append(f"{_EMERGENCY} ({call.stranded})" if call.stranded else _EMERGENCY)
    if call.merged_into is not None:
        lines.append(f"it became a part of {call.merged_into}")
    return lines


def _delivery(target: str, one: CallDelivery, zone: tzinfo | None) -> str:
    tries = f" after {one.tries} tries" if one.tries > 1 else ""
    again = f", again {_at(one.next_try_at, zone)}" if one.next_try_at is not None else ""
    where = " ".join(filter(None, (one.id, one.url)))
    why = f": {one.error}" if one.error else ""
    return f"{target}: {one.state}{tries}{again}{f' {where}' if where else ''}{why}"


def hint(calls: Sequence[Call], more: bool, limit: int) -> None:
    """Say on standard error what a list does not."""
    if not calls:
        print("there is no such call", file=sys.stderr)
    if more:
        print(f"these are the newest {limit}; --limit shows more", file=sys.stderr)
