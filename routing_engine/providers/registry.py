"""The kinds of provider there are, by the name that `provider:` takes in YAML.

A kind is imported with its first integration: the keys of all of them take as long as the rest of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from routing_engine.core.ports import Provider
from routing_engine.providers.kind import ProviderKind, S, late
from routing_engine.providers.shipped import shipped
from routing_engine.settings.integration import IntegrationKeys, ProviderSetup, read_limits
from routing_engine.settings.spec import refer_to
from routing_engine.settings.value_types import SchemaOf
from routing_engine.settings.yaml_reader import Problems, Section

_GROUP = "routing_engine.providers"
#: What reads the integrations of one kind.
Reader: TypeAlias = Callable[[Section, str], ProviderSetup]
#: Kinds by name. Each pairs settings with what opens them; side by side in a table their types differ.
AnyKind: TypeAlias = ProviderKind[Any]
Kinds: TypeAlias = Mapping[str, AnyKind]


#: What ships with the engine: the module below `routing_engine.providers` that has the `KIND`.
_SHIPPED = {
    "astdb": "keyed.astdb",
    "http": "http.settings",
    "ldap": "ldap.settings",
    "redis": "keyed.redis",
    "records": "records.settings",
    "sql": "sql.settings",
}


class LateKinds(Mapping[str, AnyKind]):
    """Kinds by name: those that ship, each imported when it is asked for, and others, found when no other name is left.

    A shipped name cannot be taken over.
    """

    def __init__(self, others: Callable[[], Kinds] = dict) -> None:
        self._others = cache(others)

    def __getitem__(self, name: str) -> AnyKind:
        if name not in _SHIPPED:
            return self._others()[name]
        found: AnyKind = import_module(f"routing_engine.providers.{_SHIPPED[name]}").KIND
        return found

    def __iter__(self) -> Iterator[str]:
        return iter({**self._others(), **_SHIPPED})

    def __len__(self) -> int:
        return len({**self._others(), **_SHIPPED})

    def __contains__(self, name: object) -> bool:
        # The usual one would import the kind.
        return name in _SHIPPED or name in self._others()


#: What ships with the engine.
PROVIDERS: Kinds = LateKinds()


def known_providers() -> Kinds:
    """Return the shipped providers and those that installed packages register.

    Whoever asks for another name than a shipped one gets whatever the import of a broken package raises: that is for
    the person who installed it.
    """
    return LateKinds(_installed)


def _installed() -> Kinds:
    from importlib.metadata import entry_points  # late: it reads what every installed package says of itself

    # Loaded all: an entry point that is not a ProviderKind is somebody's mistake, and passed over.
    found = {entry.name: entry.load() for entry in entry_points(group=_GROUP)}
    return {name: kind for name, kind in found.items() if isinstance(kind, ProviderKind)}


class Readers(Mapping[str, Reader]):
    """What the store of the configuration in `folder` reads each kind's integrations with.

    A kind in code goes before a description of the same name.
    """

    def __init__(self, kinds: Kinds, folder: Path) -> None:
        self._kinds, self._folder = kinds, folder

    def __getitem__(self, name: str) -> Reader:
        if name in self._kinds:
            return partial(_read, self._kinds[name], self._folder)
        if name in shipped():
            return partial(_read_shipped, name, self._folder)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*shipped(), *self._kinds)))

    def __len__(self) -> int:
        return len({*shipped(), *self._kinds})


def describe(kinds: Kinds, folder: Path) -> Callable[[str, Problems, str], Reader | None]:
    """Return what the store reads an operator's own descriptions with."""

    def read(text: str, notes: Problems, name: str) -> Reader | None:
        from routing_engine.providers.crm.settings import reader_of_own  # late: few sites describe a system

        return reader_of_own(folder, frozenset(kinds), text, notes, name)

    return read


def kind_of(provider: str, kinds: Kinds) -> Callable[..., Provider]:
    """Return what opens integrations of a provider; what is not code is a description."""
    return kinds[provider].open if provider in kinds else late("crm.provider:open_crm")


def schema_of(provider: str, kinds: Kinds, folder: Path) -> SchemaOf | None:
    """Return what writes the JSON Schema of a provider's integrations; None where its keys are not declared.

    A description of the operator's own lies in `providers/` of the configuration's folder.
    """
    if provider in kinds:
        keys = kinds[provider].keys
        return None if keys is IntegrationKeys else lambda definitions: refer_to(keys, definitions)
    # late: who has no described system does without the reader of descriptions
    from routing_engine.providers.crm.schema import crm_schema
    from routing_engine.providers.crm.settings import own_description, shipped_description

    description = own_description(folder, provider) or (
        shipped_description(provider) if provider in shipped() else None
    )
    return None if description is None else lambda definitions: crm_schema(description, definitions)


def _read_shipped(name: str, folder: Path, section: Section, integration: str) -> ProviderSetup:
    from routing_engine.providers.crm.settings import reader_of_shipped  # late: few sites have many systems

    return reader_of_shipped(name, folder)(section, integration)


def _read(kind: ProviderKind[S], folder: Path, section: Section, integration: str) -> ProviderSetup:
    # Models first: what they need beyond the common keys is the kind's own affair.
    models, limits = kind.read_models(section), read_limits(section)
    return ProviderSetup(kind.read_settings(section, integration, folder), models, limits)
