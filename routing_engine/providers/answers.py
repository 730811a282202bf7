"""Answers read into records: which shapes are a record, which are "no record", and that everything else is an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

import jsonpath
from jsonpath import JSONPath

from routing_engine.core.model import Operand, Record, Template, Value
from routing_engine.core.templates import as_text, render
from routing_engine.errors import ProviderMisread
from routing_engine.providers.values import clean_text, read_value
from routing_engine.settings.integration import Model, read_field
from routing_engine.settings.yaml_reader import Section, section_of

_WEB = re.compile(r"https?://[^\s\"<>\\^`{|}]+\Z", re.I)
_MEMBERS = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)+\Z", re.ASCII)
#: What a part of an address's path cannot be: a browser goes up a folder for two dots, also for encoded ones.
_NO_PART = frozenset({"", ".", ".."})
_EXAMPLE_PATH = "JSONPath follows RFC 9535, for example $.customer.name"


@dataclass(frozen=True, slots=True)
class AnswerPath:
    """A compiled JSONPath, and the ones to every node above the one it points at.

    `names` are its members where it is made of nothing else (`$.customer.name`): most are, and walking them takes a
    tenth of the time.
    """

    path: JSONPath
    above: tuple[JSONPath, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordShape:
    """How the records of one model lie in an answer: our names, each with theirs or with a path."""

    integration: str
    fields: tuple[tuple[str, str | AnswerPath], ...]
    theirs: frozenset[str]
    field_name: str
    record_url: Template | None

    def their_name(self, ours: str) -> str:
        """Return their name of a field to search in; ours where the map has none, or a path."""
        theirs = dict(self.fields).get(ours)
        return theirs if isinstance(theirs, str) else ours

    def misread(self, what: str) -> ProviderMisread:
        """Return the error for an answer of another shape, in the name of the integration."""
        return ProviderMisread(f"{self.integration}: {what}")


def shape_of(integration: str, model: Model) -> RecordShape:
    """Compile a model's field map. Raises `jsonpath.JSONPathError` for a path that `check_paths` would have noted."""
    fields = tuple((ours, _compile(theirs)) for ours, theirs in model.fields.items())
    plain = frozenset(theirs for _, theirs in fields if isinstance(theirs, str))
    wanted = dict.fromkeys(re.sub(r"\A\$\.?", "", theirs) for theirs in model.fields.values())
    return RecordShape(integration, fields, plain, ",".join(wanted), model.record_url)


def _compile(theirs: str) -> str | AnswerPath:
    if not theirs.startswith("$"):
        return theirs
    path = jsonpath.compile(theirs, strict=True)
    if not isinstance(path, JSONPath):
        raise jsonpath.JSONPathError("a field takes one path")
    above = (JSONPath(env=path.env, segments=path.segments[:end]) for end in range(1, len(path.segments)))
    return AnswerPath(path, tuple(above), tuple(theirs.split(".")[1:]) if _MEMBERS.match(theirs) else ())


def check_paths(section: Section) -> None:
    """Note every field of an integration's models whose JSONPath cannot be compiled."""
    models = section.section("models")
    for name in models.names() if models is not None else ():
        node = models.take(name) if models is not None else None
        model = None if node is None else section_of(node, section.notes, f"the model '{name}'")
        fields = None if model is None else model.section("fields")
        for ours in fields.names() if fields is not None else ():
            _check_path(fields, ours)


def _check_path(fields: Section | None, ours: str) -> None:
    if fields is None:
        return
    theirs, _ = read_field(fields, ours, {})
    try:
        _compile(theirs)
    except (jsonpath.JSONPathError, RecursionError):
        fields.note(ours, f"the field '{ours}' is no JSONPath: '{theirs}'", _EXAMPLE_PATH)


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no Infinity")


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _refuse_constant(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def read_json(body: bytes) -> object:
    """Read strict JSON in UTF-8 (a byte order mark is passed over). Raises `ValueError` for anything else."""
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_answer(body: bytes, shape: RecordShape) -> tuple[Record, ...]:
    """Return the records of an answer, in its order; none for every form of "no record". Raises `ProviderMisread`."""
    try:
        return read_records(read_json(body), shape)
    except ValueError:
        raise shape.misread("the answer is not JSON") from None


def read_records(answer: object, shape: RecordShape) -> tuple[Record, ...]:
    """Return the records of a JSON answer: an object, one wrapper key around an object or a list, or a list.

    No record are `null`, `{}`, `[]`, `{"found": false}` and a wrapper around the first three, also when the paths of
    all fields lead through one. Paths look at the whole answer, or at each element of a list.
    """
    try:
        found = [_read_record(whole, flat, shape) for whole, flat in _candidates(answer, shape)]
    except (RecursionError, jsonpath.JSONPathError):
        raise shape.misread("the answer is nested too deeply for its fields") from None
    return tuple(record for record in found if record is not None)


def _candidates(answer: object, shape: RecordShape) -> list[tuple[object, object]]:
    """Return what may be records: where paths look, and the object that holds the plain fields."""
    if _is_nothing(answer):
        return []
    if isinstance(answer, list):
        return [(item, item) for item in answer]
    if isinstance(answer, dict):
        return [(answer, flat) for flat in _unwrap(answer, shape)]
    raise shape.misread("the answer is neither an object nor a list")


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, (dict, list)) and not value)


def _unwrap(answer: dict[str, object], shape: RecordShape) -> list[object]:
    """Return the objects that hold plain fields. A single key is a wrapper unless the field map names it."""
    inner = {key: value for key, value in answer.items() if key != "found" or key in shape.theirs}
    if len(inner) != 1 or not shape.theirs.isdisjoint(inner):
        return [answer]
    (value,) = inner.values()
    if _is_nothing(value):
        return []
    if shape.fields and not shape.theirs:
        return [answer]
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    return [value] if isinstance(value, dict) else [answer]


def _read_record(answer: object, flat: object, shape: RecordShape) -> Record | None:
    if not isinstance(flat, dict):
        raise shape.misread("an element of the answer's list is no object")
    if flat.get("found") is False and ("found" not in shape.theirs or len(flat) == 1):
        return None
    if not shape.fields:
        fields = {clean_text(name): read_value(value) for name, value in flat.items()}
        if not fields:
            raise shape.misread("an element of the answer's list is empty")
        return finish(fields, shape.record_url)
    nodes = [(ours, _look(answer, flat, theirs)) for ours, theirs in shape.fields]
    if any(found for _, found in nodes):
        return finish({ours: _value_of(found) for ours, found in nodes}, shape.record_url)
    if all(_leads_to_nothing(answer, theirs) for _, theirs in shape.fields):
        return None
    raise shape.misread("the answer has none of the fields of the field map")


def _look(answer: object, flat: dict[str, object], theirs: str | AnswerPath) -> list[object]:
    if isinstance(theirs, str):
        return [flat[theirs]] if theirs in flat else []
    if theirs.names:
        return _walk(answer, theirs.names)
    return theirs.path.findall(answer)  # type: ignore[arg-type]


def _walk(node: object, names: tuple[str, ...]) -> list[object]:
    for name in names:
        if not isinstance(node, dict) or name not in node:
            return []
        node = node[name]
    return [node]


def _value_of(nodes: list[object]) -> Value:
    if not nodes:
        return None
    return read_value(nodes[0] if len(nodes) == 1 else nodes)


def _leads_to_nothing(answer: object, theirs: str | AnswerPath) -> bool:
    """Return whether a path ends early at null, {} or []: `$.items[0].name` where `items` is empty."""
    if isinstance(theirs, str):
        return False
    found = (path.findall(answer) for path in theirs.above)  # type: ignore[arg-type]
    return any(nodes and all(map(_is_nothing, nodes)) for nodes in found)


def finish(fields: Mapping[str, Value], record_url: Template | None) -> Record:
    """Return the record of these fields, with the id that one of them is and the address of its page."""
    identity = fields.get("id")
    known = not isinstance(identity, (bool, tuple))
    return Record(fields, id=as_text(identity) if known else "", url=page_url(record_url, fields))


def page_url(template: Template | None, fields: Mapping[str, Value]) -> str:
    """Return the address of a record's page, its values percent-encoded; "" when one is missing or it is no http(s).

    A template that is one field alone, `{link}`, holds an address already: it is taken as it is.
    """
    if template is None or any(as_text(fields.get(left.name)) in _NO_PART for left in template.operands):
        return ""
    whole = len(template.parts) == 1 and isinstance(template.parts[0], Operand)
    url = render(template, lambda left: _encoded(fields.get(left.name), whole))
    return url if _WEB.match(url) else ""


def _encoded(value: Value, whole: bool) -> str:
    return as_text(value) if whole else quote(as_text(value), safe="")
