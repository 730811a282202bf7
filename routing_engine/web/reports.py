"""`POST /v1/events/{source}`: what another telephone system tells of its calls.

It is answered as soon as the event is on the disk, and worked out behind: floods wait in the database, the same event
twice is one, and a kill between the two changes nothing.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Direction
from routing_engine.calls.changes import uuid7
from routing_engine.calls.json_schema import MOMENT
from routing_engine.calls.reported import REPORTED_TYPES, ReportedEvent, kinds_between, reported_call
from routing_engine.calls.tracker import TrackedCall
from routing_engine.errors import StorageError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.storage import reports_table
from routing_engine.storage.database import Database
from routing_engine.web.endpoints import FLAG, Endpoint, Gives, Parameter, has, or_null, takes, text, words
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest, bad_value

#: So many calls are worked out in one go; the rest waits for the next.
_AT_ONCE = 100
#: How often it is looked for what another process has left behind.
POLL_S = 5.0
#: The same event may come again for so long; after that it would be taken for a new one.
KEPT_S = 7 * 86_400.0
_UPKEEP_S = 3600.0
_SOURCE = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_IS_SOURCE = re.compile(_SOURCE.replace("$", r"\Z"), re.ASCII)
_TAKEN = has({"accepted": FLAG, "new": FLAG})
_LONGEST_ID, _LONGEST_NUMBER = 200, 100
_EVENT = takes(
    {
        "id": text(_LONGEST_ID, 1),
        "call": text(_LONGEST_ID, 1),
        "type": words(*REPORTED_TYPES),
        "at": MOMENT,
        "direction": words(*get_args(Direction)),
        "from": or_null(text(_LONGEST_NUMBER)),
        "to": or_null(text(_LONGEST_NUMBER)),
    },
    needed=("id", "call", "type", "at", "direction"),
)
#: A clock of another system that is wrong by more tells of calls of another year.
_AHEAD_S = 3600.0

_log = Logger()


class ReportsApi:
    """`/v1/events`. `start` it with the service, `close` it at the end.

    `own` says whether a name is that of a PBX that is followed; `number` brings a number into E.164.
    """

    def __init__(
        self,
        database: Database,
        book: CallBook,
        own: Callable[[str], bool],
        number: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._database, self._book, self._own, self._number, self._now = database, book, own, number, now
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._upkeep_at = 0.0

    def start(self) -> None:
        """Work out what came, and what an earlier end has left behind."""
        self._task = asyncio.create_task(self._work(), name="events of other systems")

    async def close(self) -> None:
        """End it; what waits is taken at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        return (
            Endpoint(
                "POST",
                "/v1/events/{source}",
                "events",
                self._hear,
                "Tell what happened to a call of another telephone system. Answered once it is on the disk.",
                (Parameter("source", "a name for that system", {"type": "string", "pattern": _SOURCE}, "path", True),),
                body=_EVENT,
                gives=(Gives("taken; `new` is false for an event that came before", _TAKEN, 202),),
                refuses=(409,),
            ),
        )

    async def _hear(self, request: ApiRequest) -> ApiAnswer:
        event = self._read(request)
        new = await self._database.write(partial(reports_table.keep_event, event=event))
        self._told.set()
        return ApiAnswer({"accepted": True, "new": new}, 202)

    def _read(self, request: ApiRequest) -> ReportedEvent:
        source = request.path["source"]
        if not _IS_SOURCE.match(source):
            raise bad_value("source", f"cannot be '{source[:80]}'", "name it with a-z A-Z 0-9 - and _")
        if self._own(source):
            sentence = f"'{source}' is a PBX that is followed: its calls are known already"
            raise ApiError(409, "own_pbx", sentence, "name another source")
        kind = next((one for one in REPORTED_TYPES if one == request.body.get("type")), None)
        direction = next((one for one in get_args(Direction) if one == request.body.get("direction")), None)
        if kind is None:
            raise bad_value("type", "is no event", f"write {' or '.join(REPORTED_TYPES)}")
        if direction is None:
            raise bad_value("direction", "is no direction", f"write {' or '.join(get_args(Direction))}")
        at = request.moment("at", request.body.get("at"))
        if at is None or not 0 < at <= self._now() + _AHEAD_S:
            raise bad_value("at", "is missing, or lies ahead", "write when it happened: 2026-11-30T12:00:00.123Z")
        return ReportedEvent(
            source,
            request.needed("id", _LONGEST_ID),
            request.needed("call", _LONGEST_ID),
            kind,
            at,
            direction,
            request.text("from", _LONGEST_NUMBER),
            request.text("to", _LONGEST_NUMBER),
        )

    # ------------------------------------------------------------------------------------- behind

    async def _work(self) -> None:
        while True:
            self._told.clear()
            try:
                more = await self._take_some()
            except StorageError:
                more = False  # the database tells of it itself; what waits is in it
            except Exception as error:
                frames = traceback_frames(error)
                _log.error("reports.failed", error=type(error).__name__, traceback=frames)
                more = False
            if not more:
                try:
                    async with asyncio.timeout(POLL_S):
                        await self._told.wait()
                except TimeoutError:
                    await self._keep_up()

    async def _take_some(self) -> bool:
        """Work out the calls of which there is news; return whether there may be more."""
        calls = await self._database.read(partial(reports_table.calls_with_news, most=_AT_ONCE))
        # Side by side: each waits for the disk, and what waits at once is written at once.
        taken = await asyncio.gather(*(self._take(*one) for one in calls), return_exceptions=True)
        for error in taken:
            if error is not None:
                raise error
        return len(calls) == _AT_ONCE

    async def _take(self, source: str, call: str) -> None:
        told = await self._database.read(partial(reports_table.reports_of, source=source, call=call))
        if not told.news:
            return
        events = (*told.taken, *told.news)
        call_id = told.call_id or uuid7(min(one.at for one in events), secrets.randbits(74))
        before = reported_call(told.taken, call_id, self._number) if told.taken else None
        now = reported_call(events, call_id, self._number)
        await self._book.take([TrackedCall(now, tuple(kinds_between(before, now)))])
        # Behind the call: after a kill between the two the same is told once more, and changes nothing.
        await self._database.write(partial(reports_table.take_events, events=told.news, call_id=call_id))

    async def _keep_up(self) -> None:
        if self._now() < self._upkeep_at:
            return
        self._upkeep_at = self._now() + _UPKEEP_S
        self._database.put(partial(reports_table.expire_events, before=self._now() - KEPT_S))
