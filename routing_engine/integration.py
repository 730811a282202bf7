"""What every integration has, whatever its provider: a name, and data models with their field maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.core.model import Template
from routing_engine.core.templates import read_template
from routing_engine.marked import Section, section_of, suggest, text_of


@dataclass(frozen=True, slots=True)
class Model:
    """A data model: `fields` maps our names to theirs (or to a JSONPath); empty takes fields as they come.

    `record_url` is a template over our field names and `id`; None when records have no page.
    """

    name: str
    fields: Mapping[str, str]
    record_url: Template | None = None


@dataclass(frozen=True, slots=True)
class Integration:
    """One connection to a system that holds records. `settings` belong to its provider, which alone knows them."""

    name: str
    provider: str
    models: Mapping[str, Model]
    settings: object


#: What routes may know of an integration: its models by name; None when its file is broken and nothing is known.
IntegrationFacts: TypeAlias = Mapping[str, Model] | None


def read_models(section: Section) -> Mapping[str, Model]:
    """Take `models` from an integration's section. At least one is needed; every problem is noted."""
    section.require("models", "models: {contact: {fields: {id: id, name: name}}}")
    models = section.section("models")
    if models is None:
        return {}
    if not models.names():
        section.note("models", "'models' is empty", "add for example: contact: {fields: {id: id, name: name}}")
    return {name: _read_model(name, models) for name in models.names()}


def _read_model(name: str, models: Section) -> Model:
    node = models.take(name)
    section = None if node is None else section_of(node, models.notes, f"the model '{name}'")
    if section is None:
        return Model(name, {})
    fields = _read_fields(section)
    model = Model(name, fields, _read_record_url(section, fields))
    section.close(f"the model '{name}'")
    return model


def _read_fields(section: Section) -> Mapping[str, str]:
    fields = section.section("fields")
    if fields is None:
        return {}
    found = {name: _their_name(fields, name) for name in fields.names()}
    return {name: theirs for name, theirs in found.items() if theirs}


def _their_name(fields: Section, name: str) -> str:
    node = fields.take(name)
    if node is None:
        fields.note(name, f"the field '{name}' has no value", f"write what the other side calls it: {name}: {name}")
        return ""
    return text_of(node, fields.notes, f"the field '{name}'") or ""


def _read_record_url(section: Section, fields: Mapping[str, str]) -> Template | None:
    text = section.text("record_url")
    try:
        url = read_template(text)
    except ValueError as error:
        section.note("record_url", str(error), "write for example 'https://crm.example.com/customers/{id}'")
        return None
    for left in url.lefts:
        if left.room != "record":
            section.note("record_url", f"'record_url' cannot hold '{left}'", "it is filled from the record only")
        elif fields and left.name not in (*fields, "id"):
            section.note("record_url", f"the model has no field '{left}'", suggest(left.name, [*fields, "id"]))
    return url if text else None
