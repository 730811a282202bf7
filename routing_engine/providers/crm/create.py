"""A record that is written: our fields as the request of a description names them, and the others where it says."""

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

#: Fields of ours that no person writes: where a request wants one, it names it.
_WORKED_OUT = frozenset({"owner", "link", "company", "updated_at", "e164", "converted", "active", "score", "state"})
#: What a name is made of: systems want the whole, or its parts.
NAME_FIELDS = ("name", "first_name", "last_name")


def creating(
    creation: Creation, mapped: MappedModel, fields: Mapping[str, str], name: str
) -> tuple[RequestStep, dict[str, Json]]:
    """Return the step that creates a record with these fields, and the values of the room `new` for it."""
    given = {ours: value for ours, value in fields.items() if value.strip()}
    return _writing(creation, mapped, _with_names(given), given, name)


def editing(
    edit: Creation, mapped: MappedModel, fields: Mapping[str, str], name: str
) -> tuple[RequestStep, dict[str, Json]]:
    """Return the step that changes these fields of a record, and the values of the room `new` for it."""
    # Nothing is made up here: a name that is not given stays as it is there.
    new: dict[str, Json] = {**fields}
    if "name" in fields and not {"first_name", "last_name"} & set(fields):
        new["first_name"], _, new["last_name"] = fields["name"].rpartition(" ")
    return _writing(edit, mapped, {ours: value for ours, value in new.items() if value != ""}, fields, name)


def _writing(
    writing: Creation, mapped: MappedModel, new: dict[str, Json], fields: Mapping[str, str], name: str
) -> tuple[RequestStep, dict[str, Json]]:
    # A name may be given whole where the system wants its parts, and the other way round.
    known = (*NAME_FIELDS, *named_in(writing))
    others = {ours: value for ours, value in fields.items() if ours not in known}
    # Most records are a name and a number: their place is in the request itself.
    if not others:
        return writing.step, new
    theirs = {_theirs(mapped, ours, name): value for ours, value in others.items()}
    if writing.others is None:
        raise ProviderRefused(f"{name}: a record cannot be given {' and '.join(sorted(others))}")
    return replace(writing.step, request=_with(writing.step.request, writing.others, theirs)), new


def named_in(writing: Creation) -> set[str]:
    """Return our names of the fields that the requests themselves name."""
    steps = (*writing.before, writing.step)
    return {slot.path[1] for step in steps for slot in slots_of(step.request) if slot.path[0] == "new"}


def writable(writing: Creation | None, mapped: MappedModel) -> tuple[str, ...]:
    """Return our names of the fields that can be written so: first those that the requests name."""
    if writing is None:
        return ()
    named = named_in(writing)
    # People type a name as one; its parts are theirs only where the model shows them.
    first = ("name",) if named & set(NAME_FIELDS) else ()
    known = dict(mapped.fields)
    # What only the request names (the company of a new contact) has no field to be read from.
    ours = (*first, *(one for one in known if one in named), *sorted(named - set(known) - set(NAME_FIELDS)))
    others = () if writing.others is None else tuple(one for one in known if _is_plain(mapped, one))
    return tuple(dict.fromkeys((*ours, *others)))


def _is_plain(mapped: MappedModel, ours: str) -> bool:
    """Return whether a field is one member of a record, which may be written as it is read."""
    paths = dict(mapped.fields)[ours]
    plain = len(paths) == 1 and paths[0].json is None and bool(paths[0].text) and "." not in paths[0].text
    # Ids lead to other records, which systems write in ways of their own; the rest is what systems work out.
    return plain and ours not in _WORKED_OUT and ours != "id" and not ours.endswith("_id")


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
