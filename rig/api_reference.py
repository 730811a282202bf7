"""The table of addresses in docs/reference/api-requests.md, made from what a real engine offers: `make reference`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from routing_engine.api_service import ApiService
from routing_engine.calls.as_json import JsonValue
from routing_engine.engine import ActiveConfig, open_store
from routing_engine.event_bus import EventBus
from routing_engine.followed_calls import FollowedCalls
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.reference import LONGEST, wrapped
from routing_engine.web.endpoints import Endpoint, Parameter

_MARKED = re.compile(r"(<!-- addresses -->\n).*?(<!-- end of addresses -->)", re.S)
_ENGINE = "listeners: {http: 127.0.0.1:0}\n"
_HEAD = "| request | right | gives |\n|---|---|---|\n"


def with_addresses(page: str, rows: Sequence[Endpoint]) -> str:
    """Return a page with what stands between its marks made anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_table(rows)}\n{found[2]}", page)


def offered() -> Sequence[Endpoint]:
    """Return every row that an engine offers."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "engine.yaml").write_text(_ENGINE, encoding="utf-8")
        return asyncio.run(_offered(Path(folder)))


async def _offered(folder: Path) -> Sequence[Endpoint]:
    configuration = open_store(folder).load()
    api = ApiService(FollowedCalls(EventBus(), _none), EventBus(), configuration)
    await api.open(ListenerAddress("127.0.0.1", 0))
    try:
        return sorted(api.rows, key=lambda row: (row.path, row.method))
    finally:
        await api.close()


def _none() -> ActiveConfig:
    raise LookupError("no call is taken here")


def _table(rows: Sequence[Endpoint]) -> str:
    lines, below = [], []
    for row in rows:
        name, right = f"`{row.method} {row.path}`", f"`{row.right}`" if row.right is not None else "none"
        line = f"| {name} | {right} | {row.summary.partition('. ')[0].rstrip('.')} |\n"
        lines.append(line if len(line) <= LONGEST else f"| {name} | {right} | see below |\n")
        below += [*_details(row)]
    return "".join([_HEAD, *lines, "\n", *below])


def _details(row: Endpoint) -> Iterator[str]:
    told = [_parameter(one) for one in row.parameters if one.where != "path" or one.means]
    properties = (row.body or {}).get("properties")
    needed = (row.body or {}).get("required")
    if isinstance(properties, dict):
        must = needed if isinstance(needed, list) else []
        told += [
            f"- `{name}`: {_type(one)}{', must be there' if name in must else ''}" for name, one in properties.items()
        ]
    if not told and "see below" not in row.summary and ". " not in row.summary:
        return
    yield f"**`{row.method} {row.path}`** {wrapped(row.summary, '')}\n\n"
    if told:
        yield "".join(f"{wrapped(one, '  ')}\n" for one in told) + "\n"


def _parameter(one: Parameter) -> str:
    where = {"query": "", "header": " (header)", "path": " (in the path)"}[one.where]
    return f"- `{one.name}`{where}: {one.means}{_of(one)}"


def _of(one: Parameter) -> str:
    said = _type(one.schema)
    return "" if said == "text" else f"; {said}"


def _type(schema: JsonValue) -> str:
    """Return what a value is, in words."""
    if not isinstance(schema, dict):
        return "anything"
    if isinstance(words := schema.get("enum"), list):
        return " or ".join(f"`{word}`" for word in words)
    if isinstance(several := schema.get("anyOf"), list):
        return " or ".join(dict.fromkeys(_type(one) for one in several))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema.get('items'))}s"
    if kind == "object":
        members = schema.get("properties")
        return "`{" + ", ".join(members) + "}`" if isinstance(members, dict) else "object"
    if kind == "integer" and "maximum" in schema:
        return f"{schema.get('minimum', 0)} to {schema['maximum']}"
    words_of = {"string": "moment" if schema.get("format") == "date-time" else "text", "integer": "whole number"}
    return words_of.get(str(kind), str(kind))
