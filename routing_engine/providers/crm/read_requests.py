"""Requests read from YAML: every text of them compiled, every fault noted with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import TEXT, raw
from routing_engine.settings.yaml_reader import Section, YamlValue

_CODES = ("base64url", "json")
_GRAPHQL = re.compile(r"\s*(query|mutation)\b[^{]*\{", re.ASCII)
_AS_WRITTEN = "write {as_written: '...'} around a query of GraphQL, and send values as its variables"
#: What a member is called that holds a secret, and how long one is at least: `Basic` and `none` are not secrets.
_SECRET = re.compile(r"(authorization|cookie|token|(api|access|auth|private)[-_ ]?key|secret|password)\Z", re.I)
_LONG = re.compile(r"\S{12}")
_METHOD = "write the method in small letters as the key, and the address behind it: get: /contacts"
_INSTEAD_OF_METHOD = ("url", "uri", "path", "endpoint", "method", "request", *(method.upper() for method in METHODS))
#: What people call the parts of a request elsewhere.
INSTEAD = {
    **dict.fromkeys(_INSTEAD_OF_METHOD, _METHOD),
    **dict.fromkeys(("params", "parameters"), "write query: {name: value}"),
    **dict.fromkeys(("data", "payload"), "write json: {name: value}, or form: {name: value}"),
}


_ADDRESS = raw("address with [values](#values)", TEXT)
_MEMBERS = raw("mapping", {"type": "object"})


@dataclass(frozen=True, slots=True)
class RequestKeys:
    """A request as it is written: one of the methods, and what goes with it."""

    get: YamlValue | None = setting(
        _ADDRESS, None, "the request. It begins with `/`, or is whole, and holds no `?`", usual="one **must be there**"
    )
    post: YamlValue | None = setting(_ADDRESS, None, "the same, with a body")
    put: YamlValue | None = setting(_ADDRESS, None, "the same")
    patch: YamlValue | None = setting(_ADDRESS, None, "the same")
    delete: YamlValue | None = setting(_ADDRESS, None, "the same")
    query: YamlValue | None = setting(
        _MEMBERS,
        None,
        "parameters. A list is a repeated parameter where it is one value (`'{fields}'`), JSON text where it is "
        "written out",
    )
    json: YamlValue | None = setting(raw("anything", {}), None, "the body, as JSON")
    form: YamlValue | None = setting(_MEMBERS, None, "the body, as a form")
    multipart: YamlValue | None = setting(
        _MEMBERS, None, "the body, as a form with files: `{file: '{call.recording}'}`. What is written out is JSON"
    )
    body: YamlValue | None = setting(raw("one value", TEXT), None, "the body itself: `'{call.recording}'`")
    headers: YamlValue | None = setting(_MEMBERS, None, "further headers")

    @property
    def chosen(self) -> list[tuple[str, YamlValue]]:
        """The methods that are written, each with its address."""
        addresses = (self.get, self.post, self.put, self.patch, self.delete)
        return [(method, value) for method, value in zip(METHODS, addresses, strict=True) if value is not None]


def request_of(section: Section, keys: RequestKeys, known: Known) -> RequestTemplate | None:
    """Compile the request of a section; None, with the problem noted, where there is not exactly one."""
    if len(keys.chosen) != 1:
        # A request under another tool's word is one fault, and that word has its remedy.
        if keys.chosen or not set(_INSTEAD_OF_METHOD) & set(section.names()):  # which is noted itself
            remedy = "write get: /path, or post: /path with json:"
            section.notes.note(section.line, "exactly one request is needed here", remedy)
        return None
    ((method, address),) = keys.chosen
    body = None if keys.json is None else read_node(keys.json, known)
    request = RequestTemplate(
        method.upper(),
        _read_address(address, known),
        read_members(keys.query, known),
        body,
        read_members(keys.form, known),
        read_members(keys.headers, known),
        multipart=read_members(keys.multipart, known),
        body=None if keys.body is None else read_marked(keys.body, known, language=False),
    )
    bodies = [name for name in ("json", "form", "multipart", "body") if getattr(keys, name) is not None]
    if len(bodies) > 1:
        section.note(bodies[1], f"a request has one body, {bodies[0]} or {bodies[1]}", "keep one of them")
    return request


def _read_address(value: YamlValue, known: Known) -> TextTemplate:
    text = value.text() or ""
    if "?" in text or "#" in text:
        value.note("an address ends before its query", "write the query as query: {name: value}")
    elif not text.startswith(("/", "https://", "http://", "{auth.", "{settings.")):
        value.note(f"this is not an address: '{text[:80]}'", "write a path that begins with /")
    return read_marked(value, known, path=True)


def read_members(value: YamlValue | None, known: Known) -> tuple[tuple[TextTemplate, Node], ...]:
    """Compile a mapping of names to values; nothing where it is left out."""
    section = None if value is None else value.section()
    found = () if section is None else read_node(section.itself, known)
    return found if isinstance(found, tuple) else ()


def read_node(value: YamlValue, known: Known) -> Node:
    """Compile a tree of YAML."""
    value = value.called("a value")
    if value.is_list:
        return [read_node(item, known) for item in value.entries()]
    section = value.section() if value.is_mapping else None
    if section is not None:
        # YAML reads {number.e164} without quotes as a mapping: the commonest slip of all.
        if value.lone_name:
            value.note("this is a mapping, and no value", f"write '{{{value.lone_name}}}' in quotes")
        return _read_mapping(section, known)
    if not value.is_quoted and "{" not in (value.word() or ""):
        plain = value.scalar()
        if not isinstance(plain, str):
            return Constant(plain)
    return read_marked(value, known)


def _read_mapping(section: Section, known: Known) -> Node:
    """Compile the members of an object, or a word of ours with what it is about: `json`, `repeated`, `as_written`."""
    names = section.names()
    value = section.value(names[0]) if len(names) == 1 else None
    if value is not None and names[0] in _CODES:
        return EncodedJson(names[0], read_node(value, known))
    if value is not None and names == ["repeated"]:
        if not value.is_list:
            value.note("'repeated' must be a list", "write its entries below 'repeated:', each with '- '")
        return Repeated([read_node(item, known) for item in value.entries()] if value.is_list else [])
    if value is not None and names == ["as_written"]:
        return Constant(section.text(names[0]))
    return tuple(_read_member(section, name, known) for name in names)


def _read_member(section: Section, name: str, known: Known) -> tuple[TextTemplate, Node]:
    value, key = section.value(name), compiled(section.key(name), name, known)
    if any(slot.path[0] not in NAMING for slot in key.slots):
        section.note(name, "a name cannot come from a caller or a record", "write the name itself")
    node = Constant(None) if value is None else read_node(value, known)
    if isinstance(node, TextTemplate) and _SECRET.search(name) and not any(node.slots) and _LONG.search(node.text({})):
        remedy = "add needs: {token: secret} to a way of 'auth' and write {auth.token}; an integration gives it"
        section.note(name, f"'{name}' seems to hold a secret, and a description has none", remedy)
    return key, node


def read_marked(value: YamlValue | None, known: Known, path: bool = False, language: bool = True) -> TextTemplate:
    """Compile a text, and note what is wrong with it. A value from outside stands beside other text escaped only.

    `path` encodes it anyway; where `language` is False nobody reads the text as a query.
    """
    written = None if value is None else value.called("a text").text()
    if value is None or written is None:
        return TextTemplate(())
    text = compiled(value, written, known)
    # Nothing stands beside it, or nobody reads it as a language: there is nothing to break out of.
    if path or not language or text.alone:
        return text
    for slot in text.slots:
        if not slot.escaped and slot.path[0] not in TRUSTED:
            name = ".".join(slot.path)
            remedy = f"write {{{name} | strict}} or its language's escape; {{{name} | text}} where it is not a query"
            value.note(f"'{name}' stands raw in a text, where it could change a query's meaning", remedy)
    return text


def compiled(place: YamlValue, written: str, known: Known) -> TextTemplate:
    """Compile a text, and note at `place` what cannot be compiled."""
    try:
        return read_text(written, known)
    except LookupError as error:
        sentence, remedy = error.args
        place.note(sentence, _AS_WRITTEN if _GRAPHQL.match(written) else remedy)
    except ValueError as error:
        place.note(str(error), "look at the reference of descriptions")
    return TextTemplate(())
