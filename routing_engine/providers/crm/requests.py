"""Requests of a description: compiled by `reading.py`, built for each look-up without parsing anything.

In a body or a query a member whose value is missing is left out. A list or mapping in a query or form becomes JSON
text; `{base64url: ...}` and `{json: ...}` encode what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

from yarl import URL

from routing_engine.core.model import Json
from routing_engine.errors import ProviderRefused
from routing_engine.providers.answers.path import Path
from routing_engine.providers.crm.filters import FILTERS, Unsearchable, as_words
from routing_engine.providers.crm.templates import TRUSTED, Scope, TextSlot, TextTemplate

#: The bytes of a recording, as a text names them.
SOUND = ("call", "recording")
METHODS = ("get", "post", "put", "patch", "delete")
_NO_PART = frozenset({".", ".."})
#: Rooms that a member's name may come from: `field` is written in a route and a field map, never by a caller.
NAMING = TRUSTED | {"field"}

#: What may be named in a text, by room.
Known: TypeAlias = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or nothing, as it is written."""

    plain: Json


@dataclass(frozen=True, slots=True)
class EncodedJson:
    """What it holds, as JSON text, and then encoded."""

    code: str
    inside: Node


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list that is a repeated parameter in a query or a form, and a list without what is missing elsewhere."""

    items: list[Node]


#: A value of a body or a query: a text, a constant, members, or a list.
Node: TypeAlias = (
    "TextTemplate | Constant | Repeated | EncodedJson | tuple[tuple[TextTemplate, Node], ...] | list[Node]"
)


#: A condition on an answer or on a scope: paths, each with the texts that it may hold; None is anything but nothing,
#: no text at all is nothing.
Where: TypeAlias = tuple[tuple[Path, frozenset[str] | None], ...]


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """What an answer means: the first rule whose status and members fit says it."""

    statuses: frozenset[int]
    where: Where
    then: str
    wait_s: float | None = None
    wait_header: str = ""
    wait_path: Path | None = None


class BuiltRequest(NamedTuple):
    """A request as it is sent."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A compiled request. `address` begins with `/`, or is whole. `rules` say what its answers mean, before others."""

    method: str
    address: TextTemplate
    query: tuple[tuple[TextTemplate, Node], ...] = ()
    json: Node | None = None
    form: tuple[tuple[TextTemplate, Node], ...] = ()
    headers: tuple[tuple[TextTemplate, Node], ...] = ()
    rules: tuple[OutcomeRule, ...] = ()
    multipart: tuple[tuple[TextTemplate, Node], ...] = ()
    body: TextTemplate | None = None

    def build(self, scope: Scope, base: str, more: RequestTemplate | None = None) -> BuiltRequest:
        """Return the request for these values, below the address `base`; `more` has further headers and parameters."""
        path = _path(self.address, scope)
        # A whole address stands for itself: next links and a log-in elsewhere.
        address = path if not path.startswith("/") else base.rstrip("/") + path
        pairs = [*_pairs(self.query, scope), *(_pairs(more.query, scope) if more is not None else ())]
        if pairs:
            address += "?" + _encoded(pairs)
        headers = dict(_pairs((*(more.headers if more is not None else ()), *self.headers), scope))
        # A line break would begin a header of the caller's own.
        if not all(value.isprintable() for value in headers.values()):
            raise ProviderRefused("a header would hold signs that no header can hold")
        return BuiltRequest(self.method, _url(address), *self._body(scope, headers))

    def mark(self, scope: Scope) -> str:
        """Return what is the same for two requests that ask the same of one system."""
        members = (
            *_pairs(self.query, scope),
            "form",
            *_pairs(self.form, scope),
            "headers",
            *_pairs(self.headers, scope),
        )
        body = None if self.json is None else build_node(self.json, scope)
        return repr((self.method, _path(self.address, scope), members, body))

    def _body(self, scope: Scope, headers: dict[str, str]) -> tuple[Mapping[str, str], bytes | None]:
        if self.json is not None:
            built = build_node(self.json, scope)
            whole = {} if built is None and isinstance(self.json, tuple) else built
            body = json.dumps(whole, separators=(",", ":"), default=as_words)
            return {"Content-Type": "application/json", **headers}, body.encode("utf-8", "replace")
        if form := [*_pairs(self.form, scope)]:
            return {"Content-Type": "application/x-www-form-urlencoded", **headers}, _encoded(form).encode()
        if self.multipart:
            # Of chance: a file that holds the boundary would end there.
            boundary = token_hex(16)
            kind = f"multipart/form-data; boundary={boundary}"
            return {"Content-Type": kind, **headers}, _parts(self.multipart, scope, boundary)
        if self.body is not None:
            return headers, as_words(self.body.value(scope)).encode("utf-8", "replace")
        return headers, None


def _url(address: str) -> URL:
    try:
        return URL(address, encoded=True)
    except ValueError:
        raise ProviderRefused(
            "the address that comes out is not an address; look at the integration's settings"
        ) from None


def names_captured(address: TextTemplate, given: Container[str]) -> bool:
    """Return whether the part of an address that names its server holds what a log-in captured.

    `given` are the names of what the operator gave to prove who we are: that may stand anywhere.
    """
    before = ""
    for part in address.parts:
        if isinstance(part, str):
            before += part
        # Behind the first slash of the path nothing leads to another server any more.
        elif before.startswith("/") or "/" in before.partition("://")[2]:
            return False
        elif part.path[0] in ("auth", "step") and part.path[-1] not in given:
            return True
        else:
            before += "x" if before else "https://x"
    return False


def _path(text: TextTemplate, scope: Scope) -> str:
    """Return an address; what comes from outside is one part of a path, whatever it holds."""
    return "".join(part if isinstance(part, str) else _part(part, scope) for part in text.parts)


def _part(slot: TextSlot, scope: Scope) -> str:
    value = as_words(slot.value(scope))
    # The description's own words may hold slashes; a caller's text is one part of the path, whatever it holds.
    if slot.path[0] in TRUSTED:
        return value
    # `..` would lead to another resource of the same server, with our credentials.
    if value in _NO_PART or not value:
        raise Unsearchable("a part of the address would be empty, or lead elsewhere")
    return _quoted(value)


def _encoded(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")  # half a surrogate pair out of JSON is not a text


def _pairs(members: tuple[tuple[TextTemplate, Node], ...], scope: Scope) -> Iterator[tuple[str, str]]:
    for key, node in members:
        value, name = build_node(node, scope), key.text(scope)
        if isinstance(node, (TextTemplate, Repeated)) and isinstance(value, (list, tuple)):
            yield from ((name, as_words(item)) for item in value)
        elif isinstance(value, (dict, list)):
            yield name, json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=as_words)
        # `None` as text would search for the word.
        elif value is not None:
            yield name, str(value).lower() if isinstance(value, bool) else as_words(value)


def _parts(members: tuple[tuple[TextTemplate, Node], ...], scope: Scope, boundary: str) -> bytes:
    """Return a form with files (RFC 7578). `{call.recording}` alone is a file, what is written out is JSON."""
    found = []
    for key, node in members:
        value, name = build_node(node, scope), _header_word(key.text(scope))
        if value is None:
            continue
        more = ""
        if isinstance(node, TextTemplate) and node.alone and next(node.slots).path == SOUND:
            call = scope["call"] if isinstance(scope["call"], dict) else {}
            file = _header_word(as_words(call.get("recording_name")))
            more = f'; filename="{file}"\r\nContent-Type: {as_words(call.get("recording_type"))}'
        elif isinstance(value, (dict, list)):
            value = json.dumps(value, separators=(",", ":"), default=as_words)
            more = "\r\nContent-Type: application/json"
        found.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{as_words(value)}\r\n'
        )
    return ("".join(found) + f"--{boundary}--\r\n").encode("utf-8", "replace")


def _header_word(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and char not in '"\\')


def build_node(node: Node, scope: Scope) -> Json:
    """Return the value of a node; members without a value are left out."""
    if isinstance(node, TextTemplate):
        return node.value(scope)
    if isinstance(node, Constant):
        return node.plain
    if isinstance(node, Repeated):
        return [item for one in node.items if (item := build_node(one, scope)) is not None]
    if isinstance(node, EncodedJson):
        inside = json.dumps(build_node(node.inside, scope), separators=(",", ":"), default=as_words)
        return inside if node.code == "json" else FILTERS[node.code].apply(inside)
    if isinstance(node, list):
        built = ((build_node(item, scope), item) for item in node)
        return [value for value, of in built if value is not None or not isinstance(of, tuple)]
    # A null that is written is sent; a value that is missing is left out.
    members = ((key.text(scope), build_node(value, scope), value) for key, value in node)
    found = {key: value for key, value, of in members if value is not None or isinstance(of, Constant)}
    # `Owner: {id: ...}` without the id: an empty object would be refused, or end what was there.
    return found if found or not node else None
