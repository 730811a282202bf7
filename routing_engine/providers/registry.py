"""The kinds of provider there are, by the name that `provider:` takes in YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from routing_engine.core.ports import Clock, Provider
from routing_engine.providers.crm.schema import crm_schema
from routing_engine.providers.crm.settings import (
    own_description,
    reader_of_own,
    reader_of_shipped,
    shipped,
    shipped_description,
)
from routing_engine.providers.http import settings as http_settings
from routing_engine.providers.http.settings import HttpKeys
from routing_engine.providers.keyed import astdb, redis
from routing_engine.providers.ldap import settings as ldap_settings
from routing_engine.providers.ldap.settings import LdapKeys
from routing_engine.providers.records import settings as records_settings
from routing_engine.providers.sql import settings as sql_settings
from routing_engine.providers.sql.settings import SqlKeys
from routing_engine.settings.integration import IntegrationKeys, Model, ProviderSetup, read_limits, read_models
from routing_engine.settings.spec import refer_to
from routing_engine.settings.value_types import SchemaOf
from routing_engine.settings.yaml_reader import Problems, Section

_GROUP = "routing_engine.providers"
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class ReadSettings(Protocol[S_co]):
    """Reads a provider's own keys. Without `folder` it is the one above the folder of the YAML file."""

    def __call__(self, section: Section, name: str, folder: Path | None = None) -> S_co:
        """Return the settings that `open` takes."""


@dataclass(frozen=True, slots=True)
class ProviderKind(Generic[S]):
    """How one kind of provider comes to life; `S` are its settings.

    `read_settings(section, name, folder)` takes and closes the keys of its own in the YAML of the integration `name`,
    and notes every problem there; files that it names are relative to `folder`.
    `open(name, settings, models, region, clock)` returns a provider for such settings. `read_models(section)` takes
    `models` and `number_form` before that; another one than every integration has is for models with keys of their own.
    """

    read_settings: ReadSettings[S]
    open: Callable[[str, S, Mapping[str, Model], str, Clock], Provider]
    read_models: Callable[[Section], Mapping[str, Model]] = read_models
    #: All keys of the integration's YAML, for editors. As it is, unknown keys pass there: they are not declared.
    keys: type[IntegrationKeys] = IntegrationKeys


def _late(place: str) -> Callable[..., Provider]:
    """Return what opens providers, `package.module:function`, imported with the first: few sites need every client."""
    module, _, name = place.partition(":")

    def opens(*given: object) -> Provider:
        provider: Provider = getattr(import_module(f"routing_engine.providers.{module}"), name)(*given)
        return provider

    return opens


#: Kinds by name. Each pairs settings with what opens them; side by side in a table their types differ.
Kinds: TypeAlias = Mapping[str, ProviderKind[Any]]

#: What ships with the engine.
PROVIDERS: Kinds = MappingProxyType(
    {
        "astdb": ProviderKind(astdb.read_settings, astdb.open_astdb, keys=astdb.AstdbKeys),
        "http": ProviderKind(http_settings.read_settings, _late("http.provider:open_http"), keys=HttpKeys),
        "ldap": ProviderKind(ldap_settings.read_settings, _late("ldap.provider:open_ldap"), keys=LdapKeys),
        "redis": ProviderKind(redis.read_settings, redis.open_redis, keys=redis.RedisKeys),
        "records": ProviderKind(
            records_settings.read_settings, _late("records.provider:open_records"), keys=records_settings.RecordsKeys
        ),
        "sql": ProviderKind(
            sql_settings.read_settings, _late("sql.provider:open_sql"), sql_settings.read_models, keys=SqlKeys
        ),
    }
)


def known_providers() -> Kinds:
    """Return the shipped providers and those that installed packages register; a shipped name cannot be taken over.

    Raises whatever the import of a broken package raises: that is for the person who installed it.
    """
    # Loaded all: an entry point that is not a ProviderKind is somebody's mistake, and passed over.
    installed = {entry.name: entry.load() for entry in entry_points(group=_GROUP)}
    return {**{name: kind for name, kind in installed.items() if isinstance(kind, ProviderKind)}, **PROVIDERS}


def readers(kinds: Kinds, folder: Path) -> Mapping[str, Callable[[Section, str], ProviderSetup]]:
    """Return what the store of the configuration in `folder` reads each kind's integrations with."""
    described = {name: reader_of_shipped(name, folder) for name in shipped()}
    # A kind in code goes before a description of the same name.
    return {**described, **{name: _reader(kind, folder) for name, kind in kinds.items()}}


def describe(
    kinds: Kinds, folder: Path
) -> Callable[[str, Problems, str], Callable[[Section, str], ProviderSetup] | None]:
    """Return what the store reads an operator's own descriptions with."""
    return partial(reader_of_own, folder, frozenset(kinds))


def kind_of(provider: str, kinds: Kinds) -> Callable[..., Provider]:
    """Return what opens integrations of a provider; what is not code is a description."""
    return kinds[provider].open if provider in kinds else _late("crm.provider:open_crm")


def schema_of(provider: str, kinds: Kinds, folder: Path) -> SchemaOf | None:
    """Return what writes the JSON Schema of a provider's integrations; None where its keys are not declared.

    A description of the operator's own lies in `providers/` of the configuration's folder.
    """
    if provider in kinds:
        keys = kinds[provider].keys
        return None if keys is IntegrationKeys else lambda definitions: refer_to(keys, definitions)
    description = own_description(folder, provider) or (
        shipped_description(provider) if provider in shipped() else None
    )
    return None if description is None else lambda definitions: crm_schema(description, definitions)


def _reader(kind: ProviderKind[S], folder: Path) -> Callable[[Section, str], ProviderSetup]:
    def read(section: Section, name: str) -> ProviderSetup:
        # Models first: what they need beyond the common keys is the kind's own affair.
        models, limits = kind.read_models(section), read_limits(section)
        return ProviderSetup(kind.read_settings(section, name, folder), models, limits)

    return read
