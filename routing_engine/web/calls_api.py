"""Calls over HTTP: lists, one call, and what people and workflows write to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, get_args

from routing_engine.calls.as_json import JsonValue
from routing_engine.calls.call import Call, CallContact, CallOutcome, Direction, Note, Sentiment
from routing_engine.calls.json_schema import MOMENT
from routing_engine.calls.requests import CallEdit, CallQuery
from routing_engine.providers.answers.records import web_address
from routing_engine.web.endpoints import (
    CALL,
    TEXT,
    Endpoint,
    Gives,
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
from routing_engine.web.rights import need_call, need_model, sees, shown

MOST_CALLS = 200
_LONGEST_NOTE, _LONGEST_TAG, _MOST_TAGS, _LONGEST_MEMBER = 20_000, 100, 100, 2000

_FILTERS = (
    Parameter("since", "calls that began then or later", MOMENT),
    Parameter("until", "calls that began before", MOMENT),
    Parameter("user", "calls that rang at this person, or that they placed: a key of users.yaml"),
    Parameter("number", "calls that this number took part in, in any spelling"),
    Parameter("outcome", "calls with this outcome", words(*get_args(CallOutcome))),
    Parameter("direction", "calls in this direction", words(*get_args(Direction))),
    Parameter("cursor", "`next` of the page before"),
    page_limit(MOST_CALLS),
)
_TAGS = {**listed(text(_LONGEST_TAG, 1)), "maxItems": _MOST_TAGS}
_EDIT = takes(
    {
        "notes": or_null(text(_LONGEST_NOTE)),
        "tags": {"anyOf": [_TAGS, takes({"add": or_null(_TAGS), "remove": or_null(_TAGS)}), {"type": "null"}]},
        "sentiment": or_null(words(*get_args(Sentiment))),
        "disposition": or_null(text(1000)),
        "contact": or_null(
            takes(
                {
                    **{name: text(_LONGEST_MEMBER, 1) for name in ("integration", "model", "id")},
                    **{name: or_null(text(_LONGEST_MEMBER)) for name in ("name", "url")},
                },
                needed=("integration", "model", "id"),
            )
        ),
    }
)
_IF_MATCH = Parameter("If-Match", 'changes nothing when the call has another version: `"3"`', where="header")
_LIST = "List calls, the newest first."
_ONE = "Read a call; of one that became part of another one, that one. `ETag` is its version."
_WRITE = "Write to a call; what is not named stays, null takes away. It goes to the CRM and to webhooks too."
_NEXT = or_null(TEXT)
_PAGE = (Gives("a page; `next` is the `cursor` of the next one", has({"calls": listed(CALL), "next": _NEXT})),)
_A_CALL = (Gives("the call as it is then", CALL),)

Word = TypeVar("Word", bound=str)


class Calls(Protocol):
    """The book of calls, as far as programs need it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        """Return a page of calls, and the cursor of the next."""

    async def edit(self, call_id: str, edit: CallEdit, version: int | None = None) -> Call:
        """Change what people say of a call."""


class CallsApi:
    """`/v1/calls`. `now` is the wall clock, `number` brings a number that was asked for into E.164."""

    def __init__(self, calls: Calls, now: Callable[[], float], number: Callable[[str], str]) -> None:
        self._calls, self._now, self._number = calls, now, number

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        one = "/v1/calls/{id}"
        return (
            Endpoint("GET", "/v1/calls", "calls.read", self._list, _LIST, _FILTERS, gives=_PAGE),
            Endpoint("GET", one, "calls.read", self._one, _ONE, gives=_A_CALL, refuses=(404,)),
            Endpoint("PATCH", one, "calls.write", self._edit, _WRITE, (_IF_MATCH,), _EDIT, _A_CALL, refuses=(404, 412)),
        )

    async def _list(self, request: ApiRequest) -> ApiAnswer:
        try:
            calls, following = await self._calls.find(self._wanted(request))
        except ValueError as error:
            raise bad_value("cursor", str(error), "take 'next' of the page before") from None
        # The query has narrowed it already; what it might miss is not told all the same.
        told = [shown(request.actor, call) for call in calls if sees(request.actor, call)]
        return ApiAnswer({"calls": [*told], "next": following})

    def _wanted(self, request: ApiRequest) -> CallQuery:
        query = request.query
        number = query.get("number")
        return CallQuery(
            since=request.moment("since", query.get("since")),
            until=request.moment("until", query.get("until")),
            user=_whose(request.actor, query.get("user")),
            number=None if number is None else self._number(number),
            outcome=_word("outcome", query.get("outcome"), get_args(CallOutcome)),
            direction=_word("direction", query.get("direction"), get_args(Direction)),
            cursor=query.get("cursor"),
            limit=read_limit(query.get("limit"), MOST_CALLS),
        )

    async def _one(self, request: ApiRequest) -> ApiAnswer:
        return _answer(request.actor, await self._seen(request))

    async def _seen(self, request: ApiRequest) -> Call:
        asked = request.path["id"]
        return need_call(request.actor, await self._calls.call(asked), asked)

    async def _edit(self, request: ApiRequest) -> ApiAnswer:
        call, edit = await self._seen(request), self._read_edit(request)
        _need_contacts(request.actor, call, edit)
        return _answer(request.actor, await self._calls.edit(call.id, edit, request.version))

    def _read_edit(self, request: ApiRequest) -> CallEdit:
        note = request.text("notes", _LONGEST_NOTE)
        sentiment = _word("sentiment", request.text("sentiment"), get_args(Sentiment))
        tags, add, remove = _tags(request.body.get("tags"))
        return CallEdit(
            notes=(Note(self._now(), request.actor.name, note),) if note else (),
            tags=tags,
            add_tags=add,
            remove_tags=remove,
            # null takes away, a member that is not there leaves what there is.
            sentiment="none" if _is_null(request, "sentiment") else sentiment,
            disposition="none" if _is_null(request, "disposition") else request.text("disposition"),
            contact="none" if _is_null(request, "contact") else _contact(request.body.get("contact")),
        )


def _answer(actor: Actor, call: Call) -> ApiAnswer:
    return ApiAnswer(shown(actor, call), headers={"ETag": f'"{call.version}"'})


def _whose(actor: Actor, asked: str | None) -> str | None:
    """Return whose calls are listed. Raises `ApiError` for somebody else's where only the own may be seen."""
    if actor.user is None or actor.sees_all:
        return asked
    if asked not in (None, actor.user.key):
        raise ApiError(403, "no_right", "the calls of others are not shown to you", "leave out 'user'")
    return actor.user.key


def _need_contacts(actor: Actor, call: Call, edit: CallEdit) -> None:
    """Raise `ApiError` where a record would be linked, or taken away, that the person may not even read."""
    before = call.contact if edit.contact is not None else None
    after = edit.contact if isinstance(edit.contact, CallContact) else None
    for contact in (before, after) if actor.user is not None else ():
        if contact is not None and contact.integration is not None and contact.model is not None:
            need_model(actor, contact.integration, contact.model, "read")
    # A colleague who opens the record must land in the CRM, and nowhere that somebody has thought of.
    if after is not None and after.url is not None and actor.user is not None:
        raise ApiError(403, "no_right", "the address of a record is the CRM's to say", "leave out contact.url")


def _is_null(request: ApiRequest, name: str) -> bool:
    return name in request.body and request.body[name] is None


def _word(name: str, value: str | None, allowed: tuple[Word, ...]) -> Word | None:
    found = next((word for word in allowed if word == value), None)
    if value is not None and found is None:
        raise bad_value(name, f"cannot be '{value[:80]}'", f"write {' or '.join(allowed)}")
    return found


def _tags(value: JsonValue) -> tuple[tuple[str, ...] | None, tuple[str, ...], tuple[str, ...]]:
    """Return all tags, those to add and those to remove, as `tags` says: a list, or `{add, remove}`."""
    if isinstance(value, dict):
        if unknown := [name for name in value if name not in ("add", "remove")]:
            raise bad_value(f"tags.{unknown[0]}", "is not known", "write add and remove")
        return None, _texts("tags.add", value.get("add")), _texts("tags.remove", value.get("remove"))
    return (None if value is None else _texts("tags", value)), (), ()


def _texts(name: str, value: JsonValue) -> tuple[str, ...]:
    if value is None:
        return ()
    found = tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
    whole = isinstance(value, list) and len(found) == len(value) <= _MOST_TAGS
    if not whole or any(not 0 < len(one) <= _LONGEST_TAG for one in found):
        raise bad_value(name, "must be a list of short texts", f"at most {_MOST_TAGS}, of {_LONGEST_TAG} characters")
    return found


def _contact(value: JsonValue) -> CallContact | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_value("contact", "must be an object", "write {integration, model, id}")
    found = {name: value.get(name) for name in ("integration", "model", "id", "name", "url")}
    if unknown := [name for name in value if name not in found]:
        raise bad_value(f"contact.{unknown[0]}", "is not known", f"known are: {', '.join(found)}")
    for name, one in found.items():
        if one is not None and not (isinstance(one, str) and len(one) <= _LONGEST_MEMBER):
            raise bad_value(
                f"contact.{name}", "is no text, or a long one", f"write {_LONGEST_MEMBER} characters at most"
            )
    texts = {name: one for name, one in found.items() if isinstance(one, str) and one}
    if not {"integration", "model", "id"} <= set(texts):
        raise bad_value("contact", "does not say whose record it is", "write integration, model and id")
    # Pages and webhooks get it: whoever clicks on it must land on a page, and run nothing.
    if "url" in texts and not web_address([texts["url"]]):
        raise bad_value("contact.url", "is no address of the web", "write https://...")
    integration, model, record_id = texts["integration"], texts["model"], texts["id"]
    return CallContact("linked", integration, model, record_id, texts.get("name"), texts.get("url"))
