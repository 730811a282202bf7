"""The other party of a call over HTTP: its card, and what people do about it. Rights are those of `rights`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, get_args

from routing_engine.calls.as_json import JsonValue
from routing_engine.calls.call import Call, CallContact, Candidate
from routing_engine.calls.requests import CallQuery
from routing_engine.contacts import ContactModel, ContactsDown, contact_of
from routing_engine.desk.actions import ContactDesk, searched_fields
from routing_engine.desk.known import CallsBefore, KnownElsewhere
from routing_engine.desk.site import DeskSite
from routing_engine.errors import DeskRefused, ProviderError, ProviderMisread, ProviderRefused, ProviderThrottled
from routing_engine.settings.people import Verb
from routing_engine.web.card import CARD, CONTACT, card_json, contact_json
from routing_engine.web.endpoints import (
    FLAG,
    TEXT,
    Endpoint,
    Gives,
    Parameter,
    Schema,
    has,
    listed,
    or_null,
    takes,
    text,
    words,
)
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest, bad_value
from routing_engine.web.rights import allows, need_call, need_model

_LONGEST_NAME, _LONGEST_VALUE, _MOST_FIELDS = 200, 2000, 100
_ACTIONS = ("link", "create", "edit", "rematch", "choose")
_CARD = "Read who is calling: the record's fields, whoever else it may be, the calls before, and what can be created."
_ACT = "Link a call to a record, choose one of several, look again, create a record or change one."
_SEARCH = "Find records to link a call to: by number, e-mail address, id or name, where it can by a part of it."
_WAIT = Parameter("wait", "`true` waits for further integrations, which stand in `others`", words("true", "false"))
_FIELDS: Schema = {"type": "object", "additionalProperties": text(_LONGEST_VALUE), "maxProperties": _MOST_FIELDS}
_ABOUT = takes(
    {
        "action": words(*_ACTIONS),
        **{name: or_null(text(_LONGEST_NAME, 1)) for name in ("integration", "model", "id")},
        "fields": or_null(_FIELDS),
    },
    needed=("action",),
)
_WHERE = (
    Parameter("q", "what is searched", text(_LONGEST_NAME, 1), needed=True),
    Parameter("integration", "search there alone"),
    Parameter("model", "search in this data model alone"),
)
_FOUND = has(
    {
        "contacts": listed(CONTACT),
        "down": listed(has({"integration": TEXT, "why": TEXT})),
        "whole_names": listed(TEXT),
        "more": FLAG,
    }
)
#: So many records are shown of a search.
MOST_FOUND = 50
#: What a refusal of the desk is in HTTP.
_STATUS = {"unknown_record": 404, "nobody": 404, "crm_down": 503, "unknown_field": 400, "not_writable": 409}


class CardCalls(Protocol):
    """The book of calls, as far as cards need it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        """Return a page of calls."""


class ContactsApi:
    """`/v1/calls/{id}/card`, `/contact`, and `/v1/contacts`.

    `site` is what is in force; `asked` names the integrations that a call's route asked.
    """

    def __init__(
        self,
        calls: CardCalls,
        desk: ContactDesk,
        site: Callable[[], DeskSite],
        asked: Callable[[Call], Sequence[str]],
    ) -> None:
        self._calls, self._desk, self._site, self._asked = calls, desk, site, asked
        self._elsewhere, self._before = KnownElsewhere(site), CallsBefore(calls)

    async def close(self) -> None:
        """End what is under way."""
        await self._elsewhere.close()
        await self._before.close()

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        card, contact, gives = "/v1/calls/{id}/card", "/v1/calls/{id}/contact", (Gives("the card", CARD),)
        found, refuses = (Gives("what was found", _FOUND),), (404, 409, 502, 503)
        return (
            Endpoint("GET", card, "calls.read", self._card, _CARD, (_WAIT,), gives=gives, refuses=(404,)),
            Endpoint("POST", contact, "calls.write", self._act, _ACT, body=_ABOUT, gives=gives, refuses=refuses),
            Endpoint("GET", "/v1/contacts", "calls.read", self._search, _SEARCH, _WHERE, gives=found),
        )

    async def _card(self, request: ApiRequest) -> ApiAnswer:
        call = need_call(request.actor, await self._calls.call(request.path["id"]), request.path["id"])
        return await self._answer(request.actor, call, wait=request.query.get("wait") == "true")

    async def _answer(self, actor: Actor, call: Call, wait: bool = False) -> ApiAnswer:
        site = self._site()
        known = call.contact.integration if call.contact is not None else None
        candidates = {one.integration for one in call.contact.candidates} if call.contact is not None else set()
        looking = self._elsewhere.begin(call, (*self._asked(call), *([known] if known else []), *candidates))
        # The card of a caller who is known comes at once; `wait` asks for the others as well.
        if wait:
            # Not awaited itself: whoever links the call meanwhile ends it.
            await asyncio.wait({looking})
        others = self._elsewhere.known(call.id) if looking.done() else []
        before = await self._before.of(call, site.matcher.region)
        card = card_json(site, actor, await self._desk.with_fields(call), others, before)
        return ApiAnswer({**card, "others_pending": not (wait or looking.done())})

    # --------------------------------------------------------------------------------------- to do

    async def _act(self, request: ApiRequest) -> ApiAnswer:
        actor, asked = request.actor, request.path["id"]
        call = need_call(actor, await self._calls.call(asked), asked)
        action = _read_action(request)
        contact = call.contact
        # Whoever may not see who it is takes nobody's contact away.
        if actor.user is not None and contact is not None and contact.integration is not None:
            need_model(actor, contact.integration, contact.model or "", "read")
        try:
            changed = await self._done(request, action, call)
        except DeskRefused as error:
            raise ApiError(_STATUS.get(error.code, 409), error.code, error.message, error.remedy) from None
        except ProviderError as error:
            raise of_provider(error) from None
        self._elsewhere.forget(call.id)
        return await self._answer(actor, changed)

    async def _done(self, request: ApiRequest, action: str, call: Call) -> Call:
        actor, desk = request.actor, self._desk
        if action == "rematch":
            return await desk.rematch(call)
        where = _where(request)
        verb: Verb = next((one for one in get_args(Verb) if one == action), "read")
        need_model(actor, where.integration, where.model, verb)
        if action == "create":
            return await desk.create(call, where, _fields(request), actor.user)
        record_id = request.needed("id", _LONGEST_NAME)
        if action == "edit":
            self._need_of_call(call, where, record_id)
            return await desk.edit(call, where, record_id, _fields(request), actor.user)
        return await (desk.choose if action == "choose" else desk.link)(call, where, record_id)

    def _need_of_call(self, call: Call, where: ContactModel, record_id: str) -> None:
        """Refuse to change a record that the card of this call does not show."""
        own = (call.contact,) if call.contact is not None else ()
        known = (*own, *self._elsewhere.known(call.id))
        several = (one for other in known for one in other.candidates)
        ids = [*map(_record_of, known), *map(_record_of, several)]
        if (where.integration, where.model, record_id) not in ids:
            raise ApiError(409, "not_of_call", "this record is not one of the call's", "link the call to it first")

    # -------------------------------------------------------------------------------------- search

    async def _search(self, request: ApiRequest) -> ApiAnswer:
        text, site = request.query.get("q", "").strip(), self._site()
        if not text or len(text) > _LONGEST_NAME:
            raise bad_value("q", "is missing, or too long", "write a number, an e-mail address or a name")
        found: list[JsonValue] = []
        down: dict[str, JsonValue] = {}
        whole: dict[str, None] = {}
        for where in self._searched(request):
            if "name" in searched_fields(text, site.model(where.integration, where.model)):
                whole[site.title(where.integration)] = None
            answer = await self._desk.search(where, text)
            if isinstance(answer, ContactsDown):
                down[where.integration] = {"integration": where.integration, "why": answer.why}
            else:
                contacts = (contact_of(where, [one]) for one in answer)
                found += [contact_json(site, request.actor, one, "found") for one in contacts]
        more = len(found) > MOST_FOUND
        return ApiAnswer(
            {"contacts": found[:MOST_FOUND], "down": list(down.values()), "whole_names": [*whole], "more": more}
        )

    def _searched(self, request: ApiRequest) -> list[ContactModel]:
        """Return the models to search in that somebody may read."""
        wanted = request.query.get("integration"), request.query.get("model")
        return [
            ContactModel(integration, model)
            for integration, one in self._site().integrations.items()
            for model in one.models
            if wanted[0] in (None, integration) and wanted[1] in (None, model)
            if allows(request.actor, integration, model, "read")
        ]


def _record_of(contact: CallContact | Candidate) -> tuple[str | None, str | None, str | None]:
    return contact.integration, contact.model, contact.id


def _read_action(request: ApiRequest) -> str:
    """Return what is to be done. What it does not need is held to its form all the same, as the document says."""
    action = request.text("action") or ""
    if action not in _ACTIONS:
        raise bad_value("action", "is nothing that can be done", f"write {' or '.join(_ACTIONS)}")
    for name in ("integration", "model", "id"):
        if request.text(name, _LONGEST_NAME) == "":
            raise bad_value(name, "is empty", "leave it out")
    if request.body.get("fields") is not None:
        _fields(request)
    return action


def _where(request: ApiRequest) -> ContactModel:
    return ContactModel(request.needed("integration", _LONGEST_NAME), request.needed("model", _LONGEST_NAME))


def _fields(request: ApiRequest) -> Mapping[str, str]:
    given = request.body.get("fields")
    if not isinstance(given, dict) or not given or len(given) > _MOST_FIELDS:
        raise bad_value("fields", "must be an object with a field at least", 'write {"name": "Anna Gruber"}')
    found = {name: one for name, one in given.items() if isinstance(one, str) and one.strip()}
    for name, value in given.items():
        if name not in found or not isinstance(value, str) or len(value) > _LONGEST_VALUE or not _is_clean(value):
            raise bad_value(f"fields.{name}", "must be a text that is not empty", "leave it out to keep what is there")
    return found


def _is_clean(value: str) -> bool:
    # A line break is a text of people; other control characters are none.
    return all(char.isprintable() or char in "\n\t" for char in value)


def of_provider(error: ProviderError) -> ApiError:
    """Return what an error of a system is for whoever waits for it."""
    why = str(error)[:300]
    if isinstance(error, ProviderThrottled):
        again = {"Retry-After": str(max(1, round(error.retry_after_s)))}
        return ApiError(503, "crm_busy", why, "try again when it has rested", again)
    if isinstance(error, ProviderRefused | ProviderMisread):
        return ApiError(502, "crm_refused", why, error.remedy or "ask the system's administrator")
    return ApiError(503, "crm_down", why, "look in the system whether it was done, and try again")
