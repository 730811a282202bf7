"""An integration that uses a description: what the operator wrote, checked against it."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from routing_engine.calls.ports import ClickToDial
from routing_engine.core.model import Json, Template, Value
from routing_engine.core.ports import Listing
from routing_engine.core.templates import as_text
from routing_engine.providers.answers.path import Path as JsonPath
from routing_engine.providers.crm.auth_methods import fill, host_of, read_auth
from routing_engine.providers.crm.checks import check_field
from routing_engine.providers.crm.model import AuthMethod, ClickPaths, Description, KnownModel
from routing_engine.providers.crm.read_description import KnownModelKeys, read_description
from routing_engine.providers.crm.records import record_page, url_of
from routing_engine.providers.crm.writing import links_recordings, writes_calls
from routing_engine.providers.net.address import MAX_ANSWER, MIB, WEB_ADDRESS, remark_clear_web
from routing_engine.providers.oauth.plan import HOSTS
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.shipped import DESCRIPTIONS
from routing_engine.settings.integration import (
    Model,
    ModelKeys,
    ProviderSetup,
    check_names,
    fields_of,
    folder_of,
    read_limits,
)
from routing_engine.settings.paths import state_folder
from routing_engine.settings.spec import nested, read, setting
from routing_engine.settings.tls import CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, TlsKeys, context_or_usual
from routing_engine.settings.value_types import secret
from routing_engine.settings.yaml_reader import Problems, Section

#: A shorter one can be found by trying.
_SHORTEST = 16
#: What people write at the top of an integration, and where it stands.
_INSTEAD = {
    **dict.fromkeys(("url", "base_url", "host"), "address: https://... takes the place of the description's"),
    **dict.fromkeys(
        ("token", "api_key", "key", "user", "password"), "it stands in 'auth', below the way that needs it"
    ),
    "settings": "write each setting by its own name at the top",
    "fields": "write models: {contact: {fields: {...}}}, with the model they are of",
}


@dataclass(frozen=True, slots=True)
class CrmSettings:
    """What an operator wrote about a described system.

    `values` are the description's settings, `given` what proves who we are as far as the operator gives it. `address`
    is "" unless it takes the place of the description's. `constants` and `urls` are by model.
    """

    description: Description
    values: Mapping[str, str]
    constants: Mapping[str, Mapping[str, str]]
    urls: Mapping[str, Template]
    address: str = ""
    way: AuthMethod | None = None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    oauth: OAuthSettings | None = None
    hosts: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    connect_timeout_s: float = 1.5
    max_answer_bytes: int = MIB
    #: The models that a check of the connection searches: those that the operator writes of, else the first.
    checked: tuple[str, ...] = ()
    #: What the system proves itself with when it tells of a click; "" takes none.
    click_secret: str = field(default="", repr=False)
    #: Where a recording lies while it is sent to a system that must know its length before.
    folder: Path | None = None

    @property
    def writes_calls(self) -> Literal["", "matched", "any"]:
        """Which calls can be written: none, those whose contact is known, or all."""
        return writes_calls(self.description.writing)

    @property
    def links_recordings(self) -> bool:
        """Whether an entry that is there can be told where its recording is heard."""
        return links_recordings(self.description.writing)

    def click(self, told: Json) -> ClickToDial | None:
        """Return a click that the system tells of; None where it does not prove to be the system."""
        paths = self.description.writing.click
        if paths is None or not self.click_secret:
            return None
        said = {one: _text(path.first(told)) for one, path in _parts(paths).items()}
        if not hmac.compare_digest(said["secret"].encode(), self.click_secret.encode()):
            return None
        return (
            ClickToDial(said["number"], said["user"], said.get("id", "")) if said["number"] and said["user"] else None
        )

    @property
    def shows_calls(self) -> bool:
        """Whether the system can show people who is calling."""
        return bool(self.description.writing.pop)

    @property
    def title(self) -> str:
        """What people call the system."""
        return self.description.title

    def title_of(self, model: str) -> str:
        """Return what people call a model."""
        known = self.description.models.get(model)
        return known.label if known is not None and known.label != model else ""

    @property
    def auth_way(self) -> str:
        """How we prove who we are; "" when nobody asks."""
        return self.way.name if self.way is not None else ""

    def listing(self, model: str) -> Listing:
        """Return what of a model can be listed."""
        found = self.description.listing_for(model, True)
        return "" if found is None else "changes" if found.changes else "all"

    def page_of(self, model: str, fields: Mapping[str, Value]) -> str:
        """Return the address of a record's page; "" where only a log-in tells a part of it."""
        scope = {"settings": self.values, "model": self.constants[model]}
        return record_page(url_of(self.description, model, self.urls.get(model)), fields, scope)


@dataclass(frozen=True, slots=True)
class CrmKeys:
    """An integration of a described system, beyond its models and what the description itself asks for."""

    address: str = setting(
        WEB_ADDRESS, "", "another base of every address, for a sandbox or a proxy", usual="the description's"
    )
    hosts: tuple[str, ...] = setting(HOSTS, (), "further hosts that a captured address may lead to")
    tls: TlsKeys | None = setting(
        nested(TlsKeys).called("[mapping](integrations.md#tls)"),
        None,
        "how the server proves who it is",
        usual="the system's authorities",
    )
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT,
        CONNECT_TIMEOUT_S,
        "how long connecting may take, TLS included. What bounds the whole is the source's `timeout_s`",
    )
    max_answer_bytes: int = setting(MAX_ANSWER, MIB, "a larger answer is an error")
    click_secret: str = setting(
        secret(f"a [secret](integrations.md#secrets), {_SHORTEST} characters at least", _SHORTEST, "take the system's"),
        "",
        "what the system proves itself with when somebody [clicks on a number](api.md#clicks-in-a-crm) in it",
        usual="clicks are not taken",
    )


def read_crm(description: Description, section: Section, name: str, folder: Path | None = None) -> ProviderSetup:
    """Read the file of an integration whose provider is a description. What the description asks for comes first."""
    place = folder_of(section, folder)
    # A description says for each search how the number is spelled; one form for all could only be worse.
    if section.value("number_form") is not None:
        section.note("number_form", f"'{description.name}' knows itself how its numbers are spelled", "remove it")
    limits = read_limits(section, description.limits)
    # First: addresses and hosts may be made of them.
    values = _read_values(section, description)
    models, constants, urls = _read_models(section, description)
    own = read(section, CrmKeys, f"the integration '{name}'", only=("address", "hosts"))
    hosts = (*own.hosts, *host_of(own.address), *(host for value in values.values() for host in host_of(value)))
    remark_clear_web(section, "address", own.address)
    way, given, oauth = read_auth(section, description, values, hosts, place, name)
    keys = read(section, CrmKeys, f"the integration '{name}'", instead=_INSTEAD)
    settings = CrmSettings(
        description,
        values,
        constants,
        urls,
        keys.address,
        way,
        given,
        oauth,
        (*map(fill(values), description.hosts), *hosts),
        context_or_usual(section, keys.tls, place),
        keys.connect_timeout_s,
        keys.max_answer_bytes,
        tuple(written.names() if (written := section.section("models")) is not None else ()) or (*models,)[:1],
        keys.click_secret,
        state_folder(place) / "uploads",
    )
    return ProviderSetup(settings, models, limits)


def _read_values(section: Section, description: Description) -> Mapping[str, str]:
    found = {}
    for name, wanted in description.settings.items():
        if wanted.default is None and not section.has(name):
            section.note(name, f"'{name}' is missing", f"add for example: {name}: {wanted.example}")
        written = section.value(name)
        value = (wanted.default or "") if written is None else written.filled() or ""
        value = value.rstrip("/") if "://" in value else value  # as a browser copies it; addresses below begin with /
        if value and not wanted.fits(value):
            section.note(name, f"'{name}' cannot be '{value[:80]}'", f"write for example {name}: {wanted.example}")
        found[name] = value
        if wanted.fits(value):
            remark_clear_web(section, name, value)
    return found


# ------------------------------------------------------------------------------------------------------ models


def _read_models(
    section: Section, description: Description
) -> tuple[Mapping[str, Model], Mapping[str, Mapping[str, str]], Mapping[str, Template]]:
    """Take `models`: what the operator adds to those of the description, and models of the operator's own."""
    given = section.section("models")
    names = dict.fromkeys([*description.models, *(given.names() if given is not None else ())])
    models, constants, urls = {}, {}, {}
    for name in names:
        value = given.value(name) if given is not None else None
        own = None if value is None else value.called(f"the model '{name}'").section()
        models[name], constants[name] = _read_model(own, name, description)
        if (url := models[name].record_url) is not None:
            urls[name] = url
    return models, constants, urls


def _read_model(own: Section | None, name: str, description: Description) -> tuple[Model, Mapping[str, str]]:
    usual = description.models.get(name) or KnownModel(name, name, {"name": name}, {}, (), None)
    attempts = len(description.attempts_for(name))
    model = Model(name, usual.fields, numbers=usual.numbers, attempts=attempts, about=usual.about, must_show=True)
    # A search by a field needs its name: the system cannot guess where to look.
    by_field: Literal["named", False] = "named" if description.searches_for(name) else False
    by_name = bool(description.names_for(name))
    model = replace(model, by_field=by_field, search_names=usual.search_names, by_name=by_name)
    if own is None:
        return model, usual.constants
    keys = read(own, ModelKeys, f"the model '{name}'", only=("fields", "record_url", "numbers"))
    searched = read(own, KnownModelKeys, f"the model '{name}'", only=("search_names",)).search_names
    given, about = fields_of(keys.fields, usual.fields)
    for ours, theirs in given.items():
        check_field(own.section("fields") or own, ours, theirs)
    fields = {**usual.fields, **given}
    check_names(own, keys, fields)
    # Added, never replaced: a field that tells callers apart must not be lost to a slip.
    numbers = tuple(dict.fromkeys((*usual.numbers, *keys.numbers)))
    # An operator may point a model at another object of the CRM: `object: leads`.
    constants = {**usual.constants, **{key: own.text(key) for key in sorted(description.constants) if own.has(key)}}
    for key in sorted(description.constants - set(constants)):
        example = f"{key}: as the other models of '{description.name}' have it"
        own.note(key, f"'{key}' is missing", f"add for example: {example}")
    if "id" not in fields:
        own.note("fields", f"the model '{name}' has no id", "add for example fields: {id: id}")
    for key in description.constants:
        own.value(key)  # known, also where it is left out
    about = {**usual.about, **about}
    model = replace(model, fields=fields, numbers=numbers, record_url=keys.record_url, about=about)
    model = replace(model, search_names={**usual.search_names, **searched})
    own.close(f"the model '{name}'")
    return model, constants


def _parts(paths: ClickPaths) -> Mapping[str, JsonPath]:
    found = {"secret": paths.secret, "number": paths.number, "user": paths.user}
    return {**found, "id": paths.id} if paths.id is not None else found


def _text(value: Json) -> str:
    return as_text(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


@lru_cache(maxsize=64)
def shipped_description(name: str) -> Description:
    """Read a description that ships."""
    notes = Problems(f"{name}.yaml")
    found = read_description((DESCRIPTIONS / f"{name}.yaml").read_text(encoding="utf-8"), notes, name)
    assert found is not None, "\n".join(map(str, notes.problems))
    return found


def own_description(folder: Path, name: str) -> Description | None:
    """Return an operator's own description, out of a configuration's folder; None when it is missing or broken."""
    for file in sorted((folder / "providers").glob(f"{name}.y*ml")):
        try:
            return read_description(file.read_text(encoding="utf-8-sig"), Problems(file.name), name)
        except (OSError, UnicodeDecodeError):
            return None
    return None


def reader_of_shipped(name: str, folder: Path) -> Callable[[Section, str], ProviderSetup]:
    """Return what reads integrations of a description that ships; it is read when the first one uses it."""
    return lambda section, integration: read_crm(shipped_description(name), section, integration, folder)


def reader_of_own(
    folder: Path, taken: frozenset[str], text: str, notes: Problems, name: str
) -> Callable[[Section, str], ProviderSetup] | None:
    """Read an operator's own description of `config/providers/`; None, with its problems noted, when it is broken.

    It may take the place of one that ships; the names in `taken` are those of providers that are code.
    """
    if name in taken:
        notes.note(0, f"'{name}' is a provider of the engine that is not a description", "give the file another name")
    found = read_description(text, notes, name)
    if found is None or notes.problems:
        return None
    return partial(_read, found, folder)


def _read(description: Description, folder: Path, section: Section, name: str) -> ProviderSetup:
    return read_crm(description, section, name, folder)
