"""A call as the journal keeps it, read back from its row. It knows no database: who shows calls imports it on top."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from routing_engine.core.model import Destination
from routing_engine.core.phone import Number, read_number
from routing_engine.journal.entry import EPOCH, Row, clean
from routing_engine.journal.privacy import Privacy

_MASKED = Privacy("masked")


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A step of a trail as it is kept."""

    step: str
    outcome: str
    took_ms: float | None


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as it is kept; see `tables.CALLS`. Every text is one line without control characters.

    `at` is its arrival, in the zone of the site. The caller waited `waited_ms` for look-ups, and heard nothing for
    `silence_ms` at the longest. `destination` is None for a call that was abandoned or went nowhere.
    """

    id: int
    call_id: str
    at: datetime
    took_ms: float
    waited_ms: float
    silence_ms: float
    ended: str
    route: str
    revision: str
    reason: str
    rule: str
    source: str
    destination: Destination | None
    chain: tuple[Destination, ...]
    played: tuple[str, ...]
    sets: tuple[str, ...]
    caller: str
    numbers: str
    called: str
    language: str
    record_id: str
    record_url: str
    record_origin: str
    record_fields: tuple[str, ...]
    why: str
    trail: tuple[StoredStep, ...]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: "" and None do not narrow. Moments in milliseconds since 1970, `until_ms` not included.

    `reason` may also be `abandoned`. At most `limit`, the newest first.
    """

    route: str = ""
    reason: str = ""
    rule: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    caller: Number | None = None
    limit: int = 50


def read_row(kept: Row) -> StoredCall:
    """Return a row of the journal as a call.

    Whoever wrote it: what comes out of the file is cleaned again before it reaches a terminal.
    """
    here = EPOCH + timedelta(milliseconds=kept["at_ms"], seconds=kept["offset_s"])
    taken: dict[str, Any] = {
        "at": here.replace(tzinfo=timezone(timedelta(seconds=kept["offset_s"]))),
        "destination": _destination(kept) if kept["kind"] else None,
        "chain": tuple(_destination(one) for one in json.loads(kept["chain"])),
        "trail": tuple(StoredStep(clean(step), clean(outcome), ms) for step, outcome, ms in json.loads(kept["trail"])),
        **{name: _texts(kept[name]) for name in ("played", "sets", "record_fields")},
    }
    return StoredCall(**{one.name: taken.get(one.name, _cleaned(kept.get(one.name))) for one in fields(StoredCall)})


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _destination(one: Row) -> Destination:
    return Destination(clean(one["kind"]), clean(one["target"]), one["priority"], one["ring_s"])


def _texts(written: str) -> tuple[str, ...]:
    return tuple(clean(one) for one in json.loads(written))


def mask_call(call: StoredCall, region: str) -> StoredCall:
    """Return a call with its numbers masked, also one that is kept plain."""
    if call.numbers != "plain":
        return call
    number = read_number(call.caller, region)

    def text(value: str) -> str:
        return _MASKED.text(value, number)

    def shown(one: Destination) -> Destination:
        return replace(one, target=text(one.target))

    return replace(
        call,
        caller=_MASKED.shown(number),
        destination=None if call.destination is None else shown(call.destination),
        chain=tuple(map(shown, call.chain)),
        played=tuple(map(text, call.played)),
        trail=tuple(replace(one, step=text(one.step), outcome=text(one.outcome)) for one in call.trail),
        why=text(call.why),
        **_own(call, number, ("call_id", "called", "record_id", "record_url")),
    )


def _own(call: StoredCall, number: Number | None, names: Iterable[str]) -> dict[str, Any]:
    return {name: _MASKED.own(getattr(call, name), number) for name in names}
