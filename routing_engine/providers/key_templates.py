"""Keys of key-value stores: a fixed text with a number or a value in it, such as `phone:{number}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from routing_engine.core.ports import Query
from routing_engine.errors import ProviderRefused
from routing_engine.settings.yaml_reader import Section, section_of, suggest

_NUMBER, _VALUE = "{number}", "{value}"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """What stands before and behind the value in a key."""

    before: str
    behind: str

    def parts(self, value: str) -> tuple[str, str, str] | None:
        """Return the key in three parts; None for a value that no key of this template holds.

        That is one with the sign that stands beside the value in the template: `customer:{value}` with the value
        `42:orders` would be a key of another kind. So are control characters, and more than 200 characters.
        """
        text = value.strip()
        if not text or len(text) > _LONGEST or not text.isprintable() or not self._beside.isdisjoint(text):
            return None
        return self.before, text, self.behind

    @property
    def _beside(self) -> frozenset[str]:
        return frozenset(sign for sign in (self.before[-1:], self.behind[:1]) if not sign.isalnum())


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a model: those of a caller's number, and those of a value by the field that is searched."""

    by_caller: KeyTemplate | None
    by_field: Mapping[str, KeyTemplate]

    @property
    def samples(self) -> list[str]:
        """Return a key of each kind, to try whether they may be read: hardly anybody has the number 0."""
        templates = [*([self.by_caller] if self.by_caller is not None else []), *self.by_field.values()]
        return ["".join((one.before, "0", one.behind)) for one in templates]

    def key(self, integration: str, query: Query) -> tuple[str, str, str] | None:
        """Return the key for a query in three parts; None when no record can have it.

        Raises `ProviderRefused` when there is no value, or no key for such a search.
        """
        text = query.number if query.by_caller else query.value
        template = self.by_field.get(query.field) or (self.by_caller if query.by_caller else None)
        if not text:
            raise ProviderRefused(f"{integration}: there is nothing to search by")
        if template is None:
            missing = "by_caller" if query.by_caller else f"by_field: {{{query.field or 'FIELD'}: ...}}"
            raise ProviderRefused(f"{integration}: 'keys' of the model '{query.model}' has no {missing}")
        return template.parts(text)


def read_keys(section: Section, example: str) -> Mapping[str, Keys]:
    """Take `keys`: for each model `by_caller` and `by_field`. `example` is what stands before a number."""
    section.require("keys", f"keys: {{contact: {{by_caller: '{example}{_NUMBER}'}}}}")
    keys, models = section.section("keys"), section.section("models")
    if keys is None:
        return {}
    known = models.names() if models is not None else []
    for name in known:
        if name not in keys.names():
            keys.note(name, f"'keys' has nothing for the model '{name}'", f"add {name}: {{by_caller: ...}}")
    for name in keys.names():
        if name not in known:
            keys.note(name, f"there is no model '{name}'", suggest(name, known))
    return {name: _read_model(keys, name, example) for name in keys.names()}


def _read_model(keys: Section, name: str, example: str) -> Keys:
    node = keys.take(name)
    section = None if node is None else section_of(node, keys.notes, f"'{name}' of 'keys'")
    if section is None:
        return Keys(None, {})
    by_caller = _read_template(section, "by_caller", _NUMBER, example)
    found, fields = dict[str, KeyTemplate](), section.section("by_field")
    for field in fields.names() if fields is not None else ():
        template = _read_template(fields, field, _VALUE, example)
        if template is not None:
            found[field] = template
    if not section.has("by_caller") and not section.has("by_field"):
        section.note("by_caller", f"'keys' names no key for the model '{name}'", f"add by_caller: '{example}{_NUMBER}'")
    section.close(f"'{name}' of 'keys'")
    return Keys(by_caller, found)


def _read_template(section: Section | None, key: str, place: str, example: str) -> KeyTemplate | None:
    """Take a key with one place in it. What stands before it is what keeps a caller out of all other keys."""
    text = section.text(key) if section is not None else ""
    if section is None or not text:
        return None
    before, found, behind = text.partition(place)
    fault = ""
    if not found or not {"{", "}"}.isdisjoint(before + behind):
        fault = f"must hold {place} once, and no other braces"
    elif not before.strip() or ("/" in example and not before.partition("/")[0]):
        fault = f"must begin with a fixed part, such as {example}"
    elif "/" in example and "/" not in before:
        fault = f"must begin with a family and a slash, such as {example}"
    if fault:
        section.note(key, f"the key '{key}' {fault}", f"write for example '{example}{place}'")
    return None if fault else KeyTemplate(before, behind)
