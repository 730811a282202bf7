"""JSON Schemas of the files of a configuration, for editors: made from the keys, one for each kind of file."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.people import GROUPS, USERS
from routing_engine.config.route.read import RouteKeys
from routing_engine.settings.integration import IntegrationKeys
from routing_engine.settings.pbx import PbxKeys
from routing_engine.settings.spec import properties_of, schema_of
from routing_engine.settings.value_types import Definitions, Json, Schema, SchemaOf
from routing_engine.settings.webhook import WebhookKeys

#: Draft 7 is the newest that the YAML language server knows well.
_DRAFT = "http://json-schema.org/draft-07/schema#"


def engine_schema() -> Schema:
    """Return the schema of engine.yaml."""
    return file_schema("engine.yaml of Routing Engine", lambda definitions: schema_of(EngineSettings, definitions))


def route_schema() -> Schema:
    """Return the schema of a file of `routes/`."""
    return file_schema("a route of Routing Engine", lambda definitions: schema_of(RouteKeys, definitions))


def pbx_schema() -> Schema:
    """Return the schema of a file of `pbxs/`."""
    return file_schema("a PBX of Routing Engine", lambda definitions: schema_of(PbxKeys, definitions))


def webhook_schema() -> Schema:
    """Return the schema of a file of `webhooks/`."""
    return file_schema("a webhook of Routing Engine", lambda definitions: schema_of(WebhookKeys, definitions))


def users_schema() -> Schema:
    """Return the schema of users.yaml."""
    return file_schema("users.yaml of Routing Engine", USERS.schema)


def groups_schema() -> Schema:
    """Return the schema of groups.yaml."""
    return file_schema("groups.yaml of Routing Engine", GROUPS.schema)


def integration_schema(providers: Mapping[str, SchemaOf]) -> Schema:
    """Return the schema of a file of `integrations/`: which keys it has depends on its `provider`."""

    def body(definitions: Definitions) -> Schema:
        provider: Schema = {"description": "the kind of system", "enum": sorted(providers)}
        # `if`/`then` and not `oneOf`: an editor then explains the one that was chosen, not all that were not.
        ways: list[Json] = [
            {
                "if": {"properties": {"provider": {"const": name}}, "required": ["provider"]},
                "then": of_provider(definitions),
            }
            for name, of_provider in sorted(providers.items())
        ]
        return {"type": "object", "properties": {"provider": provider}, "required": ["provider"], "allOf": ways}

    return file_schema("an integration of Routing Engine", body)


def common_keys_schema(definitions: Definitions) -> Schema:
    """Return the schema of a provider whose own keys are not declared: those of every integration, and any other."""

    def write(named: Definitions) -> Schema:
        properties = {**properties_of(IntegrationKeys, named), "models": {"type": ["object", "null"]}}
        return {"type": "object", "properties": properties}

    return definitions.refer("AnyIntegration", write)


def file_schema(title: str, body: SchemaOf) -> Schema:
    """Return the schema of a whole file, with the definitions that it refers to."""
    definitions = Definitions()
    written = body(definitions)
    return {"$schema": _DRAFT, "title": title, **written, "definitions": definitions.by_name}
