"""`Idempotency-Key`: who got no answer sends the request again, and it is done once.

What was answered is kept for a day. The same key with another request is refused: it is somebody's mistake.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection

from routing_engine.errors import StorageError
from routing_engine.storage import repeats_table
from routing_engine.storage.database import Database
from routing_engine.storage.repeats_table import KeptAnswer
from routing_engine.web.endpoints import Endpoint
from routing_engine.web.requests import (
    ApiAnswer,
    ApiError,
    ApiRequest,
    LineAnswer,
    PlainAnswer,
    StreamAnswer,
    bad_value,
)

HEADER = "Idempotency-Key"
KEPT_S = 86_400.0
MOST_KEPT = 20_000
_LONGEST_KEY = 200
#: So many are kept before it is looked for what is too old, or too much.
_UPKEEP_AFTER = 500

AnyAnswer: TypeAlias = ApiAnswer | PlainAnswer | StreamAnswer | LineAnswer
_Name: TypeAlias = tuple[str, str]


class Repeats:
    """Answers a request that came before as it was answered then. `now` is the wall clock, in seconds."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database, self._now = database, now
        self._under_way: dict[_Name, tuple[str, asyncio.Task[AnyAnswer]]] = {}
        self._kept = 0

    async def answer(self, row: Endpoint, request: ApiRequest) -> AnyAnswer:
        """Return what the row answers, or has answered to this request before. Raises as the row does."""
        key = request.headers.get(HEADER, "").strip()
        if not row.repeatable or not key:
            return await row.answer(request)
        if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise bad_value(HEADER, f"is no text of {_LONGEST_KEY} characters", "send a UUID")
        # A person and a key may have the same name.
        name = f"{'key' if request.actor.user is None else 'user'}:{request.actor.name}", key
        return await self._once(name, _digest(row, request), partial(row.answer, request))

    async def close(self) -> None:
        """End what is under way."""
        tasks = [task for _, task in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self, name: _Name, digest: str, work: Callable[[], Awaitable[AnyAnswer]]) -> AnyAnswer:
        if name in self._under_way:
            first, task = self._under_way[name]
            _need_same(first, digest)
            # A double click: both get the one answer.
            return _again(await asyncio.shield(task))
        # A task of its own: who goes away before the answer is the one who sends it again.
        task = asyncio.create_task(self._answered(name, digest, work))
        self._under_way[name] = digest, task
        task.add_done_callback(lambda _: self._under_way.pop(name))
        return await asyncio.shield(task)

    async def _answered(self, name: _Name, digest: str, work: Callable[[], Awaitable[AnyAnswer]]) -> AnyAnswer:
        return await self._found(name, digest) or await self._done(name, digest, work)

    async def _found(self, name: _Name, digest: str) -> ApiAnswer | None:
        find = partial(repeats_table.find_answer, who=name[0], name=name[1], since=self._now() - KEPT_S)
        kept = await self._database.read(find)
        if kept is None:
            return None
        _need_same(kept.digest, digest)
        return _again(ApiAnswer(json.loads(kept.body), kept.status, json.loads(kept.headers)))

    async def _done(self, name: _Name, digest: str, work: Callable[[], Awaitable[AnyAnswer]]) -> AnyAnswer:
        answer = await work()
        if isinstance(answer, ApiAnswer) and answer.status < 300:
            body, headers = json.dumps(answer.body), json.dumps(dict(answer.headers))
            kept = KeptAnswer(digest, self._now(), answer.status, headers, body)
            # The database tells of its faults itself; what was asked for is done, and says so.
            with suppress(StorageError):
                await self._database.write(partial(self._keep, name=name, kept=kept))
        return answer

    def _keep(self, connection: Connection, name: _Name, kept: KeptAnswer) -> None:
        repeats_table.keep_answer(connection, *name, kept)
        self._kept += 1
        if self._kept % _UPKEEP_AFTER == 0:
            repeats_table.bound_answers(connection, kept.at - KEPT_S, MOST_KEPT)


def _digest(row: Endpoint, request: ApiRequest) -> str:
    # Of the meaning: blanks and the order of members are no other request.
    asked = [row.method, row.path, dict(request.path), dict(request.query), request.body, request.version]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _need_same(first: str, digest: str) -> None:
    if first != digest:
        sentence = f"this '{HEADER}' was sent with another request"
        raise ApiError(422, "key_used", sentence, "take a new key for each request")


def _again(answer: AnyAnswer) -> ApiAnswer:
    if not isinstance(answer, ApiAnswer):
        raise ApiError(422, "key_used", "this cannot be answered twice", "send it without a key")
    return ApiAnswer(answer.body, answer.status, {**answer.headers, "Idempotency-Replayed": "true"})
