"""Who asks, and what they may: a program by its key, a person by a session. What each role may do stands here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from routing_engine.connections import Network
from routing_engine.core.ports import Clock
from routing_engine.settings.api import RIGHTS, Program, Right
from routing_engine.settings.people import People, Role, User, Verb
from routing_engine.web.endpoints import Need
from routing_engine.web.keys import KeyRing
from routing_engine.web.peers import need_own_page, peer_of
from routing_engine.web.requests import Actor, ApiError, ApiRequest, Peer
from routing_engine.web.sessions import COOKIE, Sessions, cookie_of

_SEND_A_KEY = "log in, or send 'Authorization: Bearer KEY' with a key of api_keys in engine.yaml"
_EVERY_VERB: frozenset[Verb] = frozenset({"read", "create", "edit"})
_TAKES_CALLS: frozenset[Right] = frozenset({"calls.read", "calls.write", "dial", "sip"})
_DEEDS: frozenset[Right] = frozenset({"calls.write", "dial", "sip"})
#: What a person may, by role; over which calls, `Actor.sees_all` says.
ROLE_RIGHTS: Mapping[Role, frozenset[Right]] = {
    "agent": _TAKES_CALLS,
    "supervisor": _TAKES_CALLS,
    "administrator": frozenset(RIGHTS),
}


def need_right(actor: Actor, right: Need) -> None:
    """Raise `ApiError` when somebody may not do what an address offers."""
    if right in actor.may or (right == "person" and actor.user is not None):
        return
    if right == "person":
        raise ApiError(403, "no_person", "this is for people, and a key is no person", "log in with a browser")
    if actor.user is not None:
        sentence = f"the role '{actor.user.role}' has no right '{right}'"
        raise ApiError(403, "no_right", sentence, "the administrator: role in users.yaml")
    sentence = f"the key '{actor.name}' has no right '{right}'"
    raise ApiError(403, "no_right", sentence, "the administrator: api_keys in engine.yaml")


class Access:
    """Finds who asks. `clock` is monotonic, in seconds; without `sessions` there are programs only.

    `proxies` are those whose word is taken for where a request comes from.
    """

    def __init__(
        self,
        keys: Sequence[Program],
        people: People,
        clock: Clock,
        sessions: Sessions | None = None,
        proxies: Sequence[Network] = (),
    ) -> None:
        self.ring = KeyRing(keys, clock)
        self.people, self.sessions, self.proxies = people, sessions, proxies
        #: Where people find the pages from outside, "" where nobody has said it.
        self.address = ""

    def change(self, keys: Sequence[Program], people: People, proxies: Sequence[Network] = ()) -> None:
        """Take what a reload brings."""
        self.ring.keys, self.people, self.proxies = keys, people, proxies

    def peer(self, request: web.BaseRequest) -> Peer:
        """Return where a request comes from."""
        return peer_of(request, self.proxies)

    async def of(self, request: web.BaseRequest) -> Actor:
        """Return who asks. Raises `ApiError` for somebody who is not known."""
        peer, sent = self.peer(request), request.headers.get("Authorization")
        if sent is None:
            return await self._person(request, peer)
        if self.ring.waits(peer.address):
            raise ApiError(429, "too_many_tries", "too many wrong keys came from this address", "wait a minute")
        key = self.ring.of(sent)
        if key is None:
            self.ring.note_wrong(peer.address)
            raise ApiError(401, "no_key", "the request has no key that is known", _SEND_A_KEY)
        # A program works for the whole site: what it reads and writes, the site answers for.
        return Actor(key.name, key.may, models=dict.fromkeys(self.people.models, _EVERY_VERB))

    async def _person(self, request: web.BaseRequest, peer: Peer) -> Actor:
        token = cookie_of(request.headers, COOKIE, peer.secure)
        if not token or self.sessions is None:
            raise ApiError(401, "no_key", "the request has neither a key nor a log-in", _SEND_A_KEY)
        # Before the session: what another site sends is refused, whoever rides on it.
        if request.method not in ("GET", "HEAD"):
            need_own_page(request.headers, self.address)
        found = await self.sessions.of(token)
        if found is None:
            raise ApiError(401, "no_session", "this log-in is over", "log in again")
        return self.person(*found)

    def note(self, request: ApiRequest, what: str) -> None:
        """Note in the audit what somebody has done. What other systems tell by the thousand is no deed of anybody."""
        actor = request.actor
        if self.sessions is None or (actor.user is None and not actor.may & _DEEDS):
            return
        who = actor.name if actor.user is not None else f"key {actor.name}"
        self.sessions.audit.note(who, what, " ".join(request.path.values()), request.peer.address)

    def person(self, user: User, session: str = "") -> Actor:
        """Return what a person may."""
        models = self.people.group_of(user).models
        return Actor(user.key, ROLE_RIGHTS[user.role], user, models, session)
