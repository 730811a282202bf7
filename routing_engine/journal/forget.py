"""Remove a number from the journal, and from the bytes of its file.

Calls of the number go whole. Calls of others that mention it stay, without it. What the file held is overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from routing_engine.core.phone import Number
from routing_engine.journal.privacy import FORGOTTEN, Privacy, without
from routing_engine.journal.reader import open_to_read, perhaps_by, surely_by
from routing_engine.journal.tables import DECISIONS
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from routing_engine.storage.shrink import FORGET_WAIT_S, shrink

#: Texts that may hold a number; those of the second row are JSON.
_TEXTS = (
    DECISIONS.c.called,
    DECISIONS.c.target,
    DECISIONS.c.record_id,
    DECISIONS.c.record_url,
    DECISIONS.c.why,
    DECISIONS.c.call_id,
)
_LISTS = (DECISIONS.c.chain, DECISIONS.c.played, DECISIONS.c.trail)
#: So many calls are looked through at a time, to keep the memory small.
_STEP = 1000


@dataclass(frozen=True, slots=True)
class ForgottenCalls:
    """What was found, in calls.

    `deleted` were of the number; `perhaps` are masked ones that only may have been, deleted too; `cleaned` are of
    others who mentioned it. `unsearched` are hashed with another key: nobody can tell. `notes` say what is not done.
    """

    deleted: int = 0
    perhaps: int = 0
    cleaned: int = 0
    unsearched: int = 0
    notes: list[str] = field(default_factory=list)


def find_traces(place: DatabasePlace, number: Number, privacy: Privacy) -> ForgottenCalls:
    """Count what `forget` would do. Raises `StorageError`."""
    with open_to_read(place) as connection:
        return _count(connection, number, privacy, len(list(_mentions(connection, number, privacy))))


def forget(place: DatabasePlace, number: Number, privacy: Privacy) -> ForgottenCalls:
    """Remove a number. The service may run meanwhile: its calls wait. Raises `StorageError`; all or nothing is done."""
    with open_to_read(place) as connection:  # the long part, in which nobody waits for us
        known = list(_mentions(connection, number, privacy))
        last = _last(connection)
    connector = Connector(place, wait_s=FORGET_WAIT_S)
    try:
        with connector.transaction() as connection:
            mentions = dict([*known, *_mentions(connection, number, privacy, last)])
            found = _count(connection, number, privacy, len(mentions))
            connection.execute(delete(DECISIONS).where(_by(number, privacy)))
            for key, texts in mentions.items():
                connection.execute(update(DECISIONS).where(DECISIONS.c.id == key).values(texts))
    finally:
        connector.close()
    if found.deleted or found.perhaps or found.cleaned:
        found.notes.extend(shrink(place))
    return found


def _by(number: Number, privacy: Privacy) -> ColumnElement[bool]:
    return or_(surely_by(number, privacy), perhaps_by(number, privacy))


def _count(connection: Connection, number: Number, privacy: Privacy, cleaned: int) -> ForgottenCalls:
    def count(*where: ColumnElement[bool]) -> int:
        return int(connection.execute(select(func.count()).select_from(DECISIONS).where(*where)).scalar_one())

    surely, perhaps = surely_by(number, privacy), perhaps_by(number, privacy)
    foreign = and_(DECISIONS.c.numbers == "hashed", DECISIONS.c.key_id != privacy.key_id, DECISIONS.c.token != "")
    return ForgottenCalls(count(surely), count(perhaps), cleaned, count(foreign))


def _last(connection: Connection) -> int:
    return int(connection.execute(select(func.max(DECISIONS.c.id))).scalar() or 0)


def _mentions(
    connection: Connection, number: Number, privacy: Privacy, after: int = 0
) -> Iterator[tuple[int, dict[str, str]]]:
    """Return the calls of others that mention a number, and their texts without it."""
    mine, clean = _by(number, privacy), _cleaner(number, privacy)
    while True:
        some = select(DECISIONS.c.id, *_TEXTS, *_LISTS).where(DECISIONS.c.id > after, ~mine)
        rows = connection.execute(some.order_by(DECISIONS.c.id).limit(_STEP)).all()
        for row in rows:
            after = row.id
            texts = _cleaned(dict(row._mapping), clean)
            if texts:
                yield row.id, texts
        if len(rows) < _STEP:
            return


def _cleaner(number: Number, privacy: Privacy) -> Callable[[str], str]:
    """Return what takes a number out of a text, in all spellings and hashed. A masked one tells nothing and stays."""
    tokens = privacy.tokens(number)

    def clean(text: str) -> str:
        for token in tokens:
            text = text.replace(token, FORGOTTEN)
        return without(text, number)

    return clean


def _cleaned(row: Mapping[str, Any], clean: Callable[[str], str]) -> dict[str, str]:
    """Return the texts of a row that change."""
    texts = {column.name: clean(row[column.name]) for column in _TEXTS}
    for column in _LISTS:
        written = row[column.name]
        if clean(written) != written:  # few are: only those are taken apart
            texts[column.name] = json.dumps(_deep(json.loads(written), clean), ensure_ascii=False)
    return {name: text for name, text in texts.items() if text != row[name]}


def _deep(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_deep(one, clean) for one in value]
    if isinstance(value, dict):
        return {key: _deep(one, clean) for key, one in value.items()}
    return clean(value) if isinstance(value, str) else value
