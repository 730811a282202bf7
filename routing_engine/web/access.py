"""Who asks, and what they may: a program by its key. What each role may do stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from routing_engine.core.ports import Clock
from routing_engine.settings.api import RIGHTS, Program, Right
from routing_engine.settings.people import People, Role, User, Verb
from routing_engine.web.endpoints import Need
from routing_engine.web.keys import KeyRing
from routing_engine.web.requests import Actor, ApiError

_EVERY_VERB: frozenset[Verb] = frozenset({"read", "create", "edit"})
_TAKES_CALLS: frozenset[Right] = frozenset({"calls.read", "calls.write", "dial", "sip"})
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
    """Finds who asks. `clock` is monotonic, in seconds."""

    def __init__(self, keys: Sequence[Program], people: People, clock: Clock) -> None:
        self.ring = KeyRing(keys, clock)
        self.people = people

    def change(self, keys: Sequence[Program], people: People) -> None:
        """Take what a reload brings."""
        self.ring.keys, self.people = keys, people

    async def of(self, request: web.BaseRequest) -> Actor:
        """Return who asks. Raises `ApiError` for somebody who is not known."""
        address = request.remote or ""
        if self.ring.waits(address):
            raise ApiError(429, "too_many_tries", "too many wrong keys came from this address", "wait a minute")
        key = self.ring.of(request.headers.get("Authorization", ""))
        if key is None:
            self.ring.note_wrong(address)
            remedy = "send 'Authorization: Bearer KEY' with a key of api_keys in engine.yaml"
            raise ApiError(401, "no_key", "the request has no key that is known", remedy)
        # A program works for the whole site: what it reads and writes, the site answers for.
        return Actor(key.name, key.may, models=dict.fromkeys(self.people.models, _EVERY_VERB))

    def person(self, user: User, session: str = "") -> Actor:
        """Return what a person may."""
        models = self.people.group_of(user).models
        return Actor(user.key, ROLE_RIGHTS[user.role], user, models, session)
