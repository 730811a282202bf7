"""`GET /v1/calls/{id}/card`: what the page shows of who is calling, by fields and labels of the data model."""

from __future__ import annotations

from collections.abc import Sequence

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.call import Call, CallContact, Candidate
from routing_engine.contacts import other_party
from routing_engine.desk.known import why_here
from routing_engine.desk.site import DeskSite
from routing_engine.providers.answers.records import web_address
from routing_engine.web.endpoints import CALL, FLAG, TEXT, has, listed, or_null, words
from routing_engine.web.requests import Actor
from routing_engine.web.rights import allows, sees, shown, shown_contact

_CARD_FIELD = {"name": TEXT, "label": TEXT, "type": TEXT}
_MAYBE = or_null(TEXT)
#: A record, in a card and in a search.
CONTACT = has(
    {
        **dict.fromkeys(("integration", "model", "id", "name", "url"), _MAYBE),
        **dict.fromkeys(("integration_title", "model_title", "matched"), TEXT),
        "fields": listed(has({**_CARD_FIELD, "value": _MAYBE, "editable": FLAG})),
        "may": listed(words("read", "edit")),
    }
)
_FORM_FIELD = has({**_CARD_FIELD, "needed": FLAG, "value": _MAYBE})
_FORM = has({**dict.fromkeys(("integration", "model", "title"), TEXT), "fields": listed(_FORM_FIELD)})
#: What a card is.
CARD = has(
    {
        "call": CALL,
        "contact": or_null(CONTACT),
        "candidates": listed(CONTACT),
        "others": listed(CONTACT),
        "others_pending": FLAG,
        "why": has({**dict.fromkeys(("route", "rule", "reason"), _MAYBE), "sentence": TEXT}),
        "last_calls": listed(CALL),
        "create": listed(_FORM),
    }
)
#: So many calls of before are shown.
MOST_BEFORE = 10
#: What a card has in places of its own.
_NO_FIELDS = frozenset({"id", "link", "url"})


def card_json(
    site: DeskSite, actor: Actor, call: Call, others: Sequence[CallContact], before: Sequence[Call]
) -> JsonObject:
    """Return the card of a call, as far as somebody may see it."""
    contact = None if call.contact is None else shown_contact(actor, call.contact)
    candidates = contact.candidates if contact is not None else ()
    several = [one for other in others for one in _each(shown_contact(actor, other))]
    # What was matched and may not be read is no contact here; that there is one, the call says.
    known = contact is not None and contact.integration is not None
    return {
        "call": shown(actor, call),
        "contact": contact_json(site, actor, contact, contact.matched) if known and contact is not None else None,
        "candidates": [contact_json(site, actor, one, "ambiguous") for one in candidates],
        "others": [contact_json(site, actor, one, matched) for one, matched in several if one.integration is not None],
        "why": {
            "route": call.route.name if call.route is not None else None,
            "rule": call.route.rule if call.route is not None else None,
            "reason": call.route.reason if call.route is not None else None,
            "sentence": why_here(call),
        },
        "last_calls": [*[shown(actor, one) for one in before if sees(actor, one)][:MOST_BEFORE]],
        "create": _create_forms(site, actor, call),
    }


def _each(contact: CallContact) -> list[tuple[CallContact | Candidate, str]]:
    if contact.matched != "ambiguous":
        return [(contact, contact.matched)]
    return [(one, "ambiguous") for one in contact.candidates]


def contact_json(site: DeskSite, actor: Actor, contact: CallContact | Candidate, matched: str) -> JsonObject:
    """Return a contact with the fields that people may see."""
    integration, model = contact.integration or "", contact.model or ""
    desk = site.desk_of(integration)
    may = desk is not None and bool(contact.id) and allows(actor, integration, model, "edit")
    editable = desk.form(model).edit if desk is not None and may else ()
    return {
        "integration": contact.integration,
        "integration_title": site.title(integration),
        "model": contact.model,
        "model_title": site.model_title(integration, model),
        "id": contact.id,
        "name": contact.name,
        # A program may have written any address: a page opens only what is one of the web.
        "url": web_address([contact.url or ""]) or None,
        "matched": matched,
        "fields": _fields(site, contact, editable),
        "may": ["read", *(["edit"] if editable else [])],
    }


def _fields(site: DeskSite, contact: CallContact | Candidate, editable: Sequence[str]) -> list[JsonValue]:
    integration, model = contact.integration or "", contact.model or ""
    # In the order of the data model; what can be written and is empty there is shown, too.
    names = (*site.model(integration, model).fields, *contact.fields, *editable)
    found: list[JsonValue] = []
    for name in dict.fromkeys(names):
        about, value = site.about(integration, model, name), contact.fields.get(name)
        if about.shown and name not in _NO_FIELDS and (value is not None or name in editable):
            kind = about.type or "text"
            shown: JsonObject = {"name": name, "label": about.label, "value": value, "type": kind}
            found.append({**shown, "editable": name in editable})
    return found


def _create_forms(site: DeskSite, actor: Actor, call: Call) -> list[JsonValue]:
    """Return what can be created for the other party, with what is known of it filled in."""
    number = other_party(call, site.matcher.region)
    found: list[JsonValue] = []
    for integration, one in sorted(site.integrations.items()):
        desk = site.desk_of(integration)
        for model in one.models if desk is not None else ():
            if not allows(actor, integration, model, "create"):
                continue
            fields = _form_fields(site, integration, model, number.e164 if number is not None else None)
            if fields:
                title = site.model_title(integration, model)
                found.append({"integration": integration, "model": model, "title": title, "fields": fields})
    return found


def _form_fields(site: DeskSite, integration: str, model: str, number: str | None) -> list[JsonValue]:
    desk = site.desk_of(integration)
    form = desk.form(model) if desk is not None else None
    names = [] if form is None else [one for one in form.create if site.about(integration, model, one).shown]
    # Into the first place for a number alone: a person sorts out what kind it is.
    numbers = (*site.model(integration, model).numbers, "phone")
    first = next((one for one in numbers if one in names), None)
    return [
        {
            "name": name,
            "label": site.about(integration, model, name).label,
            "type": site.about(integration, model, name).type or "text",
            "needed": form is not None and name in form.needed,
            "value": number if name == first else None,
        }
        for name in names
    ]
