"""Who did what: each log-in, refusal, log-out, and everything that people change. Only ever added to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from routing_engine.core.events import PersonDid, Publish
from routing_engine.logger import Logger
from routing_engine.storage import people_table
from routing_engine.storage.database import Database
from routing_engine.storage.people_table import AuditEntry

_log = Logger()
_LONGEST = 200


class Audit:
    """Adds to the audit, and shows it. `now` is the wall clock; `publish` tells others, who keep it elsewhere too."""

    def __init__(self, database: Database, now: Callable[[], float], publish: Publish | None = None) -> None:
        self._database, self._now, self._publish = database, now, publish

    def note(self, who: str, what: str, about: str = "", address: str = "") -> None:
        """Note what somebody did: `who` is a key of users.yaml or engine.yaml, "" for somebody who is not known."""
        entry = AuditEntry(self._now(), who[:_LONGEST], what[:_LONGEST], about[:_LONGEST], address[:_LONGEST])
        _log.info("people.did", who=entry.who, what=entry.what, about=entry.about, address=entry.address)
        self._database.put(partial(people_table.note, entry=entry))
        if self._publish is not None:
            self._publish(PersonDid(entry.who, entry.what, entry.about, entry.address))

    async def entries(self, who: str, since: float, most: int) -> Sequence[AuditEntry]:
        """Return what was done since a moment, the newest first."""
        return await self._database.read(partial(people_table.audit_entries, who=who, since=since, most=most))
