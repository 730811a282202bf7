"""JSON Schema of integrations whose provider is a description: its settings, ways and constants are data there."""

from __future__ import annotations

from routing_engine.providers.crm.model import AuthMethod, Description, OperatorSetting
from routing_engine.providers.crm.read_description import KnownModelKeys
from routing_engine.providers.crm.settings import CrmKeys
from routing_engine.providers.oauth.settings import OAuthAppKeys, OwnAddressKeys
from routing_engine.settings.integration import IntegrationKeys, ModelKeys
from routing_engine.settings.spec import properties_of
from routing_engine.settings.value_types import TEXT, Definitions, Json, Schema, or_empty, secret

#: Keys of every integration that a description says itself.
_SAID = ("number_form", "models")


def crm_schema(description: Description, definitions: Definitions) -> Schema:
    """Return the schema of an integration of a described system, as a reference to its definition."""
    return definitions.refer(f"Crm_{description.name}", lambda named: _integration(description, named))


def _integration(description: Description, definitions: Definitions) -> Schema:
    common = properties_of(IntegrationKeys, definitions)
    auth: dict[str, Schema] = {}
    if description.ways:
        auth["auth"] = _auth(description, definitions)
    must = [name for name, one in description.settings.items() if one.default is None]
    return {
        "title": description.name,
        "type": "object",
        "properties": {
            **{name: schema for name, schema in common.items() if name not in _SAID},
            **properties_of(CrmKeys, definitions),
            **{name: _setting(one) for name, one in description.settings.items()},
            "models": _models(description, definitions),
            **auth,
        },
        "required": ["provider", *must, *auth],
        "additionalProperties": False,
    }


def _setting(one: OperatorSetting) -> Schema:
    usual = "must be there" if one.default is None else f"default: {one.default or 'none'}"
    return {**TEXT, "description": f"such as {one.example} ({usual})"}


def _models(description: Description, definitions: Definitions) -> Schema:
    own: Schema = {
        "type": ["object", "null"],
        "properties": {
            **properties_of(ModelKeys, definitions),
            "search_names": properties_of(KnownModelKeys, definitions)["search_names"],
            **dict.fromkeys(sorted(description.constants), TEXT),
        },
        "additionalProperties": False,
    }
    return {
        "description": "what is added to the models of the description, and models of your own",
        "type": ["object", "null"],
        "properties": dict.fromkeys(description.models, own),
        "additionalProperties": own,
    }


def _auth(description: Description, definitions: Definitions) -> Schema:
    return {
        "description": "how the engine proves who it is: one of these",
        "type": "object",
        "properties": {name: _way(way, definitions) for name, way in description.ways.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _way(way: AuthMethod, definitions: Definitions) -> Schema:
    hidden = secret().schema(definitions)
    needs = {name: hidden if is_secret else TEXT for name, is_secret in way.needs.items()}
    if way.plan is None and not needs:
        return or_empty(TEXT)
    app: dict[str, Schema] = {}
    if way.plan is not None:
        app = {**properties_of(OAuthAppKeys, definitions), **properties_of(OwnAddressKeys, definitions)}
    inside: Schema = {
        "type": "object",
        "properties": {**app, **needs},
        "required": [*needs, *(["client_id"] if app else [])],
        "additionalProperties": False,
    }
    # a way with one need may have it beside its own name
    alone: list[Json] = [*needs.values()] if len(needs) == 1 and not app else []
    return {"anyOf": [inside, *alone]}
