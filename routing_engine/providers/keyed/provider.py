"""What key-value stores share: keys such as `phone:{number}`, made of a caller's number or a value, and the look-up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from routing_engine.core.model import Json, Record
from routing_engine.core.ports import Query
from routing_engine.core.templates import split_braces
from routing_engine.errors import ProviderRefused
from routing_engine.providers.answers.records import read_records, shape_of
from routing_engine.settings.integration import Model
from routing_engine.settings.value_types import TEXT, ValueType, mapping_of
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """What stands before and behind the value in a key."""

    before: str
    behind: str

    def key(self, value: str) -> str | None:
        """Return the key of a value; None for one that no key of this template holds.

        That is one with the sign that stands beside the value in the template: `customer:{value}` with the value
        `42:orders` would be a key of another kind. So are control characters, and more than 200 characters.
        """
        # Typed values come with spaces; a key never begins with one.
        text = value.strip()
        if not text or len(text) > _LONGEST or not text.isprintable() or not self._beside.isdisjoint(text):
            return None
        return self.before + text + self.behind

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
        return [one.before + "0" + one.behind for one in templates]

    def key(self, integration: str, query: Query) -> str | None:
        """Return the key for a query; None when no record can have it.

        Raises `ProviderRefused` when there is no value, or no key for such a search.
        """
        text = query.number if query.by_caller else query.value
        # A route that names a field means the key of that field, also for a search by the caller.
        template = self.by_field.get(query.field) or (self.by_caller if query.by_caller else None)
        # A key that ends in nothing may exist, and would be the same record for everybody.
        if not text:
            raise ProviderRefused(f"{integration}: there is nothing to search by")
        if template is None:
            missing = "by_caller" if query.by_caller else f"by_field: {{{query.field or 'FIELD'}: ...}}"
            raise ProviderRefused(f"{integration}: 'keys' of the model '{query.model}' has no {missing}")
        return template.key(text)


class KeyValueStore(Protocol):
    """One kind of store."""

    async def read(self, key: str) -> Json:
        """Return what lies under a key as `read_records` takes it; None when there is no such key.

        Raises what `Provider.find` raises.
        """

    async def close(self) -> None:
        """Close every connection."""


class KeyedProvider:
    """Looks records up by their keys."""

    def __init__(self, name: str, keys: Mapping[str, Keys], models: Mapping[str, Model], store: KeyValueStore) -> None:
        self._name, self._keys, self._store = name, keys, store
        self._shapes = {model: shape_of(name, models[model]) for model in models}

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the record under the key of a caller or of a value; a list under one key is several."""
        key = self._keys.get(query.model, Keys(None, {})).key(self._name, query)
        found = await self._store.read(key) if key is not None else None
        return read_records(found, self._shapes[query.model]) if found is not None else ()

    async def check(self) -> str:
        """Read one key of each kind: it need not be there, but the user must be allowed to."""
        samples = [key for keys in self._keys.values() for key in keys.samples]
        for key in samples:
            await self._store.read(key)
        return f"it answered for each of the {len(samples)} kinds of key"

    async def close(self) -> None:
        """Close every connection."""
        await self._store.close()


# ------------------------------------------------------------------------------------------------ settings


#: What is said of the keys of a model in the reference.
BY_CALLER = "the key of a caller, the number spelled as `number_form` says"
BY_FIELD = "the keys of other values, by the `field` of the route's search"


def caller_key(example: str) -> ValueType[KeyTemplate]:
    """Return the type of a key with `{number}` in it; `example` is what stands before that."""
    return _template(example, "{number}")


def value_keys(example: str) -> ValueType[Mapping[str, KeyTemplate]]:
    """Return the type of keys with `{value}` in them, by a field of ours; `example` is what stands before that."""
    of_fields = mapping_of(_template(example, "{value}"), "'{}'")
    return of_fields.called("mapping, field of ours to text with `{value}`")


def _template(example: str, slot: str) -> ValueType[KeyTemplate]:
    """Return the type of a key with one value in it. What stands before it keeps a caller out of all other keys."""

    def read_template(value: YamlValue, _: str) -> KeyTemplate | None:
        text = value.text()
        if not text:
            return None
        before, behind, fault = _split(text, slot)
        fault = fault or _fault_of(before, example)
        if fault:
            value.note(f"the key {value.what} {fault}", f"write for example '{example}{slot}'")
        return None if fault else KeyTemplate(before, behind)

    return ValueType(read_template, lambda _: TEXT, f"text with `{slot}`")


def _fault_of(before: str, example: str) -> str:
    if not before.strip() or ("/" in example and not before.partition("/")[0]):
        return f"must begin with a fixed part, such as {example}"
    return f"must begin with a family and a slash, such as {example}" if "/" in example and "/" not in before else ""


def _split(text: str, slot: str) -> tuple[str, str, str]:
    """Return what stands before and behind the value, and what is wrong with the template, "" for nothing."""
    try:
        pieces = split_braces(text)
    except ValueError:
        pieces = []
    if [piece for piece, braced in pieces if braced] != [slot[1:-1]]:
        return "", "", f"must hold {slot} once, and no other braces"
    at = next(place for place, (_, braced) in enumerate(pieces) if braced)
    return "".join(piece for piece, _ in pieces[:at]), "".join(piece for piece, _ in pieces[at + 1 :]), ""


class _ModelKeys(Protocol):
    @property
    def by_caller(self) -> KeyTemplate | None: ...

    @property
    def by_field(self) -> Mapping[str, KeyTemplate]: ...


def keys_of(keys: Mapping[str, _ModelKeys]) -> Mapping[str, Keys]:
    """Return the keys of each model."""
    return {name: Keys(one.by_caller, one.by_field) for name, one in keys.items()}


def check_model(section: Section, what: str, example: str) -> None:
    """Note a model without a key."""
    if not section.has("by_caller") and not section.has("by_field"):
        section.note("by_caller", f"{what} names no key", f"add by_caller: '{example}{{number}}'")


def check_keys(section: Section, models: Collection[str]) -> None:
    """Note a model without keys, and keys of no model."""
    keys = section.section("keys")
    for name in models if keys is not None else ():
        if keys is not None and name not in keys.names():
            keys.note(name, f"'keys' has nothing for the model '{name}'", f"add {name}: {{by_caller: ...}}")
    for name in keys.names() if keys is not None else ():
        if keys is not None and name not in models:
            keys.note(name, f"there is no model '{name}'", suggest(name, models))
