"""How an integration of a described system proves who we are: one of the description's ways, with what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import yaml
from yarl import URL

from routing_engine.providers.crm.model import AuthMethod, Description
from routing_engine.providers.crm.templates import read_text
from routing_engine.providers.net.address import read_address
from routing_engine.providers.oauth.settings import OAuthPlan, OAuthSettings, is_web, read_oauth
from routing_engine.settings.yaml_reader import Section, suggest

#: Addresses of a plan that an operator may replace.
_ADDRESSES = ("token_url", "authorize_url")


def read_auth(
    section: Section,
    description: Description,
    values: Mapping[str, str],
    hosts: tuple[str, ...],
    folder: Path,
    name: str,
) -> tuple[AuthMethod | None, Mapping[str, str], OAuthSettings | None]:
    """Take `auth`: one of the description's ways, with what it needs."""
    nothing: tuple[None, Mapping[str, str], None] = (None, {}, None)
    if not description.ways:
        return nothing
    section.require("auth", _example(next(iter(description.ways.values()))))
    if isinstance(section.take("auth"), yaml.ScalarNode):
        remedy = f"write {_example(next(iter(description.ways.values())))}"
        section.note("auth", f"'auth' names a way of '{description.name}', and what it needs", remedy)
        return nothing
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
    return way, given, read_oauth(rest, plan, fill(values), folder, name)


def _note_ways(auth: Section, description: Description) -> None:
    unknown = next((key for key in auth.names() if key not in description.ways), "")
    known = " or ".join(description.ways)
    if unknown:
        near = suggest(unknown, description.ways)
        example = f"write for example {_example(next(iter(description.ways.values())))}"
        remedy = near if near.startswith("did") else f"{near}; {example}"
        auth.note(unknown, f"'{description.name}' has no way '{unknown}' in 'auth'", remedy)
    else:
        auth.notes.note(auth.line, f"'auth' takes one way: {known}", "write one of them, with what it needs")


def _example(way: AuthMethod) -> str:
    if way.plan is not None:
        return f"auth: {{{way.name}: {{client_id: ID, client_secret: '${{CRM_SECRET}}'}}}}"
    inside = ", ".join(f"{name}: '${{CRM_{name.upper()}}}'" for name in way.needs)
    return f"auth: {{{way.name}: {{{inside}}}}}"


def _plan(own: Section, plan: OAuthPlan, hosts: tuple[str, ...]) -> OAuthPlan:
    """Return the plan with the operator's own addresses, for a sandbox or a test."""
    token, authorize = (read_address(own, key) if own.has(key) else "" for key in _ADDRESSES)
    return replace(
        plan,
        hosts=(*plan.hosts, *hosts, *host_of(token)),
        token_url=token or plan.token_url,
        authorize_url=authorize or plan.authorize_url,
    )


def _read_needs(auth: Section, way: AuthMethod) -> Mapping[str, str]:
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


def _needs_of(inside: Section, way: AuthMethod) -> Mapping[str, str]:
    found = {}
    for name, secret in way.needs.items():
        inside.require(name, f"{name}: '${{CRM_{name.upper()}}}'")
        found[name] = inside.secret(name) if secret else inside.plain(name)
    return found


def fill(values: Mapping[str, str]) -> Callable[[str], str]:
    """Return what fills `{settings.NAME}` in a text."""
    known = {"settings": frozenset(values)}
    return lambda text: read_text(text, known).text({"settings": values})


def host_of(address: str) -> tuple[str, ...]:
    """Return the host that an operator names: what leads there is allowed like what the description allows."""
    return tuple(filter(None, [URL(address).host])) if is_web(address) else ()
