"""Logging in and out over HTTP, who one is and what one may, and the audit for administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from routing_engine.calls.as_json import JsonObject, JsonValue, moment
from routing_engine.config.load import Configuration
from routing_engine.settings.api import RIGHTS
from routing_engine.settings.people import User, phone_parts
from routing_engine.storage.people_table import AuditEntry
from routing_engine.web.endpoints import (
    FLAG,
    TEXT,
    Endpoint,
    Gives,
    Parameter,
    has,
    listed,
    or_null,
    takes,
    text,
    words,
)
from routing_engine.web.peers import need_own_page
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest, Peer
from routing_engine.web.rights import models
from routing_engine.web.sessions import COOKIE, DEVICE, NewSession, Sessions, cookie_of, set_cookie

_DEVICE_S = 180 * 86_400
_LANGUAGES = ("en", "de")
_MOST_ENTRIES = 1000

_WORDS: JsonObject = {"type": "object", "additionalProperties": listed(TEXT)}
_TEXTS: JsonObject = {"type": "object", "additionalProperties": TEXT}
USER = has(
    {
        **dict.fromkeys(("key", "name", "email", "group"), TEXT),
        "role": words("agent", "supervisor", "administrator"),
        "phones": listed(TEXT),
        "caller_ids": _TEXTS,
    }
)
_WAYS = listed(words("password", "oidc"))
_ME = has(
    {
        "user": USER,
        "may": listed(words(*RIGHTS)),
        "models": _WORDS,
        "integrations": listed(has({"name": TEXT, "title": TEXT, "account": or_null({"type": "object"})})),
        "language": words(*_LANGUAGES),
        "log_in": _WAYS,
        "has_password": FLAG,
        "dialling": FLAG,
        "phone_in_page": FLAG,
        "cannot_hold": listed(TEXT),
    }
)
_ENTRY = has(dict.fromkeys(("at", "who", "what", "about", "address"), TEXT))
_EVERYWHERE = Parameter("everywhere", "`true`: on every device", words("true", "false"))
_AUDITED = (
    Parameter("who", "what this person did: a key of users.yaml"),
    Parameter("since", "what was done then or later", {"type": "string", "format": "date-time"}),
)


_CHANGE = takes({"old": text(1000, 1), "new": text(1000, 1)}, ("old", "new"))
_CHANGED = "Change the own password: the old one is asked for, and every other session of the person ends."
_WHO_DID = "Read who did what, the newest first; administrators only."


class PeopleApi:
    """`/v1/session`, `/v1/me` with the own password, `/v1/audit`. `configuration` is what is in force."""

    def __init__(self, sessions: Sessions, configuration: Callable[[], Configuration]) -> None:
        self._sessions, self._configuration = sessions, configuration
        #: How a person's own accounts are, by integration, and what people call one; set by who knows.
        self.accounts: Callable[[User], Awaitable[Mapping[str, JsonObject | None]]] = _no_accounts
        self.title: Callable[[str], str] = str
        #: The phones that do not hold a call when they are asked to; set by who asks them.
        self.cannot_hold: Callable[[], frozenset[str]] = frozenset

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        at, log_in = "/v1/session", takes({"user": text(200, 1), "password": text(1000, 1)}, ("user", "password"))
        ways = (Gives("the ways; `title` is the provider's", has({"log_in": _WAYS, "title": TEXT})),)
        out, in_ = (Gives("nothing", None, 204, ""),), (Gives("who one is, with a cookie", has({"user": USER})),)
        audit = (Gives("the newest first", has({"entries": listed(_ENTRY)})),)
        return (
            Endpoint("GET", at, None, self._ways, "Read how people may log in here.", gives=ways),
            Endpoint("POST", at, None, self._log_in, "Log in with a password.", (), log_in, in_, (401, 403, 429)),
            Endpoint("DELETE", at, "person", self._log_out, "Log out.", (_EVERYWHERE,), gives=out, audited=False),
            Endpoint("GET", "/v1/me", "person", self._me, "Read who one is, and what one may.", gives=(_gives_me(),)),
            Endpoint(
                *("POST", "/v1/me/password", "person", self._change_password, _CHANGED, (), _CHANGE),
                gives=out,
                refuses=(409, 429),
                audited=False,
            ),
            Endpoint("GET", "/v1/audit", "person", self._audit, _WHO_DID, _AUDITED, gives=audit),
        )

    # ------------------------------------------------------------------------------------- log in and out

    async def _ways(self, _: ApiRequest) -> ApiAnswer:
        oidc = self._configuration().settings.log_in.oidc
        return ApiAnswer({"log_in": [*self._ways_in()], "title": oidc.title if oidc is not None else ""})

    def _ways_in(self) -> list[JsonValue]:
        found = self._configuration().settings.log_in
        return [*(["password"] if found.password else []), *(["oidc"] if found.oidc is not None else [])]

    async def _log_in(self, request: ApiRequest) -> ApiAnswer:
        need_own_page(request.headers, self._configuration().settings.pages.address)
        need_secure(request.peer)
        user, password = request.needed("user", 200), request.needed("password", 1000)
        device = cookie_of(request.headers, DEVICE, request.peer.secure)
        new = await self._sessions.log_in(user, password, device, request.peer)
        # Whoever had this browser before is out: nobody's session is gone on with under another name.
        if before := cookie_of(request.headers, COOKIE, request.peer.secure):
            await self._sessions.drop(before)
        return ApiAnswer({"user": user_json(new.user)}, cookies=self.cookies(new, request.peer))

    def cookies(self, new: NewSession, peer: Peer) -> tuple[str, ...]:
        """Return the headers that give a browser its new session."""
        # A page in a frame of another site is sent its cookies only so; what changes something needs a header as well.
        site = "None" if self._configuration().settings.pages.frames and peer.secure else "Strict"
        longest = self._configuration().settings.log_in.longest
        return (
            set_cookie(COOKIE, new.token, longest, peer.secure, site),
            set_cookie(DEVICE, new.device, _DEVICE_S, peer.secure, site),
        )

    async def _log_out(self, request: ApiRequest) -> ApiAnswer:
        everywhere = request.query.get("everywhere") == "true"
        await self._sessions.end(request.actor.session, request.actor.name, request.peer, everywhere)
        return ApiAnswer({}, 204, cookies=(set_cookie(COOKIE, "", 0, request.peer.secure),))

    # ------------------------------------------------------------------------------------- who one is

    async def _me(self, request: ApiRequest) -> ApiAnswer:
        user = need_person(request.actor)
        configuration = self._configuration()
        accounts = await self.accounts(user)
        integrations: list[JsonValue] = [
            {"name": name, "title": self.title(name), "account": accounts.get(name)}
            for name in configuration.integrations
        ]
        return ApiAnswer(
            {
                "user": user_json(user),
                "may": [*sorted(request.actor.may)],
                "models": {name: [*sorted(verbs)] for name, verbs in models(request.actor).items()},
                "integrations": integrations,
                "language": language_of(request.headers.get("Accept-Language", "")),
                "log_in": self._ways_in(),
                "has_password": await self._sessions.has_password(user),
                **_telephones(user, configuration),
                "cannot_hold": [*sorted(self.cannot_hold() & {*user.phones})],
            }
        )

    async def _change_password(self, request: ApiRequest) -> ApiAnswer:
        user = need_person(request.actor)
        need_secure(request.peer)
        old, new = request.needed("old"), request.needed("new")
        await self._sessions.change_password(user, request.actor.session, old, new, request.peer)
        return ApiAnswer({}, 204)

    async def _audit(self, request: ApiRequest) -> ApiAnswer:
        if need_person(request.actor).role != "administrator":
            raise ApiError(403, "no_right", "the audit is for administrators", "ask one")
        since = request.moment("since", request.query.get("since")) or 0.0
        entries = await self._sessions.audit.entries(request.query.get("who", ""), since, _MOST_ENTRIES)
        return ApiAnswer({"entries": [audit_json(one) for one in entries]})


async def _no_accounts(_: User) -> Mapping[str, JsonObject | None]:
    return {}


def _gives_me() -> Gives:
    return Gives("`models` names what the group may do with records; `account` is the own one at a CRM", _ME)


def need_person(actor: Actor) -> User:
    """Return the person who asks. Raises `ApiError` for a program."""
    if actor.user is None:
        raise ApiError(403, "no_person", "this is for people, and a key is no person", "log in with a browser")
    return actor.user


def need_secure(peer: Peer) -> None:
    """Raise `ApiError` where a password, or what it gives, could be read on its way."""
    if not (peer.secure or peer.local):
        remedy = "open the page over https: 'tls' of the listener, or a proxy before it"
        raise ApiError(403, "not_secure", "nobody logs in over plain http from another machine", remedy)


def user_json(user: User) -> JsonObject:
    """Return a person as the API has it."""
    return {
        "key": user.key,
        "name": user.name,
        "email": user.email,
        "group": user.group,
        "role": user.role,
        "phones": [*user.phones],
        "caller_ids": dict(user.caller_ids),
    }


def audit_json(entry: AuditEntry) -> JsonObject:
    """Return what somebody did as JSON."""
    at = moment(entry.at)
    return {"at": at, "who": entry.who, "what": entry.what, "about": entry.about, "address": entry.address}


def language_of(accepted: str) -> str:
    """Return the language of ours that a browser likes best, by `Accept-Language` (RFC 9110)."""
    wanted: list[tuple[float, str]] = []
    for one in accepted[:500].split(","):
        name, _, weight = one.partition(";")
        code = name.strip().lower().partition("-")[0]
        if code in _LANGUAGES:
            wanted.append((-_weight(weight), code))
    return min(wanted, key=lambda one: one[0])[1] if wanted else _LANGUAGES[0]


def _weight(written: str) -> float:
    try:
        return float(written.strip().removeprefix("q=")) if written.strip() else 1.0
    except ValueError:
        return 0.0


def _telephones(user: User, configuration: Configuration) -> JsonObject:
    """Return whether a person can dial from here, and has a telephone in the page."""
    dialling = in_page = False
    for phone in user.phones:
        name, extension = phone_parts(phone)
        pbx = configuration.pbxs.get(name)
        if pbx is not None:
            dialling = dialling or pbx.keys.dial is not None
            sip = pbx.keys.sip
            in_page = in_page or (sip is not None and any(fnmatchcase(extension, one) for one in sip.phones))
    return {"dialling": dialling, "phone_in_page": in_page}
