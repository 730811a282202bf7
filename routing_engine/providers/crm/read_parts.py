"""The parts of a description: what is asked, where the answer's records are, steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import yaml

from routing_engine.providers.answers.path import WHOLE, Path
from routing_engine.providers.crm.checks import check_sent, names
from routing_engine.providers.crm.model import (
    Attempt,
    DescribeRequest,
    FollowUp,
    ListRequest,
    Paging,
    RequestStep,
)
from routing_engine.providers.crm.read_requests import INSTEAD, read_marked, take_request
from routing_engine.providers.crm.read_rules import compiled_path, read_own_rules, read_statuses, read_where
from routing_engine.providers.crm.requests import Known, RequestTemplate
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.providers.net.headers import names_header
from routing_engine.settings.yaml_reader import Section, suggest

_KINDS: tuple[Literal["cursor", "link", "page", "offset"], ...] = ("cursor", "link", "page", "offset")
_NO_REQUEST = RequestTemplate("", TextTemplate(()))
_CAPTURED = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")


def read_attempts(section: Section, key: str, known: Known, usual: Attempt) -> tuple[Attempt, ...]:
    """Take a list of attempts; one with `spellings` is one for each of them. What is left out is as `usual`."""
    return tuple(one for entry in section.sections(key) for one in _read_attempt(entry, known, usual))


def read_usual(section: Section) -> Attempt:
    """Take `records` and `next` of the description itself, which hold for every attempt without its own."""
    models = section.section("models")
    every = frozenset(models.names() if models is not None else ())
    return Attempt(_NO_REQUEST, compiled_path(section, "records") or WHOLE, every, paging=_read_paging(section))


def _read_attempt(section: Section, known: Known, usual: Attempt) -> list[Attempt]:
    request = take_request(section, known) or _NO_REQUEST
    spellings = _read_spellings(section, known)
    attempt = Attempt(
        replace(request, rules=read_own_rules(section)),
        compiled_path(section, "records") or usual.records,
        _read_models(section, usual.models or frozenset()),
        paging=_read_own_paging(section, usual.paging),
        exact=section.flag("exact", True),
        each=_read_each(section, known) if "since" not in known else (),
        when=read_where(section, "when") if "number" in known else (),
        keyed=section.text("keyed"),
    )
    if attempt.keyed and attempt.records.text.endswith("*"):
        remedy = "remove .* behind it; with 'keyed' its members are the records"
        section.note("records", f"'{attempt.records.text}' leads past the object that holds the records", remedy)
    section.close("an attempt", INSTEAD)
    if not spellings:
        return [attempt]
    return [replace(attempt, spelling=one) for one in spellings]


def _read_each(section: Section, known: Known) -> tuple[FollowUp, ...]:
    """Take one request for each record, or a list of them."""
    node = section.take("each")
    if isinstance(node, yaml.MappingNode):
        return (_read_one(Section(node, section.notes), known),)
    return tuple(_read_one(entry, known) for entry in section.sections("each"))


def _read_one(each: Section, known: Known) -> FollowUp:
    request = take_request(each, {**known, "found": None})
    record, when = compiled_path(each, "record") or WHOLE, read_where(each, "when")
    found = FollowUp(request or _NO_REQUEST, record, when, each.text("under"))
    each.close("'each'")
    return found


def _read_models(section: Section, every: frozenset[str]) -> frozenset[str] | None:
    models = section.texts("models")
    for name in models:
        if name not in every:
            section.note("models", f"there is no model '{name}'", suggest(name, every))
    return frozenset(models) or None


def _read_own_paging(section: Section, usual: Paging | None) -> Paging | None:
    """Take `next`, or what is usual where the request says which page it wants."""
    own = _read_paging(section)
    paging = usual if own is None else own
    if paging is None or paging.kind == "link":
        return paging
    if own is not None:
        check_sent(section, own.kind, f"write it where the system looks for it, such as query: {{p: '{{{own.kind}}}'}}")
    if own is None and not names(section.node, paging.kind):
        return None
    return replace(paging, limited=names(section.node, "limit"))


def _read_spellings(section: Section, known: Known) -> list[TextTemplate]:
    if "number" not in known:
        return []
    if names(section.node, "spelling") and not section.has("spellings"):
        sentence = "{spelling} is sent, and there are no spellings"
        section.note("spellings", sentence, "add spellings: ['{number.e164}', '{number.national}']")
    if section.has("spellings"):
        check_sent(section, "spelling", "write it where the number goes, such as query: {phone: '{spelling}'}")
    return [read_marked(node, section.notes, known, language=False) for node in section.items("spellings")]


def _read_paging(section: Section) -> Paging | None:
    following = section.section("next")
    if following is None:
        return None
    kinds = [kind for kind in _KINDS if following.has(kind)]
    if len(kinds) != 1:
        section.note("next", "'next' says in one way where the next page begins", "write cursor, link, page or offset")
        return None
    kind: Literal["cursor", "link", "page", "offset"] = kinds[0]
    more, start = compiled_path(following, "more", "info.more"), 1 if kind == "page" else 0
    if kind == "cursor" or kind == "link":
        header = text if names_header(text := following.text(kind)) else ""
        path = WHOLE if header else compiled_path(following, kind, "paging.next") or WHOLE
        found = Paging(kind, path, more, header=header)
    else:
        size = following.whole(kind, 100, 1, 100_000)
        found = Paging(kind, more=more, size=size, start=following.whole("from", start, 0, 1))
    following.close("'next'")
    return found


def read_list(section: Section, known: Known, usual: Attempt) -> tuple[ListRequest, ...]:
    """Take how all records are listed; `{since}` in the request makes changes listable."""
    found = []
    for entry in section.sections("list"):
        gone = read_where(entry, "gone")
        (attempt, *_) = _read_attempt(entry, known, usual)
        found.append(ListRequest(attempt, names(entry.node, "since"), gone))
    return tuple(found)


def read_describe(section: Section, known: Known) -> DescribeRequest | None:
    """Take `describe`."""
    inside = section.section("describe")
    if inside is None:
        return None
    request = take_request(inside, known)
    inside.require("fields", "fields: results")
    paths = {key: compiled_path(inside, key) for key in ("fields", "name", "label", "type")}
    partial = inside.flag("partial", False)
    inside.close("'describe'")
    if request is None or paths["fields"] is None:
        return None
    return DescribeRequest(request, paths["fields"], paths["name"], paths["label"], paths["type"], partial)


def read_check(section: Section, known: Known) -> RequestTemplate | None:
    """Take `check`: a cheap request that every account may send."""
    inside = section.section("check")
    if inside is None:
        return None
    request = take_request(inside, known)
    inside.close("'check'")
    return request


def read_steps(section: Section, key: str, known: Mapping[str, frozenset[str] | None]) -> tuple[RequestStep, ...]:
    """Take a list of steps; what one captures is `{step.NAME}` for the next ones."""
    return tuple(_read_step(entry, known) for entry in section.sections(key))


def _read_step(section: Section, known: Known) -> RequestStep:
    request = take_request(section, known)
    fine = read_statuses(section, "fine")
    step = RequestStep(request or _NO_REQUEST, read_where(section, "when"), _read_capture(section), fine)
    section.close("a step")
    return step


def _read_capture(section: Section) -> tuple[tuple[str, Path | str], ...]:
    capture = section.section("capture")
    found: list[tuple[str, Path | str]] = []
    for name in capture.names() if capture is not None else ():
        assert capture is not None
        text = capture.text(name)
        if not _CAPTURED.match(name):
            capture.note(name, f"a captured value cannot be called '{name}'", "write for example call_id")
        elif names_header(text):
            found.append((name, text))
        elif (path := compiled_path(capture, name, "id")) is not None:
            found.append((name, path))
    return tuple(found)
