"""What every integration has, whatever its provider: a name, and data models with their field maps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import yaml

from routing_engine.core.field_types import FIELD_TYPES
from routing_engine.core.model import Template
from routing_engine.core.phone import LAST_FEWEST, LAST_MOST, WHOLE_FORMATS, last_digits, phone_format
from routing_engine.core.templates import read_template
from routing_engine.settings.mirror import MirrorSettings
from routing_engine.settings.yaml_reader import Section, section_of, suggest, text_of


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What people see of a field: its label ("" is its name), and whether it is shown.

    `type` is one of `FIELD_TYPES`, or "" for values as they come.
    """

    label: str = ""
    type: str = ""
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Model:
    """A data model: `fields` maps our names to theirs (or to a JSONPath); empty takes fields as they come.

    `record_url` is a template over our field names and `id`; None when records have no page. `numbers` are our fields
    that hold phone numbers. `forms` are the spellings to search a caller's number by, in the order they are tried
    (`Number.form`): those of the whole integration. `attempts` is how many ways the provider has to ask for a caller,
    0 for none; `by_field` says that it can search a field too, "named" that a route must name it. `mirrored`: an index
    of ours is searched instead. `about` are the fields of which more is said than their names. `must_show`: a record
    that shows no number at all is nobody's, because the system compares parts of numbers.
    """

    name: str
    fields: Mapping[str, str]
    record_url: Template | None = None
    numbers: tuple[str, ...] = ()
    forms: tuple[str, ...] = ("e164",)
    attempts: int = 1
    by_field: bool | Literal["named"] = True
    mirrored: bool = False
    about: Mapping[str, FieldInfo] = field(default_factory=dict)
    must_show: bool = False

    def checked_fields(self, searched: str) -> tuple[str, ...]:
        """Return the fields that must hold the caller's number, when `searched` is the field of a search by it."""
        return tuple(dict.fromkeys((*self.numbers, *([searched] if searched else []))))

    def why_unsearchable(self, searched: str, by_caller: bool) -> tuple[str, str] | None:
        """Say why the provider cannot search so, and the remedy; None when it can. `searched` is as in `why_unsafe`."""
        if self.mirrored:
            return None
        if by_caller and not self.attempts:
            return f"the model '{self.name}' cannot be searched by the caller's number", "search a field of it"
        if not by_caller and self.by_field is False:
            return f"the model '{self.name}' can be searched by the caller's number only", "write by: caller"
        if not by_caller and self.by_field == "named" and not searched:
            return "the search names no field", f"add for example field: {next(iter(self.fields), 'number')}"
        return None

    def why_unsafe(self, searched: str) -> tuple[str, str] | None:
        """Say why a search by the caller's number would give strangers, and the remedy; None when it is safe.

        `searched` is the field that the route names, "" for none.
        """
        if self.mirrored and not self.checked_fields(searched):
            return (
                f"the model '{self.name}' is mirrored, and has no number to find a caller by",
                f"add numbers: [phone] to the model '{self.name}', with its fields that hold phone numbers",
            )
        loose = next((form for form in self.forms if last_digits(form)), "")
        if not loose or self.numbers or (searched and (not self.fields or searched in self.fields)):
            return None
        form = loose.replace("_", " ")
        sentence = f"'number_form: {form}' finds strangers too, and the model '{self.name}' has no number to check"
        return sentence, f"add numbers: [phone] to the model '{self.name}', with its fields that hold phone numbers"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How an integration is spared.

    `at_a_time` and `per_second` bound what is asked of it; None leaves the rate alone. After `failures` in a row
    nobody asks for `pause_s`, then one look-up tries; 0 failures is no breaker.
    """

    at_a_time: int = 100
    per_second: float | None = None
    failures: int = 5
    pause_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Integration:
    """One connection to a system that holds records. `settings` belong to its provider, which alone knows them.

    `mirror` says that calls ask an index of ours; None asks the system itself.
    """

    name: str
    provider: str
    models: Mapping[str, Model]
    settings: object
    limits: RateLimits = RateLimits()
    mirror: MirrorSettings | None = None


@dataclass(frozen=True, slots=True)
class ProviderSetup:
    """What an integration's file says, as its provider has read it."""

    settings: object
    models: Mapping[str, Model]
    limits: RateLimits = RateLimits()


#: What routes may know of an integration: its models by name; None when its file is broken and nothing is known.
IntegrationFacts: TypeAlias = Mapping[str, Model] | None


def read_models(section: Section, more: Collection[str] = ()) -> Mapping[str, Model]:
    """Take `models` and `number_form` from an integration's section.

    At least one model is needed; every problem is noted. `more` are keys of a model that its provider takes itself.
    """
    forms = _read_forms(section)
    section.require("models", "models: {contact: {fields: {id: id, name: name}}}")
    models = section.section("models")
    if models is None:
        return {}
    if not models.names():
        section.note("models", "'models' is empty", "add for example: contact: {fields: {id: id, name: name}}")
    return {name: _read_model(name, models, forms, more) for name in models.names()}


def read_limits(section: Section, usual: RateLimits = RateLimits()) -> RateLimits:
    """Take `limits` and `breaker` from an integration's section; what is left out is as `usual`."""
    limits, breaker = section.section("limits"), _read_breaker(section)
    if limits is None:
        return replace(usual, failures=breaker[0], pause_s=breaker[1])
    rate = limits.number("per_second", 0, 0.01, 100_000, "none: nothing bounds the rate")
    found = RateLimits(limits.whole("at_a_time", usual.at_a_time, 1, 10_000), rate or usual.per_second, *breaker)
    limits.close("'limits'")
    return found


def _read_breaker(section: Section) -> tuple[int, float]:
    node = section.take("breaker")
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value == "none"):
        return (RateLimits().failures if node is None else 0), RateLimits().pause_s
    breaker = section_of(node, section.notes, "'breaker'")
    if breaker is None:
        return 0, RateLimits().pause_s
    found = (
        breaker.whole("failures", RateLimits().failures, 1, 1000),
        breaker.number("pause_s", RateLimits().pause_s, 0.1, 3600),
    )
    breaker.close("'breaker'")
    return found


def _read_forms(section: Section) -> tuple[str, ...]:
    """Take `number_form`: one spelling, or a list of those to try one after the other."""
    known = len(section.notes.problems)
    forms = section.texts("number_form")
    if section.has("number_form") and not forms and len(section.notes.problems) == known:
        section.note("number_form", "'number_form' names no spelling", "write number_form: e164")
    for form in forms:
        fault = _fault_of(form)
        if fault:
            section.note("number_form", *fault)
    formats = tuple(map(phone_format, forms))
    for form in sorted({form for form, name in zip(forms, formats, strict=True) if name and formats.count(name) > 1}):
        section.note("number_form", f"'number_form' has '{form}' twice", "keep one of them")
    return formats or ("e164",)


def _fault_of(form: str) -> tuple[str, str] | None:
    if phone_format(form):
        return None
    count = last_digits(form)
    if count > LAST_MOST:
        return f"no number has {count} digits", f"write last {LAST_MOST}, or fewer"
    if count or form == "last 0":
        return f"too many numbers end in the same {count} digits", f"write last {LAST_FEWEST}, or more: last 8 is usual"
    return f"'number_form' cannot be '{form[:80]}'", suggest(form, (*WHOLE_FORMATS, "as_received", "last 8"))


def _read_model(name: str, models: Section, forms: tuple[str, ...], more: Collection[str]) -> Model:
    node = models.take(name)
    section = None if node is None else section_of(node, models.notes, f"the model '{name}'")
    if section is None:
        return Model(name, {}, forms=forms)
    fields, about = read_fields(section)
    model = Model(name, fields, read_record_url(section, fields), read_numbers(section, fields), forms, about=about)
    for key in more:
        section.take(key)
    section.close(f"the model '{name}'")
    return model


def read_fields(
    section: Section, usual: Mapping[str, str] | None = None
) -> tuple[Mapping[str, str], Mapping[str, FieldInfo]]:
    """Take `fields` of a model: our names, each with theirs, and what more is said of them.

    `usual` are those that the model has anyway: what is said of one of them need not repeat its name.
    """
    fields = section.section("fields")
    found = {name: read_field(fields, name, usual or {}) for name in fields.names()} if fields is not None else {}
    theirs = {name: one[0] for name, one in found.items() if one[0]}
    return theirs, {name: one[1] for name, one in found.items() if one[1] != FieldInfo()}


def read_field(fields: Section, name: str, usual: Mapping[str, str]) -> tuple[str, FieldInfo]:
    """Read one field: what the other side calls it, or `{field, label, type, shown}`."""
    node = fields.take(name)
    if node is None:
        fields.note(name, f"the field '{name}' has no value", f"write what the other side calls it: {name}: {name}")
        return "", FieldInfo()
    if not isinstance(node, yaml.MappingNode):
        return text_of(node, fields.notes, f"the field '{name}'") or "", FieldInfo()
    section = Section(node, fields.notes)
    theirs = section.text("field", usual.get(name, name))
    kind = section.choice("type", tuple(FIELD_TYPES), "")
    about = FieldInfo(section.text("label"), kind, section.flag("shown", True))
    section.close(f"the field '{name}'")
    return theirs, about


def read_numbers(section: Section, fields: Mapping[str, str]) -> tuple[str, ...]:
    """Take `numbers` of a model; `fields` are those it has."""
    numbers = section.texts("numbers")
    for name in numbers:
        if fields and name not in fields:
            section.note("numbers", f"the model has no field '{name}'", suggest(name, fields))
    return numbers


def read_record_url(section: Section, fields: Mapping[str, str]) -> Template | None:
    """Take `record_url` of a model; None when it is left out."""
    text = section.text("record_url")
    try:
        url = read_template(text)
    except ValueError as error:
        section.note("record_url", str(error), "write for example 'https://crm.example.com/customers/{id}'")
        return None
    for left in url.operands:
        if left.scope != "record":
            section.note("record_url", f"'record_url' cannot hold '{left}'", "it is filled from the record only")
        elif fields and left.name not in (*fields, "id"):
            section.note("record_url", f"the model has no field '{left}'", suggest(left.name, [*fields, "id"]))
    return url if text else None
