"""A new record: our fields as the request of a description names them, and the others where it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from routing_engine.core.model import Json
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.model import Creation, RequestStep
from routing_engine.providers.crm.records import MappedModel
from routing_engine.providers.crm.requests import Constant, Node, RequestTemplate
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.providers.crm.writing import slots_of


def creating(
    creation: Creation, mapped: MappedModel, fields: Mapping[str, str], name: str
) -> tuple[RequestStep, dict[str, Json]]:
    """Return the step that creates a record with these fields, and the values of the room `new` for it."""
    new = _with_names({ours: value for ours, value in fields.items() if value.strip()})
    named = {slot.path[1] for slot in slots_of(creation.step.request) if slot.path[0] == "new"}
    others = {ours: value for ours, value in fields.items() if value.strip() and ours not in named and ours in new}
    # A name may be given whole where the system wants its parts, and the other way round.
    others = {ours: value for ours, value in others.items() if ours not in ("name", "first_name", "last_name")}
    # Most records are a name and a number: their place is in the request itself.
    if not others:
        return creation.step, new
    theirs = {_theirs(mapped, ours, name): value for ours, value in others.items()}
    if creation.others is None:
        raise ProviderRefused(f"{name}: a new record cannot have {' and '.join(sorted(others))}")
    return replace(creation.step, request=_with(creation.step.request, creation.others, theirs)), new


def _with_names(fields: dict[str, str]) -> dict[str, Json]:
    """Add what a name is made of: some systems want a last name, others the whole."""
    whole = fields.get("name") or " ".join(filter(None, (fields.get("first_name"), fields.get("last_name"))))
    # A caller of whom only the number is known needs a name too: no CRM takes a record without.
    whole = whole or fields.get("company") or fields.get("phone") or "Unknown"
    first, _, last = whole.rpartition(" ")
    return {
        **fields,
        "name": whole,
        "last_name": fields.get("last_name") or last,
        **({"first_name": found} if (found := fields.get("first_name") or first) else {}),
    }


def _theirs(mapped: MappedModel, ours: str, name: str) -> str:
    paths = dict(mapped.fields).get(ours, ())
    if len(paths) != 1 or paths[0].json is not None or not paths[0].text:
        raise ProviderRefused(f"{name}: the field '{ours}' cannot be written, it has no place of its own")
    return paths[0].text


def _with(request: RequestTemplate, where: tuple[str, ...], fields: Mapping[str, str]) -> RequestTemplate:
    members = tuple((TextTemplate((theirs,)), Constant(value)) for theirs, value in fields.items())
    if request.form:
        form = _below(request.form, where, members)
        return replace(request, form=form if isinstance(form, tuple) else request.form)
    return replace(request, json=_below(request.json, where, members))


def _below(node: Node | None, where: tuple[str, ...], members: tuple[tuple[TextTemplate, Node], ...]) -> Node:
    if isinstance(node, list):  # systems that take several records at once
        return [_below(node[0], where, members), *node[1:]] if node else node
    if not isinstance(node, tuple):
        return members
    if not where:
        return (*node, *members)
    return tuple((key, _below(one, where[1:], members) if key.text({}) == where[0] else one) for key, one in node)
