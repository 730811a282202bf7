"""What who asks may see and do: the one place of rights over calls and records. Every answer with a call goes here.

A right over an address (`calls.read`) is looked at in `api`; here it is about which calls, and which records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from routing_engine.calls.as_json import JsonObject, call_json
from routing_engine.calls.call import Call, CallContact
from routing_engine.errors import UnknownCall
from routing_engine.settings.people import Verb
from routing_engine.web.requests import Actor, ApiError


def sees(actor: Actor, call: Call) -> bool:
    """Return whether a call is one of those that somebody may see: an agent the own, others all."""
    if actor.user is None or actor.sees_all:
        return True
    return call.user == actor.user.key or any(leg.user == actor.user.key for leg in call.legs)


def need_call(actor: Actor, call: Call | None, asked: str) -> Call:
    """Return a call that may be seen. Raises `UnknownCall`, the same for one that is not there: nobody learns which."""
    if call is None or not sees(actor, call):
        raise UnknownCall(f"there is no call '{asked[:80]}'")
    return call


def need_all_calls(actor: Actor) -> None:
    """Raise `ApiError` for a person who sees the own calls only."""
    if not actor.sees_all:
        raise ApiError(403, "no_right", "this is about the calls of everybody", "ask a supervisor")


def models(actor: Actor) -> Mapping[str, frozenset[Verb]]:
    """Return what may be done with records, by data model, `integration.model`; one that is not there is hidden."""
    return actor.models


def allows(actor: Actor, integration: str | None, model: str | None, verb: Verb) -> bool:
    """Return whether somebody may do this with the records of a data model."""
    return verb in models(actor).get(f"{integration}.{model}", frozenset())


def need_model(actor: Actor, integration: str, model: str, verb: Verb) -> None:
    """Raise `ApiError` when somebody may not do this with the records of a data model."""
    # The same for a model that is not there: what others have is not told either.
    if not allows(actor, integration, model, verb):
        name = f"{integration}.{model}"[:160]
        sentence = f"'{actor.name}' may not {verb} records of '{name}'"
        raise ApiError(403, "no_right", sentence, "the administrator: groups.yaml")


def shown(actor: Actor, call: Call) -> JsonObject:
    """Return a call as somebody may see it: nothing of a record whose data model the group may not read."""
    contact = call.contact
    return call_json(call if contact is None else replace(call, contact=shown_contact(actor, contact)))


def shown_contact(actor: Actor, contact: CallContact) -> CallContact:
    """Return a contact without what somebody may not read; how it was matched stays."""
    if actor.user is None:
        return contact  # also for records of an integration that is gone
    readable = tuple(one for one in contact.candidates if allows(actor, one.integration, one.model, "read"))
    # An ambiguous contact names no record of its own.
    own = contact.integration is None or allows(actor, contact.integration, contact.model, "read")
    return replace(contact, candidates=readable) if own else CallContact(contact.matched, candidates=readable)
