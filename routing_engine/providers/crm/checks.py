"""What the parts of a description must be to each other: each is well written, and together they could not work."""

from __future__ import annotations

from routing_engine.providers.answers.path import read_path
from routing_engine.providers.crm.model import Attempt, Description, KnownModel
from routing_engine.providers.crm.templates import TextSlot, TextTemplate
from routing_engine.settings.yaml_reader import Section


def check_field(section: Section, ours: str, field: str) -> None:
    """Note a field whose path cannot be compiled. Several, with ` + ` between them, are joined by a space."""
    for theirs in field.split(" + "):
        try:
            read_path(theirs)
        except ValueError as error:
            section.note(ours, str(error), "JSONPath follows RFC 9535, for example $.customer.name")


def check_models(section: Section, found: Description) -> None:
    """Every caller must be told from strangers, and a request must find what it names in every model."""
    models = section.section("models")
    for model in found.models.values() if models is not None else ():
        assert models is not None
        if found.attempts_for(model.name) and not model.numbers:
            remedy = "add numbers: [phone], with its fields that hold phone numbers"
            models.note(model.name, f"the model '{model.name}' has no number to tell callers by", remedy)
        _check_constants(models, model, found.constants)


def _check_constants(models: Section, model: KnownModel, constants: frozenset[str]) -> None:
    for key in sorted(constants - set(model.constants)):
        sentence = f"the model '{model.name}' has no '{key}', which other models have"
        models.note(model.name, sentence, f"add {key}: to it; the requests of all models may name it")


def check_whole(section: Section, found: Description) -> None:
    """A description must lead somewhere, and find something there."""
    _check_address(section, found.address)
    _check_hosts(section, found)
    if not (found.find_by_phone or found.find_by_field or found.listings) and not section.notes.problems:
        remedy = "add find_by_phone: [{get: /contacts, query: {phone: '{number.e164}'}}]"
        section.notes.note(section.line, "nothing can be found: there is no way to search and none to list", remedy)


def _check_address(section: Section, address: TextTemplate) -> None:
    first = address.parts[0] if address.parts else None
    if isinstance(first, str) and not first.startswith(("https://", "http://")):
        section.note(
            "address", f"'address' is not an address: '{first[:80]}'", "write for example https://api.example.com"
        )


def _check_hosts(section: Section, found: Description) -> None:
    """Credentials follow an address that is captured: it must be known where it may lead."""
    host = _host_of(found.address)
    for way in found.ways.values():
        # Both ways to capture lead to the same place: an address that requests are sent to.
        captured = {key for step in way.login for key, _ in step.capture}
        captured |= {key for key, _ in way.plan.capture} if way.plan is not None else set()
        allowed = (*found.hosts, *(way.plan.hosts if way.plan is not None else ()))
        # A captured path below a fixed host is harmless; a captured host is not.
        if not allowed and isinstance(host, TextSlot) and set(host.path[1:]) & captured:
            sentence = f"the address that '{way.name}' captures could lead anywhere, and our credentials with it"
            section.note("address", sentence, "add hosts: ['*.example.com'], the only ones that it may lead to")


def _host_of(address: TextTemplate) -> str | TextSlot:
    """Return what the host of an address is made of."""
    parts = [part for part in address.parts if part not in ("https://", "http://")]
    return parts[0] if parts else ""


def check_usual(section: Section, usual: Attempt, found: Description) -> None:
    """Note a `next` of the description itself that no request asks for: only first pages would ever be read."""
    problems = section.notes.problems
    attempts = (
        *found.find_by_phone,
        *found.find_by_field,
        *found.find_by_name,
        *(one.attempt for one in found.listings),
    )
    # Said only when all else is well: a request that could not be compiled asks for nothing.
    if usual.paging is not None and attempts and not any(attempt.paging for attempt in attempts) and not problems:
        kind = usual.paging.kind
        section.note(
            "next", f"no request sends {{{kind}}}: only first pages would be read", f"write '{{{kind}}}' in one"
        )


def check_sent(section: Section, kind: str, remedy: str) -> None:
    """Note a value that its request never sends: each would be the same as the one before."""
    if not names(section, kind):
        section.note("next" if kind != "spelling" else "spellings", f"no part of the request sends {{{kind}}}", remedy)


def names(section: Section, value: str) -> bool:
    """Return whether a value is named somewhere in a section."""
    return any("{" + value in text.replace(" ", "") for text in section.itself.scalars())
