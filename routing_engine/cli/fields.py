"""`routing-engine integrations fields`: the data models of an integration, beside what the system itself has.

What a description maps by default is never written into an operator's file, which holds only what the operator adds or
changes: a later version brings its new defaults by itself. `--refresh` asks the system which fields it has, and keeps
the answer below `state/`; `--reset` takes the operator's part out again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.config.store import Configuration
from routing_engine.core.ports import Describes, RemoteField
from routing_engine.core.redact import visible
from routing_engine.engine import open_provider
from routing_engine.errors import ProviderError
from routing_engine.settings.integration import FieldInfo, Integration
from routing_engine.settings.paths import state_folder
from routing_engine.settings.yaml_reader import without_key
from routing_engine.storage.files import SHARED_FOLDER, make_folder, replace_file

#: The fields that a system has, by model; the moment it was asked is beside.
Theirs: TypeAlias = Mapping[str, Sequence[RemoteField]]
_PATIENCE_S = 30.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", nargs="?", default="", metavar="MODEL", help="one model only")
    parser.add_argument("--refresh", action="store_true", help="ask the system which fields it has now")
    parser.add_argument("--all", action="store_true", help="also the fields of the system that are not mapped")
    parser.add_argument("--reset", action="store_true", help="remove 'models' from the file: back to the defaults")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")


def run_fields(options: argparse.Namespace, configuration: Configuration, integration: Integration) -> int:
    """Print the data models; 1 when a mapped field is not among those that the system has."""
    if options.model and options.model not in integration.models:
        return misuse(f"'{integration.name}' has no model '{options.model}'; it has {', '.join(integration.models)}")
    if options.reset:
        return _reset(options.config, integration)
    place = state_folder(options.config) / "fields" / f"{integration.name}.json"
    if options.refresh:
        try:
            theirs = asyncio.run(_ask(integration, configuration))
        except (ProviderError, TimeoutError) as error:
            print(f"{integration.name}: {error or 'no answer in time'}", file=sys.stderr)
            return 1
        if any(theirs.values()):
            _keep(place, theirs)
        elif not options.json:
            print(f"'{integration.provider}' cannot tell which fields there are.")
    asked_at, known = _kept(place)
    asked = _asked_for(integration, configuration)
    models = [name for name in integration.models if options.model in ("", name)]
    found = [_model(integration, name, asked.get(name, {}), known.get(name, ())) for name in models]
    if options.json:
        print_json({"integration": integration.name, "asked_at": asked_at or None, "models": found})
    else:
        _print(found, options.all)
        if said := _when(asked_at, options.refresh):
            print(said)
    return 1 if any(one["gone"] for one in found) else 0


# ------------------------------------------------------------------------------------------ asking, and keeping


async def _ask(integration: Integration, configuration: Configuration) -> Theirs:
    provider = open_provider(replace(integration, mirror=None), configuration.settings)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if not isinstance(provider, Describes):
                return {}
            return {model: await provider.fields_of(model) for model in integration.models}
    finally:
        await provider.close()


def _asked_for(integration: Integration, configuration: Configuration) -> Mapping[str, Mapping[str, Sequence[str]]]:
    async def names() -> Mapping[str, Mapping[str, Sequence[str]]]:
        provider = open_provider(replace(integration, mirror=None), configuration.settings)
        try:
            if not isinstance(provider, Describes):
                return {}
            return {model: provider.asks_for(model) for model in integration.models}
        finally:
            await provider.close()

    return asyncio.run(names())


def _keep(place: Path, theirs: Theirs) -> None:
    """Write what the system said, whole or not at all."""
    make_folder(place.parent, SHARED_FOLDER)
    held = {"asked_at": datetime.now(UTC).isoformat(timespec="seconds")}
    models = {model: [asdict(one) for one in fields] for model, fields in theirs.items()}
    replace_file(place, json.dumps({**held, "models": models}, ensure_ascii=False, indent=1).encode(), 0o644)


def _kept(place: Path) -> tuple[str, Theirs]:
    """Return when the system was asked, and what it said; nothing where it was not, or the file is none of ours."""
    try:
        held = json.loads(place.read_text(encoding="utf-8"))
        models = {model: [RemoteField(**one) for one in fields] for model, fields in held["models"].items()}
        return str(held["asked_at"]), models
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "", {}


# --------------------------------------------------------------------------------------------- what is printed


def _model(
    integration: Integration, name: str, asked: Mapping[str, Sequence[str]], theirs: Sequence[RemoteField]
) -> dict[str, Any]:
    model = integration.models[name]
    # Vendors write one field in two cases, in its description and in answers.
    known = {one.name.casefold(): one for one in theirs}
    fields = []
    for ours, field in model.fields.items():
        about, there = model.about.get(ours, FieldInfo()), [known.get(_root(one)) for one in asked.get(ours, ())]
        # A label belongs to one field; one that is joined of several has none of its own.
        label = about.label or (there[0].label if len(there) == 1 and there[0] is not None else "")
        fields.append(
            {"name": ours, "field": field, "label": label, "type": about.type or None, "shown": about.shown}
            # Without a description nothing can be called gone.
            | {"number": ours in model.numbers, "gone": bool(known) and _is_gone(asked.get(ours, ()), known)}
        )
    mapped = {_root(one) for names in asked.values() for one in names}
    # What an operator could map and does not: the reason to look at this list.
    spare = [asdict(one) for one in theirs if one.name.casefold() not in mapped]
    return {
        "model": name,
        "fields": fields,
        "not_mapped": spare,
        "gone": [str(one["name"]) for one in fields if one["gone"]],
    }


def _root(name: str) -> str:
    return name.partition(".")[0].casefold()


def _is_gone(asked: Sequence[str], known: Mapping[str, RemoteField]) -> bool:
    """Return whether the system lacks a field. `Owner.Name`, of a related record, needs `Owner` or `OwnerId`."""
    return any(_root(one) not in known and f"{_root(one)}id" not in known for one in asked)


def _when(asked_at: str, just_now: bool) -> str:
    if asked_at:
        return f"The system was asked on {asked_at}."
    return "" if just_now else "Which fields the system has is not known yet: --refresh asks it."


def _print(models: Sequence[Mapping[str, Any]], everything: bool) -> None:
    for one in models:
        print(paint(one["model"], "bold"))
        width = max((len(field["name"]) for field in one["fields"]), default=0)
        theirs = max((len(field["field"]) for field in one["fields"]), default=0)
        for field in one["fields"]:
            print(f"  {field['name']:<{width}}  {visible(field['field']):<{theirs}}  {_words(field)}".rstrip())
        for field in one["not_mapped"] if everything else ():
            said = ", ".join(filter(None, (visible(field["label"]), visible(field["type"]))))
            print(paint(f"  {'-':<{width}}  {visible(field['name']):<{theirs}}  {said}", "dim"))
        if one["not_mapped"] and not everything:
            print(paint(f"  {len(one['not_mapped'])} more of the system are not mapped; --all lists them", "dim"))


def _words(field: Mapping[str, Any]) -> str:
    words = [visible(field["label"]), field["type"] or "", "a number to match" if field["number"] else ""]
    words += ["" if field["shown"] else "not shown"]
    gone = paint("the system has no such field", "bad") if field["gone"] else ""
    return ", ".join(filter(None, [*words, gone]))


# -------------------------------------------------------------------------------------------------------- reset


def _reset(folder: Path, integration: Integration) -> int:
    """Take `models` out of the integration's file; what it held is kept beside the state."""
    places = (folder / "integrations" / f"{integration.name}.{ending}" for ending in ("yaml", "yml"))
    path = next((one for one in places if one.exists()), None)
    from routing_engine.providers.crm.settings import CrmSettings  # late: the reader of descriptions

    if path is None or not isinstance(integration.settings, CrmSettings):
        return misuse(f"'{integration.name}' has no defaults to go back to: its file says all of its models")
    text = path.read_text(encoding="utf-8")
    rest = without_key(text, "models")
    if rest == text:
        print(f"{path} adds nothing to the defaults.")
        return 0
    # Every reset keeps its own file: two of a day must not take one another's place.
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    kept = state_folder(folder) / "fields" / f"{integration.name}.{stamp}.yaml"
    # A file of secrets stays as private as it was, the copy too.
    mode = stat.S_IMODE(path.stat().st_mode)
    make_folder(kept.parent, SHARED_FOLDER)
    replace_file(kept, text.encode(), mode)
    replace_file(path, rest.encode(), mode)
    print(f"The defaults hold again. What {path} said is kept in {kept}.")
    return 0
