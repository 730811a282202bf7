"""`POST /v1/clicks/{integration}`: somebody has clicked on a number in a CRM, and that person's telephone rings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from routing_engine.calls.call import Call
from routing_engine.calls.ports import ClickToDial, TakesClicks
from routing_engine.core.ports import Clock
from routing_engine.dialling.dialler import DialWish
from routing_engine.errors import CommandRefused
from routing_engine.logger import Logger
from routing_engine.settings.integration import Integration
from routing_engine.settings.people import User
from routing_engine.web.endpoints import FLAG, Endpoint, Gives, has
from routing_engine.web.keys import KeyRing
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest

#: A number is dialled, and a name is no number: what is longer is neither.
_LONGEST = 200
_CLICK = "A system tells that somebody has clicked on a number in it: it proves itself as its description says."
_log = Logger()


class ClickSite(Protocol):
    """What is in force."""

    @property
    def integrations(self) -> Mapping[str, Integration]:
        """The integrations by their names."""

    @property
    def users(self) -> Mapping[str, User]:
        """The people by their keys."""


class ClicksApi:
    """`dial` lets a user's telephone ring, and then calls the number."""

    def __init__(
        self, site: Callable[[], ClickSite], dial: Callable[[DialWish], Awaitable[Call]], clock: Clock
    ) -> None:
        self._site, self._dial = site, dial
        #: No keys of its own: who guesses the systems' secrets is not listened to for a while.
        self._tries = KeyRing((), clock)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        gives = (Gives("the telephone rings", has({"accepted": FLAG}), 202),)
        path = "/v1/clicks/{integration}"
        refuses = (403, 404, 409, 429, 503)
        return (Endpoint("POST", path, None, self._clicked, _CLICK, gives=gives, refuses=refuses, form=True),)

    async def _clicked(self, request: ApiRequest) -> ApiAnswer:
        name = request.path["integration"]
        if self._tries.waits(request.peer.address):
            raise ApiError(429, "too_many_tries", "too many wrong secrets came from this address", "wait a minute")
        click = self._proved(name, request)
        user = next((one for one in self._site().users.values() if one.crm.get(name) == click.user), None)
        if user is None:
            remedy = f"write crm: {{{name}: ID}} in users.yaml, or run: routing-engine users match {name}"
            _log.warning("click.refused", integration=name, why="nobody in users.yaml has this id there")
            raise ApiError(404, "unknown_user", "nobody of ours has this id there", remedy)
        try:
            await self._dial(DialWish(user.key, click.number, by=f"clicks of {name}", key=click.id))
        except CommandRefused as error:
            _log.warning("click.refused", integration=name, why=error.message[:200])
            status = 503 if error.code == "pbx_down" else 409
            raise ApiError(status, error.code, error.message, error.remedy) from None
        return ApiAnswer({"accepted": True}, 202)

    def _proved(self, name: str, request: ApiRequest) -> ClickToDial:
        """Return a click of a system that has proved itself; all others hear the same, whatever was wrong."""
        integration = self._site().integrations.get(name)
        settings = None if integration is None else integration.settings
        click = settings.click(request.body) if isinstance(settings, TakesClicks) else None
        if click is None or max(map(len, (click.number, click.user, click.id))) > _LONGEST:
            self._tries.note_wrong(request.peer.address)
            remedy = "write click_secret in the integration, as the system shows it"
            raise ApiError(403, "not_proved", "this does not prove to come from a system that may dial", remedy)
        return click
