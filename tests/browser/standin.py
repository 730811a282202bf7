"""A stand-in of the API behind the pages: calls that a test rings, answers and ends, and what people write to them.

The calls are made by the engine's own classes, so their JSON is the contract's; its code serves the pages.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from aiohttp import web

from routing_engine.calls.as_json import call_json
from routing_engine.calls.call import Call, CallContact, CallRoute, Candidate, Leg, Note
from routing_engine.http_server import HttpLimits, HttpListener
from routing_engine.web.pages import Pages

Json: TypeAlias = dict[str, Any]
HEARTBEAT_S = 10.0
PASSWORD = "correct horse"
COOKIE = "routing_engine"
PEOPLE = {"anna": "Anna Gruber", "berta": "Berta Lang", "carl": "Carl Weiß"}
PHONES = {"anna": "main/201", "berta": "main/202", "carl": "main/203"}
FIELDS = {
    "company": ("Company", "Huber & Söhne GmbH"),
    "city": ("City", "Klagenfurt am Wörthersee"),
    "email": ("E-mail", "maria.huber@huber-soehne.example"),
    "level": ("Customer level", "Gold"),
}
HUBER = Candidate("crm", "contact", "7", "Maria Huber", "https://crm.example.com/contact/7")


def record(
    one: Candidate, fields: Mapping[str, tuple[str, str]] = FIELDS, may: tuple[str, ...] = ("read", "edit")
) -> Json:
    """Return a record as a card shows it."""
    return {
        "integration": one.integration,
        "integration_title": one.integration.upper(),
        "model": one.model,
        "model_title": one.model.capitalize(),
        "id": one.id,
        "name": one.name,
        "url": one.url,
        "matched": "found",
        "fields": [
            {"name": name, "label": label, "value": value, "type": "text", "editable": True}
            for name, (label, value) in fields.items()
        ],
        "may": [*may],
    }


class Passwords(Protocol):
    """What makes passwords for a session."""

    async def give(self) -> Json:
        """Make one."""

    async def end(self, name: str) -> Json:
        """Take it back."""


@dataclass
class StandIn:
    """What the API says. Set the members, then open the page at `url`."""

    url: str = ""
    calls: dict[str, Call] = field(default_factory=dict)
    records: dict[str, Json] = field(default_factory=dict)
    others: list[Json] = field(default_factory=list)
    create: list[Json] = field(default_factory=list)
    sentence: str = ""
    phones: dict[str, list[str]] = field(default_factory=lambda: {key: [one] for key, one in PHONES.items()})
    roles: dict[str, str] = field(default_factory=dict)
    accounts: list[Json] = field(default_factory=list)
    #: Refused with this code: what a test wants to fail, by method and path.
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: Every request that changes something: method, path, body, headers.
    asked: list[tuple[str, str, Json, Mapping[str, str]]] = field(default_factory=list)
    streams: list[asyncio.Queue[tuple[str, Call] | None]] = field(default_factory=list)
    opened: int = 0
    language: str = "en"
    phone_in_page: bool = False
    cannot_hold: list[str] = field(default_factory=list)
    passwords: Passwords | None = None

    # ------------------------------------------------------------------------------------- what tests do

    def ring(self, call_id: str, *users: str, contact: CallContact | None = None, **more: Any) -> Call:
        """Let a call ring at the phones of some people."""
        now = time.time()
        legs = tuple(Leg(PHONES[user], user, ringing_at=now) for user in users)
        given: Json = {"from_": "+436641112223", "to": "200", "did": "+4312345600", **more}
        call = Call(call_id, "main", call_id, "inbound", now, legs=legs, contact=contact, state="ringing", **given)
        return self.change(replace(call, ringing_at=now), "call.ringing")

    def answer(self, call_id: str, user: str) -> Call:
        """Let one of them answer: the others' phones are silent then."""
        call, now = self.calls[call_id], time.time()
        legs = tuple(
            replace(leg, answered_at=now, result="answered")
            if leg.user == user
            else replace(leg, left_at=now, result="elsewhere")
            for leg in call.legs
        )
        return self.change(replace(call, state="talking", user=user, answered_at=now, legs=legs), "call.answered")

    def end(self, call_id: str, ago_s: float = 0) -> Call:
        """Let the call end: missed, where nobody has answered."""
        call, now = self.calls[call_id], time.time()
        legs = tuple(
            leg if leg.left_at else replace(leg, left_at=now, result=leg.result or "cancelled") for leg in call.legs
        )
        talk_s = now - call.answered_at if call.answered_at else None
        ended = replace(
            call,
            state="ended",
            outcome="answered" if call.answered_at else "missed",
            started_at=call.started_at - ago_s,
            ended_at=now - ago_s,
            talk_s=talk_s,
            legs=legs,
        )
        return self.change(ended, "call.ended")

    def change(self, call: Call, kind: str = "call.updated") -> Call:
        """Change a call: it gets its next version, and everybody hears of it."""
        before = self.calls.get(call.id)
        call = replace(call, version=(before.version if before else 0) + 1)
        self.calls[call.id] = call
        self.tell(call, kind)
        return call

    def tell(self, call: Call, kind: str = "call.updated") -> None:
        """Tell every stream of a call, whatever its version."""
        for stream in self.streams:
            stream.put_nowait((kind, call))

    def cut(self) -> None:
        """End every stream."""
        for stream in self.streams:
            stream.put_nowait(None)

    def asks(self, method: str, ending: str) -> list[Json]:
        """Return the bodies of the requests so far."""
        return [body for one, path, body, _ in self.asked if one == method and path.endswith(ending)]

    # --------------------------------------------------------------------------------- what the page asks

    async def answered(self, request: web.BaseRequest, pages: Pages) -> web.StreamResponse:
        if (page := pages.answer(request)) is not None:
            return page
        body = json.loads(await request.read() or b"{}")
        if request.method != "GET":
            self.asked.append((request.method, request.path, body, request.headers))
        if refused := self.refuses.get(f"{request.method} {request.path}"):
            return _refused(*refused)
        if request.path == "/v1/session":
            return self._session(request.method, body)
        user = request.cookies.get(COOKIE)
        if user not in PEOPLE:
            return _refused(401, "no_session")
        if request.path == "/v1/stream":
            return await self._stream(request, user)
        if request.path.startswith("/v1/sip-credentials") and self.passwords is not None:
            name = request.path.rpartition("/")[2]
            gives = request.method == "POST"
            return web.json_response(await (self.passwords.give() if gives else self.passwords.end(name)))
        try:
            return web.json_response(self._found(request, user, body))
        except KeyError:
            return _refused(404, "unknown_call")

    def _session(self, method: str, body: Json) -> web.Response:
        if method == "GET":
            return web.json_response({"log_in": ["password"], "title": ""})
        answer = web.json_response({"key": body.get("user")})
        if method == "DELETE":
            answer.del_cookie(COOKIE, path="/")
        elif body.get("user") not in PEOPLE or body.get("password") != PASSWORD:
            return _refused(401, "wrong_password")
        else:
            answer.set_cookie(COOKIE, body["user"], httponly=True, samesite="Strict", path="/")
        return answer

    def _found(self, request: web.BaseRequest, user: str, body: Json) -> Json:
        match [request.method, *request.path.split("/")[2:]]:
            case ["GET", "me"]:
                return self._me(user)
            case ["GET", "calls"]:
                return self._list(request.query, user)
            case ["POST", "calls"]:
                return self._dial(body)
            case ["GET", "calls", call_id]:
                return call_json(self.calls[call_id])
            case ["PATCH", "calls", call_id]:
                return self._edit(self.calls[call_id], user, body)
            case ["GET", "calls", call_id, "card"]:
                return self._card(call_id)
            case ["POST", "calls", call_id, "contact"]:
                return self._contact(call_id, body)
            case ["POST", "calls", call_id, _]:
                return call_json(self.calls[call_id])
        return self._found_more(request)

    def _found_more(self, request: web.BaseRequest) -> Json:
        match [request.method, *request.path.split("/")[2:]]:
            case ["GET", "contacts"]:
                return {"contacts": [one for one in self.records.values() if request.query["q"] in one["name"]]}
            case ["GET", "accounts"]:
                return {"accounts": self.accounts}
            case ["DELETE", "accounts", _] | ["POST", "me", "password"]:
                return {}
            case ["GET", "users"]:
                return {"users": [{"key": key, "name": name} for key, name in PEOPLE.items()]}
        raise KeyError(request.path)

    def _me(self, user: str) -> Json:
        role = self.roles.get(user, "agent")
        return {
            "user": {
                **{"key": user, "name": PEOPLE[user], "email": None, "group": "default", "role": role},
                **{"phones": self.phones[user], "caller_ids": {}},
            },
            "may": ["calls.read", "calls.write", "dial", "sip"],
            "models": {"crm.contact": ["read", "create", "edit"]},
            "integrations": [],
            "language": self.language,
            "log_in": ["password"],
            "has_password": True,
            "dialling": True,
            "phone_in_page": self.phone_in_page,
            "cannot_hold": self.cannot_hold,
        }

    def _seen(self, call: Call, user: str) -> bool:
        return self.roles.get(user, "agent") != "agent" or any(leg.user == user for leg in call.legs)

    def _list(self, query: Mapping[str, str], user: str) -> Json:
        def fits(call: Call) -> bool:
            number = query.get("number")
            return (
                self._seen(call, user)
                and query.get("outcome") in (None, call.outcome)
                and query.get("direction") in (None, call.direction)
                and (number is None or any(number in (one or "") for one in (call.from_, call.to)))
            )

        found = sorted(filter(fits, self.calls.values()), key=lambda one: -one.started_at)
        begin = int(query.get("cursor", "0"))
        page = found[begin : begin + 50]
        return {"calls": [call_json(one) for one in page], "next": str(begin + 50) if found[begin + 50 :] else None}

    def _dial(self, body: Json) -> Json:
        user, now = body["user"], time.time()
        leg = Leg(body.get("phone") or PHONES[user], user, ringing_at=now)
        call = Call(f"dialled-{len(self.calls)}", "main", "1", "outbound", now, from_="201", to=body["to"], legs=(leg,))
        return call_json(self.change(replace(call, state="ringing"), "call.started"))

    def _edit(self, call: Call, user: str, body: Json) -> Json:
        tags = body.get("tags") or {}
        kept = tuple(tag for tag in call.tags if tag not in tags.get("remove", ()))
        changed = replace(
            call,
            notes=call.notes + ((Note(time.time(), user, body["notes"]),) if body.get("notes") else ()),
            tags=kept + tuple(tags.get("add", ())),
            sentiment=body.get("sentiment", call.sentiment),
            disposition=body.get("disposition", call.disposition),
        )
        return call_json(self.change(changed))

    def _card(self, call_id: str) -> Json:
        call = self.calls[call_id]
        contact = call.contact
        shown = None
        if contact is not None and contact.id is not None:
            shown = {**self.records[contact.id], "matched": contact.matched}
        same = [one for one in self.calls.values() if one.id != call_id and one.from_ == call.from_]
        return {
            "call": call_json(call),
            "contact": shown,
            "candidates": [self.records[one.id] for one in contact.candidates] if contact else [],
            "others": self.others,
            "others_pending": False,
            "why": {"route": "office", "rule": None, "reason": None, "sentence": self.sentence},
            "last_calls": [call_json(one) for one in same],
            "create": self.create,
        }

    def _contact(self, call_id: str, body: Json) -> Json:
        call, action = self.calls[call_id], body["action"]
        if action == "edit":
            for one in self.records[body["id"]]["fields"]:
                one["value"] = body["fields"].get(one["name"], one["value"])
            self.change(call)
        elif action == "create":
            fields = {name: (name, value) for name, value in body["fields"].items()}
            made = Candidate(body["integration"], body["model"], "new", body["fields"].get("name"), None)
            self.records["new"] = record(made, fields)
            self._link(call, "new", "created")
        elif action in ("link", "choose"):
            self._link(call, body["id"], "linked")
        return self._card(call_id)

    def _link(self, call: Call, record_id: str, matched: Any) -> None:
        one = self.records[record_id]
        contact = CallContact(matched, one["integration"], one["model"], record_id, one["name"], one["url"])
        self.change(replace(call, contact=contact))

    async def _stream(self, request: web.BaseRequest, user: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        mine: asyncio.Queue[tuple[str, Call] | None] = asyncio.Queue()
        self.streams.append(mine)
        self.opened += 1
        try:
            open_calls = [one for one in self.calls.values() if one.state != "ended" and self._seen(one, user)]
            await _event(answer, "snapshot", {"calls": [call_json(one) for one in open_calls]})
            while (news := await _next(mine, answer)) is not None:
                kind, call = news
                if self._seen(call, user):
                    await _event(answer, kind, call_json(call))
        except ConnectionError:
            pass
        finally:
            self.streams.remove(mine)
        return answer


async def _next(mine: asyncio.Queue[tuple[str, Call] | None], answer: web.StreamResponse) -> tuple[str, Call] | None:
    while True:
        try:
            return await asyncio.wait_for(mine.get(), HEARTBEAT_S)
        except TimeoutError:
            await answer.write(b": still here\n\n")


async def _event(answer: web.StreamResponse, kind: str, data: Json) -> None:
    await answer.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())


def _refused(status: int, code: str) -> web.Response:
    error = {"code": code, "message": f"refused: {code}", "remedy": "do something else"}
    return web.json_response({"error": error}, status=status)


@asynccontextmanager
async def stand_in(servers: Sequence[str] = (), frames: Sequence[str] = ()) -> AsyncIterator[StandIn]:
    """Run the stand-in."""
    here, pages = StandIn(), Pages(frames, servers)
    here.records[HUBER.id] = record(HUBER)
    listener = HttpListener("http", lambda request: here.answered(request, pages), HttpLimits(1000, 30.0, kept=True))
    await listener.listen("127.0.0.1", 0)
    here.url = f"http://{listener.addresses[0]}"
    try:
        yield here
    finally:
        here.cut()
        await listener.stop()


def found(one: Candidate = HUBER) -> CallContact:
    """Return the contact of a call whose record was found."""
    return CallContact("found", one.integration, one.model, one.id, one.name, one.url)


def route(reason: str) -> CallRoute:
    """Return the decision that sent a call on."""
    return CallRoute("office", "gold customers", reason, "r1", "1.1")
