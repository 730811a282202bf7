"""The other party of a call over HTTP: its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from routing_engine.calls.call import Call
from routing_engine.calls.requests import CallQuery
from routing_engine.desk.known import KnownElsewhere, calls_before
from routing_engine.desk.site import DeskSite
from routing_engine.errors import UnknownCall
from routing_engine.web.card import CARD, card_json
from routing_engine.web.endpoints import Endpoint, Gives, Parameter, words
from routing_engine.web.requests import ApiAnswer, ApiRequest

_CARD = "Read who is calling: the record's fields, whoever else it may be, the calls before, and what can be created."
_WAIT = Parameter("wait", "`true` waits for further integrations, which stand in `others`", words("true", "false"))


class CardCalls(Protocol):
    """The book of calls, as far as cards need it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        """Return a page of calls."""


class ContactsApi:
    """`/v1/calls/{id}/card`. `site` is what is in force; `asked` names the integrations that a call's route asked."""

    def __init__(self, calls: CardCalls, site: Callable[[], DeskSite], asked: Callable[[Call], Sequence[str]]) -> None:
        self._calls, self._site, self._asked = calls, site, asked
        self._elsewhere = KnownElsewhere(site)

    async def close(self) -> None:
        """End what is under way."""
        await self._elsewhere.close()

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        card = "/v1/calls/{id}/card"
        gives = (Gives("the card", CARD),)
        return (Endpoint("GET", card, "calls.read", self._card, _CARD, (_WAIT,), gives=gives, refuses=(404,)),)

    async def _card(self, request: ApiRequest) -> ApiAnswer:
        call = await self._calls.call(request.path["id"])
        if call is None:
            raise UnknownCall(f"there is no call '{request.path['id'][:80]}'")
        return await self._answer(call, wait=request.query.get("wait") == "true")

    async def _answer(self, call: Call, wait: bool) -> ApiAnswer:
        site = self._site()
        known = call.contact.integration if call.contact is not None else None
        candidates = {one.integration for one in call.contact.candidates} if call.contact is not None else set()
        looking = self._elsewhere.begin(call, (*self._asked(call), *([known] if known else []), *candidates))
        # The card of a caller who is known comes at once; `wait` asks for the others as well.
        others = await looking if wait else looking.result() if looking.done() else []
        before = await calls_before(self._calls, call, site.matcher.region)
        return ApiAnswer({**card_json(site, call, others, before), "others_pending": not (wait or looking.done())})
