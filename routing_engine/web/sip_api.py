"""Passwords of telephones in the page over HTTP: made for one session, ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from routing_engine.calls.as_json import moment
from routing_engine.dialling.passwords import SipPassword
from routing_engine.errors import CommandRefused, PbxDown, StorageError
from routing_engine.web.dial_api import answered, for_whom
from routing_engine.web.endpoints import TEXT, Endpoint, Gives, has, or_null, takes, text
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest

_MAKE = "Make a password for a telephone in the page. It lives for one session; one of before for the same phone ends."
_END = "End a password: the telephone is logged out."
_REVIEW_S = 60.0
_WISH = takes({"user": text(64, 1), "phone": or_null(text(200))})
_MADE = has(dict.fromkeys(("id", "phone", "uri", "username", "password", "realm", "server", "expires_at"), TEXT))


class Passwords(Protocol):
    """Who makes passwords."""

    async def make(self, user_key: str, wanted: str | None) -> SipPassword:
        """Return a new password for a phone of a user."""

    async def end(self, session_id: str, user: str | None) -> None:
        """Let a password count no more."""


class SipApi:
    """`/v1/sip-credentials`. `start` it, `close` it; `review` when a log-in may be over: its telephone is, too."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        #: By the id of a password: looks whether the person who asked for it still may.
        self._people: dict[str, Callable[[], Awaitable[Actor]]] = {}
        self._looking = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look after those who have a telephone from now on."""
        self._task = asyncio.create_task(self._look_after())

    def review(self) -> None:
        """Look soon whether everybody who has a telephone still may."""
        self._looking.set()

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_after(self) -> None:
        while True:
            # A log-in that is too old ends without a word: so now and then without being told.
            with suppress(TimeoutError):
                async with asyncio.timeout(_REVIEW_S):
                    await self._looking.wait()
            self._looking.clear()
            for made, again in [*self._people.items()]:
                await self._look_at(made, again)

    async def _look_at(self, made: str, again: Callable[[], Awaitable[Actor]]) -> None:
        try:
            await again()
        except ApiError:
            self._people.pop(made, None)
            with suppress(CommandRefused, PbxDown):
                await self._passwords.end(made, None)
        except StorageError:
            return  # who may not be asked now has done nothing wrong

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        made = (Gives("what the telephone logs in with; the password is shown this once", _MADE, 201),)
        path, refuses = "/v1/sip-credentials", (404, 409, 503)
        gone = (Gives("it is over", status=204, media_type=""),)
        return (
            Endpoint("POST", path, "sip", self._make, _MAKE, body=_WISH, gives=made, refuses=refuses),
            Endpoint("DELETE", f"{path}/{{id}}", "sip", self._end, _END, gives=gone, refuses=refuses),
        )

    async def _make(self, request: ApiRequest) -> ApiAnswer:
        user = for_whom(request.actor, request.text("user"))
        made = await answered(self._passwords.make(user, request.text("phone")))
        if request.actor.user is not None:
            self._people[made.id] = request.again
        host = made.server.partition("://")[2].partition("/")[0]
        return ApiAnswer(
            {
                "id": made.id,
                "phone": made.phone,
                "uri": f"sip:{made.extension}@{host}",
                "username": made.username,
                "password": made.password,
                "realm": made.realm,
                "server": made.server,
                "expires_at": moment(made.expires_at),
            },
            201,
        )

    async def _end(self, request: ApiRequest) -> ApiAnswer:
        person = request.actor.user.key if request.actor.user is not None else None
        await answered(self._passwords.end(request.path["id"], person))
        self._people.pop(request.path["id"], None)
        return ApiAnswer({}, 204)
