"""Requests read from YAML: every text of them compiled, every fault noted with its line."""

from __future__ import annotations

import re

import yaml

from routing_engine.providers.crm.requests import (
    METHODS,
    NAMING,
    Constant,
    EncodedJson,
    Known,
    Node,
    Repeated,
    RequestTemplate,
)
from routing_engine.providers.crm.templates import TRUSTED, TextTemplate, read_text
from routing_engine.settings.yaml_reader import Problems, Section, text_of, value_of

_CODES = ("base64url", "json")
_GRAPHQL = re.compile(r"\s*(query|mutation)\b[^{]*\{", re.ASCII)
_AS_WRITTEN = "write {as_written: '...'} around a query of GraphQL, and send values as its variables"
#: What a member is called that holds a secret, and how long one is at least: `Basic` and `none` are none.
_SECRET = re.compile(r"(authorization|cookie|token|(api|access|auth|private)[-_ ]?key|secret|password)\Z", re.I)
_LONG = re.compile(r"\S{12}")
_METHOD = "write the method in small letters as the key, and the address behind it: get: /contacts"
_INSTEAD_OF_METHOD = ("url", "uri", "path", "endpoint", "method", "request", *(method.upper() for method in METHODS))
#: What people call the parts of a request elsewhere.
INSTEAD = {
    **dict.fromkeys(_INSTEAD_OF_METHOD, _METHOD),
    **dict.fromkeys(("params", "parameters"), "write query: {name: value}"),
    **dict.fromkeys(("body", "data", "payload"), "write json: {name: value}, or form: {name: value}"),
}


def take_request(section: Section, known: Known) -> RequestTemplate | None:
    """Take the request of a section: one of get, post, put, patch, delete, and query, json, form, headers."""
    chosen = [method for method in METHODS if section.take(method) is not None]
    if len(chosen) != 1:
        remedy = "write get: /path, or post: /path with json:"
        if chosen or not set(_INSTEAD_OF_METHOD) & set(section.names()):  # which is noted itself
            section.notes.note(section.line, "exactly one request is needed here", remedy)
        for key in ("query", "json", "form", "headers"):
            section.take(key)
        return None
    (method,) = chosen
    address = _take_address(section, method, known)
    node = section.take("json")
    body = None if node is None else read_node(node, section.notes, known)
    request = RequestTemplate(
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


def _take_address(section: Section, method: str, known: Known) -> TextTemplate:
    text = section.text(method)
    if "?" in text or "#" in text:
        section.note(method, "an address ends before its query", "write the query as query: {name: value}")
    elif not text.startswith(("/", "https://", "http://", "{auth.", "{settings.")):
        section.note(method, f"this is no address: '{text[:80]}'", "write a path that begins with /")
    return read_marked(section.take(method), section.notes, known, path=True)


def take_members(section: Section, key: str, known: Known) -> tuple[tuple[TextTemplate, Node], ...]:
    """Take a mapping of names to values."""
    members = section.section(key)
    if members is None:
        return ()
    found = read_node(members.node, section.notes, known)
    return found if isinstance(found, tuple) else ()


def read_node(node: yaml.Node, notes: Problems, known: Known) -> Node:
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
    """Return whether it is `{number.e164}`: what YAML makes of a value without quotes."""
    if not node.flow_style or len(node.value) != 1:
        return False
    ((key, value),) = node.value
    return isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode) and not (value.value or value.style)


def _read_members(section: Section, notes: Problems, known: Known) -> Node:
    names = section.names()
    if len(names) == 1 and names[0] in _CODES and (inside := section.take(names[0])) is not None:
        return EncodedJson(names[0], read_node(inside, notes, known))
    if names == ["repeated"]:
        return Repeated([read_node(item, notes, known) for item in section.items(names[0])])
    if names == ["as_written"]:
        return Constant(section.text(names[0]))
    found: list[tuple[TextTemplate, Node]] = []
    for name in names:
        value = section.take(name)
        key = compiled(section.key_node(name), name, notes, known)
        if any(slot.path[0] not in NAMING for slot in key.slots):
            section.note(name, "a name cannot come from a caller or a record", "write the name itself")
        node = Constant(None) if value is None else read_node(value, notes, known)
        if (
            isinstance(node, TextTemplate)
            and _SECRET.search(name)
            and not any(node.slots)
            and _LONG.search(node.text({}))
        ):
            remedy = "add needs: {token: secret} to a way of 'auth' and write {auth.token}; an integration gives it"
            section.note(name, f"'{name}' seems to hold a secret, and a description has none", remedy)
        found.append((key, node))
    return tuple(found)


def read_marked(
    node: yaml.Node | None, notes: Problems, known: Known, path: bool = False, language: bool = True
) -> TextTemplate:
    """Compile a text, and note what is wrong with it. A value from outside stands beside other text escaped only.

    `path` encodes it anyway; where `language` is False nobody reads the text as a query.
    """
    raw = None if node is None else text_of(node, notes, "a text")
    if node is None or raw is None:
        return TextTemplate(())
    text = compiled(node, raw, notes, known)
    if path or not language or text.alone:
        return text
    for slot in text.slots:
        if not slot.escaped and slot.path[0] not in TRUSTED:
            value = ".".join(slot.path)
            remedy = f"write {{{value} | strict}} or its language's escape; {{{value} | text}} where it is no query"
            notes.note(node, f"'{value}' stands raw in a text, where it could change a query's meaning", remedy)
    return text


def compiled(node: yaml.Node, raw: str, notes: Problems, known: Known) -> TextTemplate:
    """Compile a text, and note what cannot be compiled."""
    try:
        return read_text(raw, known)
    except LookupError as error:
        sentence, remedy = error.args
        notes.note(node, sentence, _AS_WRITTEN if _GRAPHQL.match(raw) else remedy)
    except ValueError as error:
        notes.note(node, str(error), "look at the reference of descriptions")
    return TextTemplate(())
