"""Answers read into records: which shapes are a record, which are "no record", and that everything else is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from routing_engine.core.bounds import check_count
from routing_engine.core.model import Json, Operand, Record, Template, Value
from routing_engine.core.redact import clean_text
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers.not_json import not_json, read_declared_json
from routing_engine.providers.answers.path import Path, PathTooCostly, is_nothing, read_path
from routing_engine.providers.answers.values import read_value
from routing_engine.settings.integration import Model, ModelKeys
from routing_engine.settings.yaml_reader import Section

_WEB = re.compile(r"https?://[^\s\"<>\\^`{|}]+\Z", re.I)
#: What a part of an address's path cannot be: a browser goes up a folder for two dots, also for encoded ones.
_NO_PART = frozenset({"", ".", ".."})
_EXAMPLE_PATH = "JSONPath follows RFC 9535, for example $.customer.name"


@dataclass(frozen=True, slots=True)
class RecordShape:
    """How the records of one model lie in an answer: our names, each with theirs or with a JSONPath.

    `theirs` are their names alone, `field_name` all that is asked for, with commas.
    """

    integration: str
    fields: tuple[tuple[str, str | Path], ...]
    theirs: frozenset[str]
    field_name: str
    record_url: Template | None

    @property
    def is_costly(self) -> bool:
        """Whether a path has to look for something in the answer, which takes a hundred times as long."""
        return any(not isinstance(theirs, str) and not theirs.walks for _, theirs in self.fields)

    def their_name(self, ours: str) -> str:
        """Return their name of a field to search in; ours where the map has none, or a path."""
        return next((theirs for name, theirs in self.fields if name == ours and isinstance(theirs, str)), ours)

    def misread(self, what: str) -> ProviderMisread:
        """Return the error for an answer of another shape, in the name of the integration."""
        return ProviderMisread(f"{self.integration}: {what}")


def shape_of(integration: str, model: Model) -> RecordShape:
    """Compile a model's field map. Raises `ValueError` for a path that `check_paths` would have noted."""
    fields = tuple((ours, _compiled(theirs)) for ours, theirs in model.fields.items())
    plain = frozenset(theirs for _, theirs in fields if isinstance(theirs, str))
    # What is asked for are the names as PBXware writes them: a JSONPath without its `$.`.
    wanted = dict.fromkeys(re.sub(r"\A\$\.?", "", theirs) for theirs in model.fields.values())
    return RecordShape(integration, fields, plain, ",".join(wanted), model.record_url)


def _compiled(theirs: str) -> str | Path:
    """Compile what begins with `$`; everything else is the name of a member as it is, dots and all."""
    return read_path(theirs) if theirs.startswith("$") else theirs


def check_paths(section: Section, models: Mapping[str, ModelKeys]) -> None:
    """Note every field of an integration's models whose JSONPath cannot be compiled. `section` is the whole file."""
    written = section.section("models")
    for name, model in models.items():
        own = None if written is None else written.section(name)
        fields = None if own is None else own.section("fields")
        for ours, one in model.fields.items() if fields is not None else ():
            if fields is not None and not _is_path(one.field or ours):
                fields.note(ours, f"the field '{ours}' is not a JSONPath: '{one.field or ours}'", _EXAMPLE_PATH)


def _is_path(theirs: str) -> bool:
    try:
        _compiled(theirs)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------------------------------------- JSON


def size_of(body: bytes, shape: RecordShape) -> int:
    """Return how large an answer is to `aside`: paths that look for something make it sixteen times as large."""
    return len(body) * (16 if shape.is_costly else 1)


def read_answer(body: bytes, shape: RecordShape, content_type: str = "") -> tuple[Record, ...]:
    """Return the records of an answer, in its order; none for every form of "no record". Raises `ProviderMisread`."""
    try:
        found = read_declared_json(body, content_type)
    except ValueError:
        raise not_json(shape.integration, body, content_type) from None
    return read_records(found, shape)


def read_records(answer: Json, shape: RecordShape) -> tuple[Record, ...]:
    """Return the records of a JSON answer: an object, one wrapper key around an object or a list, or a list.

    No record are `null`, `{}`, `[]`, `{"found": false}` and a wrapper around the first three, also when the paths of
    all fields lead through one. Paths look at the whole answer, or at each element of a list.
    """
    try:
        candidates = _candidates(answer, shape)
        check_count(len(candidates), shape.integration)
        found = [_read_record(whole, flat, shape) for whole, flat in candidates]
    except PathTooCostly as error:
        raise shape.misread(str(error)) from None
    except RecursionError:
        raise shape.misread("the answer is nested too deeply for its fields") from None
    return tuple(record for record in found if record is not None)


def _candidates(answer: Json, shape: RecordShape) -> list[tuple[Json, Json]]:
    """Return what may be records: where paths look, and the object that holds the plain fields."""
    if is_nothing(answer):
        return []
    if isinstance(answer, list):
        return [(item, item) for item in answer]
    if isinstance(answer, dict):
        return [(answer, flat) for flat in _unwrap(answer, shape)]
    raise shape.misread("the answer is neither an object nor a list")


def _unwrap(answer: dict[str, Json], shape: RecordShape) -> list[Json]:
    """Return the objects that hold plain fields. A single key is a wrapper unless the field map names it."""
    inner = {key: value for key, value in answer.items() if key != "found" or key in shape.theirs}
    # `{"customer": {...}}` and `{"name": "Anna"}` look alike: only the field map tells a wrapper from a field.
    if len(inner) != 1 or not shape.theirs.isdisjoint(inner):
        return [answer]
    (value,) = inner.values()
    if is_nothing(value):
        return []
    # All fields are paths, and paths look at the whole answer: there is nothing to unwrap for.
    if shape.fields and not shape.theirs:
        return [answer]
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    return [value] if isinstance(value, dict) else [answer]


def _read_record(answer: Json, flat: Json, shape: RecordShape) -> Record | None:
    if not isinstance(flat, dict):
        raise shape.misread("an element of the answer's list is not an object")
    # With `found` in the field map it is a value like any other, unless it is all that there is.
    if flat.get("found") is False and ("found" not in shape.theirs or len(flat) == 1):
        return None
    if not shape.fields:
        fields = {clean_text(name): read_value(value) for name, value in flat.items()}
        if not fields:
            raise shape.misread("an element of the answer's list is empty")
        return record_of(fields, shape.record_url)
    nodes = [(ours, _look(answer, flat, theirs)) for ours, theirs in shape.fields]
    if any(found for _, found in nodes):
        return record_of({ours: value_of(found) for ours, found in nodes}, shape.record_url)
    # Nothing found is "nobody" only where the paths break off at something empty; else the field map is wrong.
    if all(not isinstance(theirs, str) and theirs.leads_to_nothing(answer) for _, theirs in shape.fields):
        return None
    raise shape.misread("the answer has none of the fields of the field map")


def _look(answer: Json, flat: dict[str, Json], theirs: str | Path) -> list[Json]:
    if isinstance(theirs, str):
        return [flat[theirs]] if theirs in flat else []
    return theirs.nodes(answer)


def value_of(nodes: list[Json]) -> Value:
    """Return what lies at a path as a field's value: several nodes are a list, none is None."""
    if not nodes:
        return None
    return read_value(nodes[0] if len(nodes) == 1 else nodes)


# ---------------------------------------------------------------------------------------------- a record


def record_of(fields: Mapping[str, Value], record_url: Template | None, instead_of_id: str = "") -> Record:
    """Return the record with these fields: its id is the field `id`, else what the system itself calls it.

    `record_url` is a template over the fields; None when records have no page.
    """
    identity = id_of(fields) or instead_of_id
    url = page_url(record_url, {**fields, "id": identity}) if record_url is not None else ""
    return Record(fields, id=identity, url=url)


def id_of(fields: Mapping[str, Value]) -> str:
    """Return the id of a record as text; "" when it has none, for a list, and for true and false."""
    found = fields.get("id")
    # `true` and a list are no id: two records would seem to be the same one.
    return "" if isinstance(found, (bool, tuple)) else as_text(found)


def page_url(template: Template | None, fields: Mapping[str, Value]) -> str:
    """Return the address of a record's page, its values percent-encoded; "" when one is missing or it is not http(s).

    A template that is one field alone, `{link}`, holds an address already: it is taken as it is.
    """
    if template is None:
        return ""
    alone = len(template.parts) == 1
    return web_address(
        url_part(as_text(fields.get(part.name)), alone) if isinstance(part, Operand) else part
        for part in template.parts
    )


def web_address(parts: Iterable[str | None]) -> str:
    """Join the parts of an address; "" when one of them is None, or what comes out is not http or https."""
    found = list(parts)
    address = "" if None in found else "".join(filter(None, found))
    # Signs that no one sees, or that turn the direction of writing, would show another address than they lead to.
    return address if _WEB.match(address) and address.isprintable() else ""


def url_part(value: str, as_it_is: bool) -> str | None:
    """Return a value as one part of an address, encoded unless `as_it_is`; None where it would lead elsewhere."""
    if value in _NO_PART:
        return None
    return value if as_it_is else quote(value, safe="", errors="replace")  # half a surrogate pair is not a text
