"""People, PBXs and deliveries over HTTP: what stands behind the calls, and what waits to be written elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, get_args

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.json_schema import MOMENT
from routing_engine.delivery.jobs import Job, JobKind, JobState, delivery_json
from routing_engine.settings.people import Role, User
from routing_engine.web.endpoints import (
    FLAG,
    TEXT,
    WHOLE,
    Endpoint,
    Gives,
    Parameter,
    has,
    listed,
    or_null,
    page_limit,
    read_limit,
    words,
)
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest, bad_value
from routing_engine.web.rights import need_all_calls

MOST_DELIVERIES = 200
#: Ids of databases end here.
_LARGEST_ID = 2**63 - 1
_USER = has(
    {
        "key": TEXT,
        "name": TEXT,
        "email": TEXT,
        "phones": listed(TEXT),
        "group": TEXT,
        "role": words(*get_args(Role)),
    }
)
_PBX = has({"name": TEXT, "connected": FLAG, "calls": WHOLE})
_DELIVERY = has(
    {
        "id": WHOLE,
        "call": TEXT,
        "target": TEXT,
        "kind": words(*get_args(JobKind)),
        "state": words(*get_args(JobState)),
        "tries": WHOLE,
        "next_try_at": or_null(MOMENT),
        "error": or_null(TEXT),
    }
)
_PAGE = (Gives("a page, the oldest first", has({"deliveries": listed(_DELIVERY), "next": or_null(TEXT)})),)
_STATES = (
    Parameter("state", "those alone that wait, or are dead", words(*get_args(JobState))),
    Parameter("cursor", "`next` of the page before"),
    page_limit(MOST_DELIVERIES),
)
_ID = Parameter("id", "the delivery's own, as the list has it", {"type": "integer", "minimum": 1}, "path", True)
_ONE = (Gives("the delivery as it was", _DELIVERY),)
_RETRY = "Send a delivery again, now; a dead one, too."
_DROP = "Give a delivery up; its call says that it was dropped by hand."


class Deliveries(Protocol):
    """What waits to be written elsewhere. Raises `StorageError`."""

    async def listed(self, state: JobState | None = None, limit: int = 1000, after: int = 0) -> Sequence[Job]:
        """Return what waits and what is dead, the oldest first, behind the id `after`."""

    async def retry(self, job_id: int, now: float) -> Job | None:
        """Make one due now; return it as it was, None when there is none."""

    async def drop(self, job_id: int, now: float) -> Job | None:
        """Let one go; return it as it was, None when there is none."""


class SiteStates(Protocol):
    """What is in force, and how it is doing."""

    def users(self) -> Mapping[str, User]:
        """Return the people, by their keys."""

    def pbxs(self) -> Mapping[str, tuple[bool, int]]:
        """Return of each PBX whether it is connected, and how many calls are under way there."""

    def look(self, lane: str) -> None:
        """Have a lane of deliveries look for what is due now."""


class SiteApi:
    """`/v1/users`, `/v1/pbxs`, `/v1/deliveries`. `now` is the wall clock, in seconds."""

    def __init__(self, site: SiteStates, deliveries: Deliveries, now: Callable[[], float]) -> None:
        self._site, self._deliveries, self._now = site, deliveries, now

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        users = (Gives("everybody in users.yaml", has({"users": listed(_USER)})),)
        pbxs = (Gives("every PBX that is followed", has({"pbxs": listed(_PBX)})),)
        one, read, write = "/v1/deliveries/{id}", "List deliveries that wait or are dead.", (404,)
        return (
            Endpoint("GET", "/v1/users", "calls.read", self._users, "List the people who take calls.", gives=users),
            Endpoint("GET", "/v1/pbxs", "calls.read", self._pbxs, "List the PBXs, and how they do.", gives=pbxs),
            Endpoint("GET", "/v1/deliveries", "calls.read", self._list, read, _STATES, gives=_PAGE),
            Endpoint("POST", f"{one}/retry", "calls.write", self._retry, _RETRY, (_ID,), None, _ONE, write),
            Endpoint("POST", f"{one}/drop", "calls.write", self._drop, _DROP, (_ID,), None, _ONE, write),
        )

    async def _users(self, _: ApiRequest) -> ApiAnswer:
        return ApiAnswer({"users": [_user_json(user) for user in self._site.users().values()]})

    async def _pbxs(self, _: ApiRequest) -> ApiAnswer:
        found: list[JsonValue] = [
            {"name": name, "connected": connected, "calls": calls}
            for name, (connected, calls) in self._site.pbxs().items()
        ]
        return ApiAnswer({"pbxs": found})

    async def _list(self, request: ApiRequest) -> ApiAnswer:
        need_all_calls(request.actor)
        state = next((one for one in get_args(JobState) if one == request.query.get("state")), None)
        if state is None and "state" in request.query:
            raise bad_value("state", "is no state", f"write {' or '.join(get_args(JobState))}")
        limit = read_limit(request.query.get("limit"), MOST_DELIVERIES)
        # One more than is shown tells whether there is another page.
        found = await self._deliveries.listed(state, limit + 1, _cursor(request.query.get("cursor")))
        following = str(found[limit - 1].id) if len(found) > limit else None
        return ApiAnswer({"deliveries": [delivery_json(job) for job in found[:limit]], "next": following})

    async def _retry(self, request: ApiRequest) -> ApiAnswer:
        need_all_calls(request.actor)
        return self._told(await self._deliveries.retry(_id(request), self._now()))

    async def _drop(self, request: ApiRequest) -> ApiAnswer:
        need_all_calls(request.actor)
        return self._told(await self._deliveries.drop(_id(request), self._now()))

    def _told(self, job: Job | None) -> ApiAnswer:
        if job is None:
            raise ApiError(404, "unknown_delivery", "there is no such delivery", "take an id that /v1/deliveries lists")
        self._site.look(job.lane)
        return ApiAnswer(delivery_json(job))


def _user_json(user: User) -> JsonObject:
    return {
        "key": user.key,
        "name": user.name,
        "email": user.email,
        "phones": [*user.phones],
        "group": user.group,
        "role": user.role,
    }


def _id(request: ApiRequest) -> int:
    return _number("id", request.path["id"], "take one that /v1/deliveries lists")


def _cursor(value: str | None) -> int:
    return 0 if value is None else _number("cursor", value, "take 'next' of the page before")


def _number(name: str, value: str, remedy: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and 0 < int(value) <= _LARGEST_ID):
        raise bad_value(name, "is no number of ours", remedy)
    return int(value)
