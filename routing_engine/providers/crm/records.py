"""Records out of an answer, by the field map of a model; and where the next page of them begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from routing_engine.core.model import Json, Record, Template, Value
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers.path import WHOLE, Path, read_path
from routing_engine.providers.answers.records import id_of, page_url, url_part, value_of, web_address
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.crm.filters import Unsearchable, as_words
from routing_engine.providers.crm.model import Attempt, Description, Paging
from routing_engine.providers.crm.templates import TRUSTED, Scope, TextSlot, TextTemplate
from routing_engine.providers.net.headers import header_value
from routing_engine.settings.integration import Model


@dataclass(frozen=True, slots=True)
class MappedModel:
    """A model ready to be read: each of our fields with the paths that make it up, and what a request asks for."""

    fields: tuple[tuple[str, tuple[Path, ...]], ...]
    wanted: tuple[str, ...]
    within: Path
    nothing: tuple[Json, ...]
    url: TextTemplate | Template | None
    search_names: Mapping[str, str] = field(default_factory=dict)
    html: bool = False
    #: By our names, of fields that join members of each item of a list: the list, and the members within an item.
    lists: Mapping[str, tuple[Path, tuple[Path, ...]]] = field(default_factory=dict)

    def theirs(self, ours: str) -> str:
        """Return their name of a field to search in; ours where the map has none."""
        if ours in self.search_names:
            return self.search_names[ours]
        paths = dict(self.fields).get(ours)
        return self.asked(paths[0]) or ours if paths else ours

    def asked(self, path: Path) -> str:
        """Return what a request must ask for, so that a path leads somewhere; "" for what comes with every record."""
        return _asked(path, self.within)


def map_model(description: Description, model: Model, own_url: Template | None) -> MappedModel:
    """Compile a model's field map. The operator's own address of a record's page goes before the description's."""
    fields = tuple((ours, tuple(map(read_path, theirs.split(" + ")))) for ours, theirs in model.fields.items())
    wanted = (_asked(path, description.within) for _, paths in fields for path in paths)
    url = url_of(description, model.name, own_url)
    lists = {ours: found for ours, paths in fields if (found := _list_of(paths)) is not None}
    return MappedModel(
        fields,
        tuple(dict.fromkeys(filter(None, wanted))),
        description.within,
        description.nothing,
        url,
        model.search_names,
        description.encoded == "html",
        lists,
    )


def url_of(description: Description, model: str, own_url: Template | None) -> TextTemplate | Template | None:
    """Return what makes the address of a record's page: the operator's template, else the description's."""
    known = description.models.get(model)
    return own_url if own_url is not None else (known.record_url if known is not None else None)


def _list_of(paths: tuple[Path, ...]) -> tuple[Path, tuple[Path, ...]] | None:
    """Return the list that several paths lead through together, and where each goes on in an item of it."""
    texts = [path.text.replace("[*]", "") if path.json is not None else path.text for path in paths]
    names = [text.split(".")[:-1] for text in texts]
    # As far as all of them go the same way.
    shared = [first for first, *others in zip(*names, strict=False) if {first} == {first, *others}]
    shared = shared if all(one[: len(shared)] == shared for one in names) else []
    if len(paths) < 2 or not shared or shared == ["$"] or any("[" in text for text in texts):
        return None
    inner = tuple(read_path(".".join(text.split(".")[len(shared) :])) for text in texts)
    return read_path(".".join(shared)), inner


def _asked(path: Path, within: Path) -> str:
    """Return what a request must ask for, so that the path leads somewhere; "" for what comes with every record."""
    if within is WHOLE or path.json is None:
        return path.root
    inside = f"$.{within.text}."
    return path.text.removeprefix(inside).partition("[")[0] if path.text.startswith(inside) else ""


def nodes_of(attempt: Attempt, tree: Json, name: str) -> list[dict[str, Json]]:
    """Return the objects that are records, where the attempt says they lie. Raises `ProviderMisread`."""
    if attempt.records.ends_empty(tree) or (tree is None and attempt.keyed):
        return []
    if tree is None or not attempt.records.has_ground(tree):
        raise ProviderMisread(f"{name}: the answer has no '{attempt.records.text}'")
    # Empty places of a list, and `false` where a record would be, are how some systems write "nobody".
    found = [node for node in _nodes_at(attempt, tree) if node is not None and node is not False and node != {}]
    records = [node for node in found if isinstance(node, dict)]
    if len(records) < len(found):
        raise ProviderMisread(f"{name}: what should be records are not objects")
    return records


def _nodes_at(attempt: Attempt, tree: Json) -> list[Json]:
    found = attempt.records.nodes(tree)
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    elif attempt.keyed:
        found = [{attempt.keyed: key, **node} for key, node in _members(found) if isinstance(node, dict)]
    if not attempt.each:
        return found
    # A search whose records are asked for one by one may tell ids alone.
    return [{"id": node} if isinstance(node, (str, int)) and node is not False else node for node in found]


def _members(found: list[Json]) -> list[tuple[str, Json]]:
    # PHP writes an empty object as a list: then there are no members.
    return [member for node in found if isinstance(node, dict) for member in node.items()]


def read_record(node: dict[str, Json], mapped: MappedModel, scope: Scope) -> Record:
    """Return the record that an object is."""
    inside = mapped.within.first(node) if mapped.within is not WHOLE else node
    fields = {
        ours: _items(node, inside, ours, mapped) or _value(node, inside, paths, mapped) for ours, paths in mapped.fields
    }
    return Record(fields, id=id_of(fields), url=record_page(mapped.url, fields, scope))


def _items(node: Json, inside: Json, ours: str, mapped: MappedModel) -> Value:
    """Return members of a list's items, joined item by item: a code belongs to the number beside it."""
    if ours not in mapped.lists:
        return None
    above, paths = mapped.lists[ours]
    found = above.nodes(node) if above.json is not None else (above.nodes(inside) or above.nodes(node))
    items = [item for one in found if isinstance(one, list) for item in one]
    return read_value([text for item in items if (text := _value(item, item, paths, mapped)) is not None]) or None


def _value(node: Json, inside: Json, paths: tuple[Path, ...], mapped: MappedModel) -> Value:
    found = [_one(node, inside, path, mapped) for path in paths]
    # One path keeps its type; several are joined as people write a name.
    if len(found) == 1:
        return found[0]
    return " ".join(filter(None, map(as_text, found))) or None


def _one(node: Json, inside: Json, path: Path, mapped: MappedModel) -> Value:
    """Return one value: a plain path leads into the record's fields, or beside them; a JSONPath starts at the top."""
    nodes = path.nodes(node) if path.json is not None else (path.nodes(inside) or path.nodes(node))
    held = [one for one in nodes if not _is_nothing(one, mapped.nothing)]
    held = [_without_html(one) for one in held] if mapped.html else held
    return value_of(held) if len(nodes) == 1 or not held else read_value(held)


def _without_html(value: Json) -> Json:
    """Return a value whose texts were written for a page as they are: `O&#039;Hara` is O'Hara."""
    if isinstance(value, list):
        return [_without_html(one) for one in value]
    return unescape(value) if isinstance(value, str) else value


def _is_nothing(value: Json, nothing: tuple[Json, ...]) -> bool:
    """Return whether a value stands for none. False is not 0 here."""
    return any(value == one and type(value) is type(one) for one in nothing)


def record_page(url: TextTemplate | Template | None, fields: Mapping[str, Value], scope: Scope) -> str:
    """Return the address of a record's page; "" when it has none, or a value that it needs is missing."""
    if url is None or isinstance(url, Template):
        return page_url(url, fields)
    return page_address(url, {**scope, "record": fields})


def page_address(url: TextTemplate, scope: Scope) -> str:
    """Return the address of a page; "" where something for it is missing."""
    try:
        return web_address(part if isinstance(part, str) else _url_part(part, scope, url.alone) for part in url.parts)
    except Unsearchable:
        return ""


def _url_part(slot: TextSlot, scope: Scope, alone: bool) -> str | None:
    return url_part(as_words(slot.value(scope)), alone or slot.path[0] in TRUSTED)


def same_value(record: Value, searched: str) -> bool:
    """Return whether a field holds what was searched: the same text, whatever its case and the spaces around it."""
    held = record if isinstance(record, tuple) else (record,)
    return any(as_text(one).strip().casefold() == searched.strip().casefold() for one in held)


class ReadAnswer(NamedTuple):
    """An answer that was understood: its JSON, its headers, and how many bytes it had."""

    tree: Json
    headers: Mapping[str, str]
    size: int = 0


def where_from(paging: Paging | None, cursor: str) -> Mapping[str, Json]:
    """Return the values that a request names: `cursor`, `page` (from 1) and `offset` (from 0)."""
    if paging is None or paging.kind == "link":
        return {}
    if paging.kind == "cursor":
        return {"cursor": cursor or None}
    return {paging.kind: int(cursor or paging.start)}


def following(paging: Paging | None, heard: ReadAnswer, count: int, cursor: str, limit: int) -> str:
    """Return the cursor behind a page of `count` records, of `limit` at most; "" when it was the last.

    It is one text whatever the kind: what a mirror can keep, and ask for again hours later.
    """
    if paging is None:
        return ""
    tree = heard.tree
    if paging.kind in ("cursor", "link"):
        found = header_value(heard.headers, paging.header) if paging.header else paging.path.first(tree)
        text = as_text(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
        return "" if text == cursor or (paging.more is not None and not paging.more.first(tree)) else text
    whole = min(paging.size, limit) if paging.limited else paging.size
    more = bool(paging.more.first(tree)) if paging.more is not None else count >= whole
    # A page without a record is the last one, whatever it says: asking on would never end.
    if not more or not count:
        return ""
    return str(int(cursor or paging.start) + (1 if paging.kind == "page" else count))
