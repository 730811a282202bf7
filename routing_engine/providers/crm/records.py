"""Records out of an answer, by the field map of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from routing_engine.core.model import Record, Template, Value
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers import page_url
from routing_engine.providers.crm.filters import Unsearchable, as_words
from routing_engine.providers.crm.model import Attempt, Description
from routing_engine.providers.crm.paths import WHOLE, Path, read_path
from routing_engine.providers.crm.templates import TRUSTED, Scope, TextSlot, TextTemplate
from routing_engine.providers.values import read_value
from routing_engine.settings.integration import Model

_WEB = re.compile(r"https?://[^\s\"<>\\^`{|}]+\Z", re.I)


@dataclass(frozen=True, slots=True)
class MappedModel:
    """A model ready to be read: each of our fields with the paths that make it up, and what a request asks for."""

    fields: tuple[tuple[str, tuple[Path, ...]], ...]
    wanted: tuple[str, ...]
    within: Path
    nothing: tuple[object, ...]
    url: TextTemplate | Template | None

    def theirs(self, ours: str) -> str:
        """Return their name of a field to search in; ours where the map has none."""
        paths = dict(self.fields).get(ours)
        return self.asked(paths[0]) or ours if paths else ours

    def asked(self, path: Path) -> str:
        """Return what a request must ask for, so that a path leads somewhere; "" for what comes with every record."""
        return _asked(path, self.within)


def map_model(description: Description, model: Model, own_url: Template | None) -> MappedModel:
    """Compile a model's field map. The operator's own address of a record's page goes before the description's."""
    fields = tuple((ours, tuple(map(read_path, theirs.split(" + ")))) for ours, theirs in model.fields.items())
    wanted = (_asked(path, description.within) for _, paths in fields for path in paths)
    known = description.models.get(model.name)
    url = own_url if own_url is not None else (known.record_url if known is not None else None)
    return MappedModel(fields, tuple(dict.fromkeys(filter(None, wanted))), description.within, description.nothing, url)


def _asked(path: Path, within: Path) -> str:
    """Return what a request must ask for, so that the path leads somewhere; "" for what comes with every record."""
    if within is WHOLE or path.json is None:
        return path.root
    inside = f"$.{within.text}."
    return path.text.removeprefix(inside).partition("[")[0] if path.text.startswith(inside) else ""


def nodes_of(attempt: Attempt, tree: object, name: str) -> list[dict[str, object]]:
    """Return the objects that are records, where the attempt says they lie."""
    if attempt.records.ends_empty(tree) or (tree is None and attempt.keyed):
        return []
    if tree is None or not attempt.records.has_ground(tree):
        raise ProviderMisread(f"{name}: the answer has no '{attempt.records.text}'")
    found = attempt.records.nodes(tree)
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    elif attempt.keyed:
        found = [{attempt.keyed: key, **node} for key, node in _members(found) if isinstance(node, dict)]
    if attempt.each:  # a search may tell ids alone
        found = [{"id": node} if isinstance(node, (str, int)) and node is not False else node for node in found]
    found = [node for node in found if node is not None and node is not False and node != {}]
    if not all(isinstance(node, dict) for node in found):
        raise ProviderMisread(f"{name}: what should be records are no objects")
    return found  # type: ignore[return-value]


def _members(found: list[object]) -> list[tuple[str, object]]:
    return [member for node in found if isinstance(node, dict) for member in node.items()]


def read_record(node: dict[str, object], mapped: MappedModel, scope: Scope) -> Record:
    """Return the record that an object is."""
    inside = mapped.within.first(node) if mapped.within is not WHOLE else node
    fields = {ours: _value(node, inside, paths, mapped) for ours, paths in mapped.fields}
    identity = as_text(fields.get("id")) if not isinstance(fields.get("id"), (bool, tuple)) else ""
    return Record(fields, id=identity, url=_url(mapped.url, fields, scope))


def _value(node: object, inside: object, paths: tuple[Path, ...], mapped: MappedModel) -> Value:
    found = [_one(node, inside, path, mapped) for path in paths]
    if len(found) == 1:
        return found[0]
    return " ".join(filter(None, map(as_text, found))) or None


def _one(node: object, inside: object, path: Path, mapped: MappedModel) -> Value:
    """Return one value: a plain path leads into the record's fields, or beside them; a JSONPath starts at the top."""
    nodes = path.nodes(node) if path.json is not None else (path.nodes(inside) or path.nodes(node))
    held = [one for one in nodes if not _is_nothing(one, mapped.nothing)]
    if not held:
        return None
    return read_value(held[0] if len(nodes) == 1 else held)


def _is_nothing(value: object, nothing: tuple[object, ...]) -> bool:
    """Return whether a value stands for none. False is not 0 here."""
    return any(value == one and type(value) is type(one) for one in nothing)


def _url(url: TextTemplate | Template | None, fields: Mapping[str, Value], scope: Scope) -> str:
    if url is None or isinstance(url, Template):
        return page_url(url, fields)
    here = {**scope, "record": fields}
    try:
        parts = [part if isinstance(part, str) else _part(part, here, url.alone) for part in url.parts]
    except Unsearchable:
        return ""
    address = "" if None in parts else "".join(filter(None, parts))
    return address if _WEB.match(address) else ""


def _part(slot: TextSlot, scope: Scope, alone: bool) -> str | None:
    """Return a part of an address; None when it is missing, or would lead elsewhere."""
    text = as_words(slot.value(scope))
    if text in ("", ".", ".."):
        return None
    return text if alone or slot.path[0] in TRUSTED else quote(text, safe="", errors="replace")


def same_value(record: Value, searched: str) -> bool:
    """Return whether a field holds what was searched: the same text, whatever its case and the spaces around it."""
    held = record if isinstance(record, tuple) else (record,)
    return any(as_text(one).strip().casefold() == searched.strip().casefold() for one in held)
