"""Requests of a description: compiled from YAML, built for each look-up without parsing anything.

In a body or a query a member whose value is missing is left out. A list or mapping in a query or form becomes JSON
text; `{base64url: ...}` and `{json: ...}` encode what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

import yaml
from yarl import URL

from routing_engine.errors import ProviderRefused
from routing_engine.marked import Notes, Section, text_of, value_of
from routing_engine.providers.described.filters import FILTERS, as_words
from routing_engine.providers.described.texts import TRUSTED, Scope, Slot, Text, read_text

METHODS = ("get", "post", "put", "patch", "delete")
_CODES = ("base64url", "json")
_NO_PART = frozenset({".", ".."})
#: Rooms that a member's name may come from: `field` is written in a route and a field map, never by a caller.
_NAMING = TRUSTED | {"field"}

#: What may be named in a text, by room.
Known: TypeAlias = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or nothing, as it is written."""

    plain: object


@dataclass(frozen=True, slots=True)
class Coded:
    """What it holds, as JSON text, and then encoded."""

    code: str
    inside: Node


#: A value of a body or a query: a text, a constant, members, or a list.
Node: TypeAlias = "Text | Constant | Coded | tuple[tuple[Text, Node], ...] | list[Node]"


class Built(NamedTuple):
    """A request as it is sent."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Request:
    """A compiled request. `address` begins with `/`, or is whole."""

    method: str
    address: Text
    query: tuple[tuple[Text, Node], ...] = ()
    json: Node | None = None
    form: tuple[tuple[Text, Node], ...] = ()
    headers: tuple[tuple[Text, Node], ...] = ()

    def build(self, scope: Scope, base: str, more: Request | None = None) -> Built:
        """Give the request for these values, below the address `base`; `more` has further headers and parameters."""
        path = _path(self.address, scope)
        address = path if not path.startswith("/") else base.rstrip("/") + path
        pairs = [*_pairs(self.query, scope), *(_pairs(more.query, scope) if more is not None else ())]
        if pairs:
            address += "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        headers = dict(_pairs((*(more.headers if more is not None else ()), *self.headers), scope))
        return Built(self.method, _url(address), *self._body(scope, headers))

    def _body(self, scope: Scope, headers: dict[str, str]) -> tuple[Mapping[str, str], bytes | None]:
        if self.json is not None:
            body = json.dumps(build_node(self.json, scope), separators=(",", ":"), default=as_words)
            return {"Content-Type": "application/json", **headers}, body.encode("utf-8", "replace")
        if self.form:
            pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in _pairs(self.form, scope))
            return {"Content-Type": "application/x-www-form-urlencoded", **headers}, pairs.encode()
        return headers, None


def _url(address: str) -> URL:
    try:
        return URL(address, encoded=True)
    except ValueError:
        raise ProviderRefused("the address that comes out is no address; look at the integration's settings") from None


def _path(text: Text, scope: Scope) -> str:
    """Give an address; what comes from outside is one part of a path, whatever it holds."""
    return "".join(part if isinstance(part, str) else _part(part, scope) for part in text.parts)


def _part(slot: Slot, scope: Scope) -> str:
    value = as_words(slot.value(scope))
    if slot.path[0] in TRUSTED:
        return value
    if value in _NO_PART or not value:
        raise ProviderRefused("a part of the address would be empty, or lead elsewhere")
    return quote(value, safe="")


def _pairs(members: tuple[tuple[Text, Node], ...], scope: Scope) -> Iterator[tuple[str, str]]:
    for key, node in members:
        value, name = build_node(node, scope), key.text(scope)
        if isinstance(node, Text) and isinstance(value, (list, tuple)):
            yield from ((name, as_words(item)) for item in value)
        elif isinstance(value, (dict, list)):
            yield name, json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=as_words)
        elif value is not None:
            yield name, str(value).lower() if isinstance(value, bool) else as_words(value)


def build_node(node: Node, scope: Scope) -> object:
    """Give the value of a node; members without a value are left out."""
    if isinstance(node, Text):
        return node.value(scope)
    if isinstance(node, Constant):
        return node.plain
    if isinstance(node, Coded):
        inside = json.dumps(build_node(node.inside, scope), separators=(",", ":"), default=as_words)
        return inside if node.code == "json" else FILTERS[node.code].apply(inside)
    if isinstance(node, list):
        return [build_node(item, scope) for item in node]
    built = ((key.text(scope), build_node(value, scope), value) for key, value in node)
    return {key: value for key, value, of in built if value is not None or isinstance(of, Constant)}


# -------------------------------------------------------------------------------------------------- from YAML


def take_request(section: Section, known: Known) -> Request | None:
    """Take the request of a section: one of get, post, put, patch, delete, and query, json, form, headers."""
    chosen = [method for method in METHODS if section.take(method) is not None]
    if len(chosen) != 1:
        remedy = "write get: /path, or post: /path with json:"
        section.notes.note(section.line, "exactly one request is needed here", remedy)
        section.part(lambda key: key in ("query", "json", "form", "headers"))  # taken
        return None
    (method,) = chosen
    address = _take_address(section, method, known)
    node = section.take("json")
    body = None if node is None else read_node(node, section.notes, known)
    request = Request(
        method.upper(),
        address,
        take_members(section, "query", known),
        body,
        take_members(section, "form", known),
        take_members(section, "headers", known),
    )
    if body is not None and request.form:
        section.note("form", "a request has one body, json or form", "keep one of them")
    return request


def _take_address(section: Section, method: str, known: Known) -> Text:
    text = section.text(method)
    if "?" in text or "#" in text:
        section.note(method, "an address ends before its query", "write the query as query: {name: value}")
    elif not text.startswith(("/", "https://", "http://", "{auth.", "{settings.")):
        section.note(method, f"this is no address: '{text[:80]}'", "write a path that begins with /")
    return read_marked(section.take(method), section.notes, known, path=True)


def take_members(section: Section, key: str, known: Known) -> tuple[tuple[Text, Node], ...]:
    """Take a mapping of names to values."""
    members = section.section(key)
    if members is None:
        return ()
    found = read_node(members.node, section.notes, known)
    return found if isinstance(found, tuple) else ()


def read_node(node: yaml.Node, notes: Notes, known: Known) -> Node:
    """Compile a tree of YAML."""
    if isinstance(node, yaml.SequenceNode):
        return [read_node(item, notes, known) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        if _lacks_quotes(node):
            notes.note(node, "this is a mapping, and no value", f"write '{{{node.value[0][0].value}}}' in quotes")
        return _read_members(Section(node, notes), notes, known)
    if isinstance(node, yaml.ScalarNode) and not node.style and "{" not in node.value:
        plain = value_of(node, notes, "a value")
        if not isinstance(plain, str):
            return Constant(plain)
    return read_marked(node, notes, known)


def _lacks_quotes(node: yaml.MappingNode) -> bool:
    """Tell whether it is `{number.e164}`: what YAML makes of a value without quotes."""
    if not node.flow_style or len(node.value) != 1:
        return False
    ((key, value),) = node.value
    return isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode) and not (value.value or value.style)


def _read_members(section: Section, notes: Notes, known: Known) -> Node:
    names = section.names()
    if len(names) == 1 and names[0] in _CODES and (inside := section.take(names[0])) is not None:
        return Coded(names[0], read_node(inside, notes, known))
    found: list[tuple[Text, Node]] = []
    for name in names:
        value = section.take(name)
        key = compiled(section.key_node(name), name, notes, known)
        if any(slot.path[0] not in _NAMING for slot in key.slots):
            section.note(name, "a name cannot come from a caller or a record", "write the name itself")
        found.append((key, Constant(None) if value is None else read_node(value, notes, known)))
    return tuple(found)


def read_marked(node: yaml.Node | None, notes: Notes, known: Known, path: bool = False, language: bool = True) -> Text:
    """Compile a text, and note what is wrong with it. A value from outside stands beside other text escaped only.

    `path` encodes it anyway; where `language` is False nobody reads the text as a query.
    """
    raw = None if node is None else text_of(node, notes, "a text")
    if node is None or raw is None:
        return Text(())
    text = compiled(node, raw, notes, known)
    if path or not language or text.alone:
        return text
    for slot in text.slots:
        if not slot.escaped and slot.path[0] not in TRUSTED:
            value = ".".join(slot.path)
            remedy = f"write {{{value} | soql}} or another escape; {{{value} | text}} where the text is no query"
            notes.note(node, f"'{value}' stands raw in a text, where it could change a query's meaning", remedy)
    return text


def compiled(node: yaml.Node, raw: str, notes: Notes, known: Known) -> Text:
    """Compile a text, and note what cannot be compiled."""
    try:
        return read_text(raw, known)
    except LookupError as error:
        notes.note(node, *error.args)
    except ValueError as error:
        notes.note(node, str(error), "look at the reference of descriptions")
    return Text(())
