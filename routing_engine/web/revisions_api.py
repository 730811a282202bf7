"""What was in force, over HTTP: the revisions, their differences, the way back, and whether the audit is as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from routing_engine.calls.as_json import JsonObject
from routing_engine.calls.json_schema import MOMENT
from routing_engine.config import activation
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.put_back import put_back
from routing_engine.config.revisions import Revision, Revisions
from routing_engine.config.tell_revisions import changes_json, list_json, whole_json
from routing_engine.config.tell_trial import trial_json
from routing_engine.config.trial_callers import read_callers
from routing_engine.errors import RevisionError
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog
from routing_engine.web.endpoints import (
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Endpoint,
    Gives,
    Need,
    Parameter,
    has,
    listed,
    or_null,
    page_limit,
    read_limit,
    takes,
    text,
    words,
)
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest, bad_value

T = TypeVar("T")
MOST = 1000
_CHANGES = listed(has({"file": TEXT, "how": words("added", "changed", "removed")}))
_MEMBERS = {
    "revision": TEXT,
    "state": words("in force", "was in force", "never in force"),
    "at": MOMENT,
    "who": TEXT,
    "why": TEXT,
    "commit": TEXT,
    "engine": TEXT,
    "what": TEXT,
    "changes": _CHANGES,
}
_WHOLE = has({**_MEMBERS, "against": or_null(TEXT), "files": listed(TEXT), "diff": TEXT})
_STATE = "/v1/activation"
_ACTIVATE = "Let what waits have callers, put it in force for everybody, or take it back."
_COUNTS = has(dict.fromkeys(("calls", "defaults", "lookup_errors", "hang_ups", "errors"), WHOLE))
_WAITING = has(
    {
        "revision": TEXT,
        "stage": words("waiting", "trying", "back"),
        "share": NUMBER,
        "callers": TEXT,
        "at": MOMENT,
        "who": TEXT,
        "why": TEXT,
        "what": TEXT,
        "calls": _COUNTS,
        "calls_in_force": _COUNTS,
    }
)
_SO = (
    Gives(
        "what is in force, and what waits; `callers` says how many are named",
        has({"in_force": or_null(TEXT), "since": or_null(MOMENT), "guarded": FLAG, "waiting": or_null(_WAITING)}),
    ),
)
_STEP = takes(
    {
        "action": words("try", "all", "back"),
        "callers": {"type": ["array", "null"], "items": TEXT, "maxItems": 1000},
        "share": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    },
    ("action",),
)
_ID = Parameter("id", "its number, or the beginning of that", text(40, 4), "path", True)
_AGAINST = Parameter("against", "the revision to compare with; without it what was in force before", text(40, 4))


class RevisionsApi:
    """`/v1/revisions`, `/v1/activation`, `/v1/audit/verify`. `folder` and `settings` are the configuration's."""

    def __init__(
        self,
        folder: Path,
        settings: Callable[[], EngineSettings],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._revisions, self._settings, self._now = Revisions(folder), settings, now
        self._log = DeedLog(audit_folder(folder))

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        need: Need = "administer"
        at = "/v1/revisions"
        every = (Gives("the newest first", has({"revisions": listed(has(_MEMBERS))})),)
        one = (Gives("the revision, its files, and how it differs", _WHOLE),)
        back = has({"revision": TEXT, "before": TEXT, "changes": _CHANGES})
        done = (Gives("what the folder holds again, and what it held", back),)
        proof = has({"lines": WHOLE, "last": or_null(TEXT), "faults": listed(TEXT)})
        faults = (Gives("what is wrong, if anything; `last` is number and hash of the last line", proof),)
        go_back = "Let the folder hold a revision again; what it holds is kept."
        return (
            Endpoint("GET", at, need, self._list, "List what was in force.", (page_limit(MOST),), gives=every),
            Endpoint("GET", f"{at}/{{id}}", need, self._one, "Read one revision.", (_ID, _AGAINST), None, one, (404,)),
            Endpoint("POST", f"{at}/{{id}}/rollback", need, self._back, go_back, (_ID,), None, done, (404, 409)),
            Endpoint("GET", _STATE, need, self._state, "Read what is in force, and what waits.", gives=_SO),
            Endpoint("POST", _STATE, need, self._activate, _ACTIVATE, (), _STEP, _SO, (409,)),
            Endpoint("GET", "/v1/audit/verify", need, self._verify, "Look whether the audit is whole.", gives=faults),
        )

    async def _list(self, request: ApiRequest) -> ApiAnswer:
        limit = read_limit(request.query.get("limit"), MOST)
        return ApiAnswer({"revisions": [*await asyncio.to_thread(list_json, self._revisions, limit)]})

    async def _one(self, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(await _found(partial(self._read, request.path["id"], request.query.get("against"))))

    def _read(self, number: str, against: str | None) -> JsonObject:
        found = self._revisions.find(number)
        other = self._revisions.before(found.number) if against is None else self._revisions.find(against)
        return whole_json(self._revisions, found, other)

    async def _back(self, request: ApiRequest) -> ApiAnswer:
        target: Revision = await _found(partial(self._revisions.find, request.path["id"]))
        work = partial(put_back, self._revisions, target, who_asks(request.actor), self._now())
        done = await kept_from(work)
        return ApiAnswer({"revision": done.now, "before": done.before, "changes": changes_json(done.changed)})

    async def _state(self, _: ApiRequest) -> ApiAnswer:
        return ApiAnswer(await asyncio.to_thread(self._told))

    def _told(self) -> JsonObject:
        return trial_json(self._revisions, self._revisions.standing.read())

    async def _activate(self, request: ApiRequest) -> ApiAnswer:
        who, now, action = who_asks(request.actor), self._now(), request.body.get("action")
        if action == "all":
            await kept_from(partial(activation.put_in_force, self._revisions, who, now))
        elif action == "back":
            await kept_from(partial(activation.take_back, self._revisions, who, now))
        elif action == "try":
            callers, share = self._callers(request), _share(request)
            await kept_from(partial(activation.try_out, self._revisions, who, now, callers, share))
        else:
            raise bad_value("action", "is no step", "write try, all or back")
        return ApiAnswer(await asyncio.to_thread(self._told))

    def _callers(self, request: ApiRequest) -> tuple[str, ...] | None:
        found = request.body.get("callers")
        if found is None:
            return None
        texts = [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
        if not isinstance(found, list) or len(texts) != len(found):
            raise bad_value("callers", "is no list of texts", "write numbers and names of lists")
        settings = self._settings()
        try:
            return read_callers(texts, settings.site.lists, settings.region)
        except RevisionError as error:
            raise bad_value("callers", "has one that is neither a list nor a caller", error.remedy) from None

    async def _verify(self, _: ApiRequest) -> ApiAnswer:
        faults, deeds = await asyncio.to_thread(lambda: (self._log.faults(), self._log.deeds()))
        last = f"{deeds[-1].number}:{deeds[-1].hash}" if deeds else None
        return ApiAnswer({"lines": len(deeds), "last": last, "faults": [*faults]})


def who_asks(actor: Actor) -> str:
    """Return who asks, as the audit has it."""
    return actor.name if actor.user is not None else f"key {actor.name}"


def _share(request: ApiRequest) -> float | None:
    found = request.body.get("share")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= 100:
        raise bad_value("share", "is no share", "write a number from 0 to 100")
    return float(found)


async def _found(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except RevisionError as error:
        raise ApiError(404, "unknown_revision", error.sentence, error.remedy) from None


async def kept_from(work: Callable[[], T]) -> T:
    """Do what changes files, in a thread. Raises `ApiError` where that cannot be."""
    try:
        return await asyncio.to_thread(work)
    except RevisionError as error:
        raise ApiError(409, "nothing_to_do", error.sentence, error.remedy) from None
    except OSError as error:
        sentence = f"{error.filename or 'a file'} cannot be written: {error.strerror or 'no reason is known'}"
        remedy = "let the engine's user write there, or use the command line as who may"
        raise ApiError(409, "not_writable_here", sentence, remedy) from None
