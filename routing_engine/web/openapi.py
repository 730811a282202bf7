"""`GET /v1/openapi.json`: the table of addresses as OpenAPI 3.1 has it. Nothing of it is written twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.json_schema import call_schemas, reference
from routing_engine.web.endpoints import TEXT, Endpoint, Endpoints, Gives, Parameter, Schema, has
from routing_engine.web.requests import ApiAnswer, ApiRequest

ADDRESS = "/v1/openapi.json"
_ERROR = has({"error": has({"code": TEXT, "message": TEXT, "remedy": TEXT})})
_PATH_VALUE: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_REPEAT = Parameter("Idempotency-Key", "a text of your own: sent again within a day, it is done once", where="header")
#: What any address may answer, beside what its row says.
_USUAL = (400, 401, 429, 500, 503)
_SECURITY: JsonObject = {
    "key": {"type": "http", "scheme": "bearer", "description": "a key of api_keys in engine.yaml"},
}


class OpenApi:
    """The description of everything that `offers` have, and of itself."""

    def __init__(self, offers: Sequence[Endpoints], version: str) -> None:
        rows = [*self.endpoints(), *(row for offer in offers for row in offer.endpoints())]
        self._document = openapi(rows, version)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        gives = (Gives("this document", {"type": "object"}),)
        return (Endpoint("GET", ADDRESS, None, self._read, "Read this description of the API.", gives=gives),)

    async def _read(self, _: ApiRequest) -> ApiAnswer:
        # It tells nothing of the site, and is the same until the next version.
        return ApiAnswer(self._document, headers={"Cache-Control": "public, max-age=300"})


def openapi(rows: Iterable[Endpoint], version: str) -> JsonObject:
    """Return the document of OpenAPI 3.1 that says what rows of the table say."""
    paths: dict[str, dict[str, JsonValue]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Routing Engine", "version": version},
        "paths": dict(paths),
        "components": {"schemas": {**call_schemas(), "Error": _ERROR}, "securitySchemes": _SECURITY},
    }


def _operation(row: Endpoint) -> JsonObject:
    # What is not said is left out: an empty list would say that there is none.
    told: JsonObject = {
        "operationId": _name_of(row),
        "summary": row.summary,
        "tags": [row.path.split("/")[2]],
        "parameters": [_parameter(one) for one in parameters_of(row)],
        "responses": _responses(row),
        "security": [] if row.right is None else [{"key": []}],
    }
    if row.right is not None:
        told["description"] = f"Right: `{row.right}`."
    if row.body is not None:
        needed = bool(row.body.get("required"))
        told["requestBody"] = {"required": needed, "content": {"application/json": {"schema": row.body}}}
    return told


def _name_of(row: Endpoint) -> str:
    words = re.findall(r"\w+", row.path.removeprefix("/v1").replace(".", "_"))
    return "_".join([row.method.lower(), *words])


def parameters_of(row: Endpoint) -> Sequence[Parameter]:
    """Return the parameters of a row, with those values of its path that it says nothing more about."""
    named = {one.name for one in row.parameters if one.where == "path"}
    values = [name for name in re.findall(r"\{(\w+)\}", row.path) if name not in named]
    in_path = (Parameter(name, "", dict(_PATH_VALUE), "path", True) for name in values)
    own = any(one.name == _REPEAT.name for one in row.parameters)
    return (*in_path, *row.parameters, *((_REPEAT,) if row.repeatable and not own else ()))


def _parameter(one: Parameter) -> JsonObject:
    said: JsonObject = {"description": one.means} if one.means else {}
    needed = one.needed or one.where == "path"
    return {"name": one.name, "in": one.where, "required": needed, "schema": one.schema, **said}


def _responses(row: Endpoint) -> JsonObject:
    refused = {*_USUAL, *row.refuses, *(() if row.right is None else (403,)), *((413,) if row.body else ())}
    if row.right is None:
        refused.discard(401)
    if row.repeatable:
        refused.add(422)
    given: JsonObject = {str(one.status): _given(one) for one in row.gives}
    return {**given, **{str(status): _refused(status) for status in sorted(refused)}}


def _given(one: Gives) -> JsonObject:
    if not one.media_type:
        return {"description": one.means}
    content: Mapping[str, JsonValue] = {} if one.schema is None else {"schema": one.schema}
    return {"description": one.means, "content": {one.media_type: dict(content)}}


def _refused(status: int) -> JsonObject:
    content: JsonObject = {"application/json": {"schema": reference("Error")}}
    return {"description": HTTPStatus(status).phrase, "content": content}
