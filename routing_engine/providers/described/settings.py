"""An integration that uses a description: what the operator wrote, checked against it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from yarl import URL

from routing_engine.core.model import Template
from routing_engine.integration import Connection, Model, read_fields, read_limits, read_numbers, read_record_url
from routing_engine.marked import Section, section_of, suggest
from routing_engine.mirrored import Listing
from routing_engine.providers.described.checks import check_field
from routing_engine.providers.described.description import Description, KnownModel, Way
from routing_engine.providers.described.texts import read_text
from routing_engine.providers.files import folder_of
from routing_engine.providers.http_address import read_address, read_tls, tls_context
from routing_engine.providers.oauth.plan import OAuthPlan, read_hosts
from routing_engine.providers.oauth.settings import OAuthSettings, read_oauth

_MIB = 1024 * 1024
#: Addresses of a plan that an operator may replace.
_ADDRESSES = ("token_url", "authorize_url")


@dataclass(frozen=True, slots=True)
class DescribedSettings:
    """What an operator wrote about a described system.

    `values` are the description's settings, `given` what proves who we are as far as the operator gives it. `address`
    is "" unless it takes the place of the description's. `constants` and `urls` are by model.
    """

    description: Description
    values: Mapping[str, str]
    constants: Mapping[str, Mapping[str, str]]
    urls: Mapping[str, Template]
    address: str = ""
    way: Way | None = None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    oauth: OAuthSettings | None = None
    hosts: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    connect_timeout_s: float = 1.5
    max_answer_bytes: int = _MIB

    @property
    def auth_way(self) -> str:
        """How we prove who we are; "" when nobody asks."""
        return self.way.name if self.way is not None else ""

    def listing(self, model: str) -> Listing:
        """Tell what of a model can be listed."""
        found = self.description.listing_for(model)
        return "" if found is None else "changes" if found.changes else "all"


def read_described(description: Description, section: Section, name: str, folder: Path | None = None) -> Connection:
    """Take and close all keys of an integration whose provider is a description."""
    place = folder_of(section, folder)
    if section.has("number_form"):
        section.note("number_form", f"'{description.name}' knows itself how its numbers are spelled", "remove it")
    section.take("number_form")
    limits = read_limits(section, description.limits)
    values = _read_values(section, description)
    models, constants, urls = _read_models(section, description)
    address = read_address(section, "address") if section.has("address") else _take_nothing(section, "address")
    hosts = (*read_hosts(section), *_host_of(address))
    way, given, oauth = _read_auth(section, description, values, hosts, place, name)
    verify, ca = read_tls(section, place)
    settings = DescribedSettings(
        description,
        values,
        constants,
        urls,
        address,
        way,
        given,
        oauth,
        (*map(_fill(values), description.hosts), *hosts),
        tls_context(section, verify, ca, None) if ca or not verify else None,
        section.number("connect_timeout_s", 1.5, 0.05, 60),
        section.whole("max_answer_bytes", _MIB, 1024, 64 * _MIB),
    )
    section.close(f"the integration '{name}'")
    return Connection(settings, models, limits)


def _host_of(address: str) -> tuple[str, ...]:
    """Give the host that an operator names: what leads there is allowed like what the description allows."""
    return tuple(filter(None, [URL(address).host])) if address else ()


def _take_nothing(section: Section, key: str) -> str:
    section.take(key)
    return ""


def _read_values(section: Section, description: Description) -> Mapping[str, str]:
    found = {}
    for name, setting in description.settings.items():
        if setting.default is None:
            section.require(name, f"{name}: {setting.example}")
        value = section.plain(name, setting.default or "")
        if value and not setting.fits(value):
            section.note(name, f"'{name}' cannot be '{value[:80]}'", f"write for example {name}: {setting.example}")
        found[name] = value
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
        node = given.take(name) if given is not None else None
        own = None if node is None or given is None else section_of(node, given.notes, f"the model '{name}'")
        models[name], constants[name] = _read_model(own, name, description)
        if (url := models[name].record_url) is not None:
            urls[name] = url
    return models, constants, urls


def _read_model(own: Section | None, name: str, description: Description) -> tuple[Model, Mapping[str, str]]:
    usual = description.models.get(name) or KnownModel(name, name, {"name": name}, {}, (), None)
    attempts = len(description.attempts_for(name))
    model = Model(name, usual.fields, numbers=usual.numbers, attempts=attempts, about=usual.about)
    model = replace(model, by_field="named" if description.search_for(name) is not None else False)
    if own is None:
        return model, usual.constants
    given, about = read_fields(own, usual.fields)
    for ours, theirs in given.items():
        check_field(own.section("fields") or own, ours, theirs)
    fields = {**usual.fields, **given}
    numbers = tuple(dict.fromkeys((*usual.numbers, *read_numbers(own, fields))))
    constants = {**usual.constants, **{key: own.text(key) for key in sorted(description.constants) if own.has(key)}}
    for key in sorted(description.constants - set(constants)):
        own.require(key, f"{key}: as the other models of '{description.name}' have it")
    if "id" not in fields:
        own.note("fields", f"the model '{name}' has no id", "add for example fields: {id: id}")
    for key in description.constants:
        own.take(key)
    url, about = read_record_url(own, fields), {**usual.about, **about}
    model = replace(model, fields=fields, numbers=numbers, record_url=url, about=about)
    own.close(f"the model '{name}'")
    return model, constants


# -------------------------------------------------------------------------------------------------------- auth


def _read_auth(
    section: Section,
    description: Description,
    values: Mapping[str, str],
    hosts: tuple[str, ...],
    folder: Path,
    name: str,
) -> tuple[Way | None, Mapping[str, str], OAuthSettings | None]:
    """Take `auth`: one of the description's ways, with what it needs."""
    nothing: tuple[None, Mapping[str, str], None] = (None, {}, None)
    if not description.ways:
        return nothing
    section.require("auth", _example(next(iter(description.ways.values()))))
    auth = section.section("auth")
    if auth is None:
        return nothing
    ways = [key for key in auth.names() if key in description.ways]
    if len(auth.names()) != 1 or not ways:
        _note_ways(auth, description)
        return nothing
    way = description.ways[ways[0]]
    if way.needs or way.plan is not None:
        auth.require(way.name, _example(way).removeprefix("auth: {").removesuffix("}"))
    if way.plan is None:
        return way, _read_needs(auth, way), None
    inside = auth.section(way.name)
    if inside is None:
        return nothing
    plan = _plan(inside.part(lambda key: key in _ADDRESSES), way.plan, hosts)
    given = _needs_of(inside, way)
    rest = inside.part(lambda key: key not in (*_ADDRESSES, *way.needs))
    return way, given, read_oauth(rest, plan, _fill(values), folder, name)


def _note_ways(auth: Section, description: Description) -> None:
    unknown = next((key for key in auth.names() if key not in description.ways), "")
    known = " or ".join(description.ways)
    if unknown:
        auth.note(unknown, f"'{description.name}' has no way '{unknown}' in 'auth'", suggest(unknown, description.ways))
    else:
        auth.notes.note(auth.line, f"'auth' takes one way: {known}", "write one of them, with what it needs")


def _example(way: Way) -> str:
    if way.plan is not None:
        return f"auth: {{{way.name}: {{client_id: ID, client_secret: '${{CRM_SECRET}}'}}}}"
    inside = ", ".join(f"{name}: '${{CRM_{name.upper()}}}'" for name in way.needs)
    return f"auth: {{{way.name}: {{{inside}}}}}"


def _plan(own: Section, plan: OAuthPlan, hosts: tuple[str, ...]) -> OAuthPlan:
    """Give the plan with the operator's own addresses, for a sandbox or a test."""
    token, authorize = (read_address(own, key) if own.has(key) else "" for key in _ADDRESSES)
    return replace(
        plan,
        hosts=(*plan.hosts, *hosts, *_host_of(token)),
        token_url=token or plan.token_url,
        authorize_url=authorize or plan.authorize_url,
    )


def _read_needs(auth: Section, way: Way) -> Mapping[str, str]:
    """Take what a way needs. A way with one need may have it beside its own name: `auth: {token: '${TOKEN}'}`."""
    node = auth.take(way.name)
    alone = next(iter(way.needs), "") if len(way.needs) == 1 else ""
    if alone and (isinstance(node, yaml.ScalarNode) or _is_file(node)):
        return {alone: auth.secret(way.name) if way.needs[alone] else auth.plain(way.name)}
    inside = auth.section(way.name)
    if inside is None:
        return {}
    found = _needs_of(inside, way)
    inside.close(f"'{way.name}'")
    return found


def _is_file(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.MappingNode) and [key.value for key, _ in node.value] == ["file"]


def _needs_of(inside: Section, way: Way) -> Mapping[str, str]:
    found = {}
    for name, secret in way.needs.items():
        inside.require(name, f"{name}: '${{CRM_{name.upper()}}}'")
        found[name] = inside.secret(name) if secret else inside.plain(name)
    return found


def _fill(values: Mapping[str, str]) -> Callable[[str], str]:
    known = {"settings": frozenset(values)}
    return lambda text: read_text(text, known).text({"settings": values})
