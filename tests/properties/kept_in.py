"""A made-up site in a folder: its routes, and each integration as a system, a file, a database or an index."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from routing_engine.config.store import Configuration
from routing_engine.engine import open_provider
from routing_engine.mirror.provider import MirrorProvider

from .one_call import Call, Kind

Rows = Sequence[Mapping[str, object]]


def as_yaml(value: object) -> str:
    """Return YAML without the aliases that PyYAML writes for what stands there twice."""
    return yaml.safe_dump(json.loads(json.dumps(value)))


def write(folder: Path, call: Call, port: int) -> Path:
    """Write the configuration of a call, its example in it; give the file of its canned records."""
    for name in ("integrations", "routes", "providers", "lists"):
        (folder / name).mkdir()
    (folder / "engine.yaml").write_text(as_yaml({**call.engine, "listeners": {"fastagi": "127.0.0.1:1"}}))
    (folder / "lists" / "some.txt").write_text("+43 664 1234567\nanonymous\n+431*\n")
    for number, source in enumerate(call.answers):
        rows = call.answers[source]
        kept = _integration(folder, call, number, [] if isinstance(rows, str) else rows, port)
        (folder / "integrations" / f"crm{number}.yaml").write_text(as_yaml(kept))
    for name, route in call.every_route.items():
        examples = {"examples": [call.example()]} if name == "support" else {}
        (folder / "routes" / f"{name}.yaml").write_text(as_yaml({**route, **examples}))
    canned = folder / "canned.json"
    canned.write_text(json.dumps(call.answers))
    return canned


def _integration(folder: Path, call: Call, number: int, rows: Rows, port: int) -> Mapping[str, object]:
    """Return the integration of a source, and write what it reads."""
    kind: Kind = call.kinds.get(f"source {number}", "http")
    address = f"http://127.0.0.1:{port}/{number}"
    model: Mapping[str, Any] = call.crm["models"]["contact"]  # type: ignore[index]
    common = {"breaker": "none", "models": {"contact": model}}
    if kind == "http":
        return {**call.crm, "address": address}
    if kind == "sqlite":
        _write_table(folder / f"rows{number}.db", rows, model)
        found = {**model, "table": "people", "numbers": "phone"}
        database = {"database": f"sqlite:///rows{number}.db", "number_match": "digits"}
        return {**common, "provider": "sql", **database, "models": {"contact": found}}
    if kind == "mirror":
        (folder / "providers" / f"own{number}.yaml").write_text(as_yaml(_description(model)))
        return {"provider": f"own{number}", "server": address, "auth": {"none": {}}, "breaker": "none", "mirror": {}}
    _write_file(folder / f"rows{number}.{kind}", rows)
    return {**common, "provider": "records", "file": f"rows{number}.{kind}"}


def _write_table(path: Path, rows: Rows, model: Mapping[str, Any]) -> None:
    names = list(model["fields"])
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE people ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        database.executemany(
            f"INSERT INTO people VALUES ({marks})", [[row.get(name) for name in names] for row in rows]
        )
    database.close()


def _write_file(path: Path, rows: Rows) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
        return
    columns = ["id", "name", "phone", "key", "tier", "owner", "due", "vip", "unmapped"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _description(model: Mapping[str, Any]) -> Mapping[str, object]:
    return {
        "title": "Own",
        "settings": {"server": {"example": "https://crm.example.com"}},
        "address": "{settings.server}",
        "auth": {"none": {}},
        "models": {"contact": {"fields": model["fields"], "numbers": "phone"}},
        "record_url": "https://crm.example.com/{record.id}",
        "list": [{"get": "/list"}],
    }


async def pull_mirrors(found: Configuration) -> None:
    """Let every mirror pull once: what is asked later is the index on the disk."""
    for one in found.integrations.values():
        provider = open_provider(one, found.settings) if one.mirror is not None else None
        if isinstance(provider, MirrorProvider):
            await provider.pull("contact")
            await provider.close()
