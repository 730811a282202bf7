"""`routing-engine schema`: JSON Schemas of the configuration's files, by which an editor completes and checks them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from routing_engine.cli.common import misuse
from routing_engine.config.folder import ENGINE, GROUPS, INTEGRATIONS, PBXS, PROVIDERS, ROUTES, USERS, WEBHOOKS
from routing_engine.config.schema import (
    common_keys_schema,
    engine_schema,
    file_schema,
    groups_schema,
    integration_schema,
    pbx_schema,
    route_schema,
    users_schema,
    webhook_schema,
)
from routing_engine.providers.crm.read_description import DescriptionKeys
from routing_engine.providers.registry import known_providers
from routing_engine.providers.registry import schema_of as schema_of_provider
from routing_engine.providers.shipped import shipped
from routing_engine.settings.spec import schema_of
from routing_engine.settings.value_types import Schema, SchemaOf

#: The folder of the schemas, below the configuration's.
FOLDER = "schema"
_MODELINE = "# yaml-language-server: $schema="
_FOLDERS = {ROUTES: "route", INTEGRATIONS: "integration", PROVIDERS: "provider", PBXS: "pbx", WEBHOOKS: "webhook"}
_FILES = {**dict.fromkeys(ENGINE, "engine"), **dict.fromkeys(USERS, "users"), **dict.fromkeys(GROUPS, "groups")}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    kinds = sorted(schemas(Path()))
    parser.add_argument("kind", nargs="?", choices=kinds, help="print this one instead of writing all")
    parser.set_defaults(run=run, tells_refusal=False, configures=True)


def run(options: argparse.Namespace) -> int:
    """Write the schemas beside the configuration, or print one."""
    folder: Path = options.config
    if options.kind is not None:
        print(_as_json(schemas(folder)[options.kind](), 1), end="")
        return 0
    if not folder.is_dir():
        return misuse(f"there is no folder {folder}; create it with 'routing-engine init', or name one with --config")
    for file in write_schemas(folder):
        print(file)
    print(f"each file finds its own by its first line, such as: {modeline(Path('routes/NAME.yaml'))}")
    return 0


def schemas(folder: Path) -> Mapping[str, Callable[[], Schema]]:
    """Return what makes the schema of each kind of file of a configuration folder."""
    return {
        "engine": engine_schema,
        "integration": lambda: integration_schema(_providers(folder)),
        "provider": lambda: file_schema("a description of Routing Engine", partial(schema_of, DescriptionKeys)),
        "route": route_schema,
        "pbx": pbx_schema,
        "users": users_schema,
        "groups": groups_schema,
        "webhook": webhook_schema,
    }


def _providers(folder: Path) -> Mapping[str, SchemaOf]:
    kinds = known_providers()
    own = [file.stem for file in (folder / PROVIDERS).glob("*.y*ml")]
    return {name: schema_of_provider(name, kinds, folder) or common_keys_schema for name in (*shipped(), *own, *kinds)}


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema below a configuration's folder; return the files."""
    (folder / FOLDER).mkdir(exist_ok=True)
    written = []
    for kind, make in schemas(folder).items():
        file = folder / FOLDER / f"{kind}.json"
        file.write_text(_as_json(make()), encoding="utf-8")
        written.append(file)
    return written


def _as_json(schema: Schema, indent: int | None = None) -> str:
    # Without an indent, which takes ten times as long: the files are for editors.
    return json.dumps(schema, indent=indent, ensure_ascii=False) + "\n"


def modeline(file: Path) -> str:
    """Return the line by which editors find the schema of a file; `file` is relative to the configuration's folder."""
    if file.name in _FILES and len(file.parts) == 1:
        return f"{_MODELINE}{FOLDER}/{_FILES[file.name]}.json"
    return f"{_MODELINE}../{FOLDER}/{_FOLDERS[file.parts[0]]}.json"


def add_modelines(folder: Path) -> None:
    """Put its modeline above every YAML file of a new configuration."""
    files = [
        *(folder / name for name in _FILES if (folder / name).is_file()),
        *(file for room in _FOLDERS for file in (folder / room).glob("*.y*ml")),
    ]
    for file in files:
        text = file.read_text(encoding="utf-8")
        file.write_text(f"{modeline(file.relative_to(folder))}\n{text}", encoding="utf-8")
