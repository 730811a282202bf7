"""How an integration of a described system proves who we are: one of the description's ways, with what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from yarl import URL

from routing_engine.providers.crm.model import AuthMethod, Description
from routing_engine.providers.crm.templates import read_text
from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.providers.oauth.settings import OAuthSettings, OwnAddressKeys, filled_plan, is_web, read_oauth
from routing_engine.settings.spec import read
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

Chosen: TypeAlias = tuple[AuthMethod | None, Mapping[str, str], OAuthSettings | None]
_NOTHING: Chosen = (None, {}, None)


def read_auth(
    section: Section,
    description: Description,
    values: Mapping[str, str],
    hosts: tuple[str, ...],
    folder: Path,
    name: str,
) -> Chosen:
    """Take `auth`: one of the description's ways, what it needs, and its OAuth2 where it has one."""
    if not description.ways:
        return _NOTHING
    auth, way = _chosen(section, description)
    if auth is None or way is None:
        return _NOTHING
    if (way.needs or way.plan is not None) and not auth.has(way.name):
        example = _example(way).removeprefix("auth: {").removesuffix("}")
        auth.note(way.name, f"'{way.name}' is missing", f"add for example: {example}")
    if way.plan is None:
        return way, _read_needs(auth, way), None
    inside = auth.section(way.name)
    if inside is None:
        return _NOTHING
    own = read(inside, OwnAddressKeys, f"'{way.name}'", only=("token_url", "authorize_url"))
    given = _needs_of(inside, way)
    # Filled first: what an operator writes is a value, whatever braces it holds, and never a template.
    plan = _plan(own, filled_plan(way.plan, fill(values)), hosts)
    return way, given, read_oauth(inside, plan, folder, name)


def _chosen(section: Section, description: Description) -> tuple[Section | None, AuthMethod | None]:
    """Return the mapping `auth`, and the way that it names; None and a problem where it names none, or several."""
    value, example = section.value("auth"), _example(next(iter(description.ways.values())))
    if value is None:
        section.note("auth", "'auth' is missing", f"add for example: {example}")
        return None, None
    # `auth: token` is what people write where there is one way: it needs what the way needs.
    if value.word() is not None:
        section.note("auth", f"'auth' names a way of '{description.name}', and what it needs", f"write {example}")
        return None, None
    auth = value.section()
    names = auth.names() if auth is not None else []
    if auth is not None and (len(names) != 1 or names[0] not in description.ways):
        _note_ways(auth, description)
        return None, None
    return auth, description.ways[names[0]] if names else None


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


def _plan(own: OwnAddressKeys, plan: OAuthPlan, hosts: tuple[str, ...]) -> OAuthPlan:
    """Return the plan with the operator's own addresses, for a sandbox or a test."""
    return replace(
        plan,
        # Who writes an address of their own allows it: a sandbox lies elsewhere.
        hosts=(*plan.hosts, *hosts, *host_of(own.token_url)),
        token_url=own.token_url or plan.token_url,
        authorize_url=own.authorize_url or plan.authorize_url,
    )


def _read_needs(auth: Section, way: AuthMethod) -> Mapping[str, str]:
    """Take what a way needs. A way with one need may have it beside its own name: `auth: {token: '${TOKEN}'}`."""
    value = auth.value(way.name)
    alone = next(iter(way.needs), "") if len(way.needs) == 1 else ""
    # `{file: PATH}` is a secret as well, and no mapping of needs.
    if alone and value is not None and (not value.is_mapping or _is_file(value)):
        return {alone: _given(auth, way.name, way.needs[alone])}
    inside = auth.section(way.name)
    if inside is None:
        return {}
    found = _needs_of(inside, way)
    inside.close(f"'{way.name}'")
    return found


def _is_file(value: YamlValue) -> bool:
    section = value.section()
    return section is not None and section.names() == ["file"]


def _needs_of(inside: Section, way: AuthMethod) -> Mapping[str, str]:
    for name in way.needs:
        if not inside.has(name):
            inside.note(name, f"'{name}' is missing", f"add for example: {name}: '${{CRM_{name.upper()}}}'")
    return {name: _given(inside, name, secret) for name, secret in way.needs.items()}


def _given(section: Section, name: str, secret: bool) -> str:
    value = section.value(name)
    return (value.secret() if secret else value.filled()) or "" if value is not None else ""


def fill(values: Mapping[str, str]) -> Callable[[str], str]:
    """Return what fills `{settings.NAME}` in a text."""
    known = {"settings": frozenset(values)}
    return lambda text: read_text(text, known).text({"settings": values})


def host_of(address: str) -> tuple[str, ...]:
    """Return the host that an operator names: what leads there is allowed like what the description allows."""
    return tuple(filter(None, [URL(address).host])) if is_web(address) else ()
