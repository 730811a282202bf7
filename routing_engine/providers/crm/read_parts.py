"""The parts of a description: what is asked, where the answer's records are, steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing_engine.providers.answers.path import WHOLE, Path, read_path
from routing_engine.providers.crm.checks import check_sent, names
from routing_engine.providers.crm.model import Attempt, DescribeRequest, FollowUp, ListRequest, Paging, RequestStep
from routing_engine.providers.crm.read_requests import INSTEAD, RequestKeys, read_marked, request_of
from routing_engine.providers.crm.read_rules import CONDITION, RULES, STATUSES, NextKeys, joined, path
from routing_engine.providers.crm.requests import Known, OutcomeRule, RequestTemplate, Where
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.providers.net.headers import names_header
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.value_types import (
    TEXT,
    flag,
    list_of,
    mapping_of,
    matching,
    one_or_more,
    parsed,
    raw,
    text,
)
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

_NO_REQUEST = RequestTemplate("", TextTemplate(()))


# --------------------------------------------------------------------------------------------- attempts


@dataclass(frozen=True, slots=True)
class AttemptKeys(RequestKeys):
    """One way to ask for records: a request, and where its answer has them. What is left out is the description's."""

    models: tuple[str, ...] = setting(
        one_or_more(text()).called("a model, or a list"), (), "for which models it is", usual="all"
    )
    # Most APIs answer every search in one shape: it is said once, for the whole description.
    records: Path | None = setting(path("results"), None, "where the records are", usual="the description's")
    next: NextKeys | None = setting(
        nested(NextKeys).called("[mapping](#next)"), None, "where the next page begins", usual="the description's"
    )
    errors: tuple[OutcomeRule, ...] = setting(
        RULES, (), "what answers to this request mean, before the rules of the description"
    )
    # Loose by default, checked behind: most systems compare without case, some by parts of words.
    exact: bool = setting(
        flag(),
        True,
        "by a field: false believes the system's own comparison; otherwise the field must hold the value, whatever the "
        "case",
    )
    keyed: str = setting(
        text("name of a field"),
        "",
        "the records are members of an object, whose keys are not fields of theirs: each key is put into this field",
        usual="none: a list, or one record",
    )

    def check(self, section: Section, what: str) -> None:
        """Note records that are looked for past the object that holds them."""
        if self.keyed and self.records is not None and self.records.text.endswith("*"):
            remedy = "remove .* behind it; with 'keyed' its members are the records"
            section.note("records", f"'{self.records.text}' leads past the object that holds the records", remedy)


_EACH = raw("[mapping](#each), or a list of them", {"type": ["object", "array"]})
_EACH_MEANS = "a further request for each record that was found, where the search tells little of it"


@dataclass(frozen=True, slots=True)
class FieldAttemptKeys(AttemptKeys):
    """A search by a field."""

    each: YamlValue | None = setting(_EACH, None, _EACH_MEANS)
    when: Where = setting(
        CONDITION.called("[condition](#conditions) on the values"),
        (),
        "for which fields it is: `when: {field: cf_*}`; the first attempt that fits is used",
        usual="always",
    )


@dataclass(frozen=True, slots=True)
class PhoneAttemptKeys(AttemptKeys):
    """A search by the caller's number."""

    each: YamlValue | None = setting(_EACH, None, _EACH_MEANS)
    # In their order, one request each: the spelling most records have goes first.
    spellings: tuple[YamlValue, ...] = setting(
        list_of(raw("texts with [values](#values)", TEXT)), (), "one attempt for each, with `{spelling}`"
    )
    when: Where = setting(
        CONDITION.called("[condition](#conditions) on the values"),
        (),
        "nothing is asked unless it holds: `when: {settings.mask: any}`",
        usual="always",
    )


@dataclass(frozen=True, slots=True)
class ListAttemptKeys(AttemptKeys):
    """How all records are listed."""

    gone: Where = setting(CONDITION, (), "tells records that were deleted")


@dataclass(frozen=True, slots=True)
class EachKeys(RequestKeys):
    """A request for each record that was found."""

    record: Path | None = setting(
        path("results"),
        None,
        "where the answer has what is added; nothing is added unless it is an object",
        usual="the whole answer",
    )
    when: Where = setting(
        CONDITION.called("[condition](#conditions) on the found record"),
        (),
        "left out unless it holds: `when: {owner_id: any}`",
        usual="always",
    )
    errors: tuple[OutcomeRule, ...] = setting(
        RULES,
        (),
        "what answers to this request mean, before the rules of the description: with `no_record` the record stays as "
        "the search told it",
    )
    under: str = setting(
        text("name"),
        "",
        "it is added as this member: `under: owner` makes `owner.name` a field",
        usual="none: to the record itself",
    )


def read_usual(section: Section, records: Path | None, following: NextKeys | None, models: frozenset[str]) -> Attempt:
    """Return what holds for every attempt without its own, of the description itself."""
    return Attempt(_NO_REQUEST, records or WHOLE, models, paging=_paging(section, following))


def read_phone_attempts(sections: list[Section], known: Known, usual: Attempt) -> tuple[Attempt, ...]:
    """Read searches by the caller's number; one with `spellings` is one for each of them."""
    return tuple(one for section in sections for one in _phone_attempts(section, known, usual))


def _phone_attempts(section: Section, known: Known, usual: Attempt) -> list[Attempt]:
    keys = read(section, PhoneAttemptKeys, "an attempt", instead=INSTEAD)
    attempt = replace(read_attempt(section, keys, known, usual), each=_each(keys.each, known), when=keys.when)
    # It would be sent empty: a search for nothing finds anybody.
    if names(section, "spelling") and not keys.spellings:
        sentence = "{spelling} is sent, and there are no spellings"
        section.note("spellings", sentence, "add spellings: ['{number.e164}', '{number.national}']")
    if keys.spellings:
        check_sent(section, "spelling", "write it where the number goes, such as query: {phone: '{spelling}'}")
    spellings = [read_marked(value, known, language=False) for value in keys.spellings]
    return [replace(attempt, spelling=one) for one in spellings] or [attempt]


def read_field_attempts(sections: list[Section], known: Known, usual: Attempt) -> tuple[Attempt, ...]:
    """Read searches by a field."""
    found = []
    for section in sections:
        keys = read(section, FieldAttemptKeys, "an attempt", instead=INSTEAD)
        found.append(replace(read_attempt(section, keys, known, usual), each=_each(keys.each, known), when=keys.when))
    return tuple(found)


def read_list(sections: list[Section], known: Known, usual: Attempt) -> tuple[ListRequest, ...]:
    """Read how all records are listed; `{since}` in the request makes changes listable."""
    found = []
    for section in sections:
        keys = read(section, ListAttemptKeys, "an attempt", instead=INSTEAD)
        attempt = read_attempt(section, keys, known, usual)
        # The request itself says it: who sends {since} lists changes, everybody else all.
        found.append(ListRequest(attempt, names(section, "since"), keys.gone))
    return tuple(found)


def read_attempt(section: Section, keys: AttemptKeys, known: Known, usual: Attempt) -> Attempt:
    """Compile one way to ask for records, whose keys have been read."""
    every = usual.models or frozenset()
    for name in keys.models:
        if name not in every:
            section.note("models", f"there is no model '{name}'", suggest(name, every))
    return Attempt(
        replace(request_of(section, keys, known) or _NO_REQUEST, rules=keys.errors),
        keys.records or usual.records,
        frozenset(keys.models) or None,
        paging=_own_paging(section, keys.next, usual.paging),
        exact=keys.exact,
        keyed=keys.keyed,
    )


def _each(value: YamlValue | None, known: Known) -> tuple[FollowUp, ...]:
    """Read one request for each record, or a list of them."""
    # One mapping or a list of them: most descriptions need one request more.
    sections = [entry.called("an entry of 'each'").section() for entry in value.entries()] if value is not None else []
    return tuple(_follow_up(section, known) for section in sections if section is not None)


def _follow_up(section: Section, known: Known) -> FollowUp:
    keys = read(section, EachKeys, "'each'")
    request = request_of(section, keys, {**known, "found": None})
    request = replace(request or _NO_REQUEST, rules=keys.errors)
    return FollowUp(request, keys.record or WHOLE, keys.when, keys.under)


# ------------------------------------------------------------------------------------------------ pages


def _own_paging(section: Section, own: NextKeys | None, usual: Paging | None) -> Paging | None:
    """Return where the next page begins, or what is usual where the request says which page it wants."""
    paging = _paging(section, own)
    if paging is not None and paging.kind != "link":
        example = f"write it where the system looks for it, such as query: {{p: '{{{paging.kind}}}'}}"
        check_sent(section, paging.kind, example)
    elif paging is None and usual is not None and (usual.kind == "link" or names(section, usual.kind)):
        paging = usual
    # A link holds its own limit; everywhere else the request says whether it sends one.
    return paging if paging is None or paging.kind == "link" else replace(paging, limited=names(section, "limit"))


def _paging(section: Section, keys: NextKeys | None) -> Paging | None:
    if keys is None:
        return None
    following = section.section("next")
    kinds = [kind for kind in ("cursor", "link", "page", "offset") if following is not None and following.has(kind)]
    if len(kinds) != 1:
        section.note("next", "'next' says in one way where the next page begins", "write cursor, link, page or offset")
        return None
    lying = _lying("cursor", keys.cursor, keys) or _lying("link", keys.link, keys)
    return lying or _counted("page", keys.page, keys, 1) or _counted("offset", keys.offset, keys, 0)


def _lying(kind: Literal["cursor", "link"], where: Path | None, keys: NextKeys) -> Paging | None:
    if where is None:
        return None
    header = where.text if names_header(where.text) else ""
    return Paging(kind, WHOLE if header else where, keys.more, header=header)


def _counted(kind: Literal["page", "offset"], size: int | None, keys: NextKeys, start: int) -> Paging | None:
    if size is None:
        return None
    return Paging(kind, more=keys.more, size=size, start=start if keys.from_ is None else keys.from_)


# ------------------------------------------------------------------------------------ fields, check, steps


@dataclass(frozen=True, slots=True)
class DescribeKeys(RequestKeys):
    """How the fields of a model are asked for."""

    fields: Path | None = required(
        path("results"), None, "a list of fields, or members whose keys are their names", example="results"
    )
    name: Path | None = setting(path("name"), None, "a field's name", usual="the member's key")
    label: Path | None = setting(path("label"), None, "what people call it")
    type: Path | None = setting(path("type"), None, "its type, in the system's own words")
    prefix: str = setting(text(), "", "what stands before each name in a record: `prefix: custom.`")
    # Some systems list custom fields only: what is missing there is no slip of the operator.
    partial: bool = setting(
        flag(),
        False,
        "true where only custom fields are told: a mapped field that is not among them is not called missing",
    )


def read_describe(section: Section | None, known: Known) -> DescribeRequest | None:
    """Read `describe`."""
    if section is None:
        return None
    keys = read(section, DescribeKeys, "'describe'")
    request = request_of(section, keys, known)
    if request is None or keys.fields is None:
        return None
    return DescribeRequest(request, keys.fields, keys.name, keys.label, keys.type, keys.partial, keys.prefix)


@dataclass(frozen=True, slots=True)
class CheckKeys(RequestKeys):
    """A cheap request that every account may send."""

    errors: tuple[OutcomeRule, ...] = setting(
        RULES, (), "what answers to this request mean, before the rules of the description"
    )


def read_check(section: Section | None, known: Known) -> RequestTemplate | None:
    """Read `check`: a cheap request that every account may send."""
    if section is None:
        return None
    keys = read(section, CheckKeys, "'check'")
    request = request_of(section, keys, known)
    return None if request is None else replace(request, rules=keys.errors)


def _captured(written: str) -> Path:
    return Path(written) if names_header(written) else read_path(written)


@dataclass(frozen=True, slots=True)
class StepKeys(RequestKeys):
    """One request of several."""

    when: Where = setting(
        CONDITION.called("[condition](#conditions) on the values"),
        (),
        "left out unless it holds: `when: {record.kind: lead}`",
        usual="always",
    )
    capture: Mapping[str, Path] = setting(
        mapping_of(
            parsed(
                _captured,
                "[path](#paths), `header:NAME` or `cookie:NAME`",
                "write for example id, or a JSONPath such as $.id",
            ),
            "'{}'",
            matching(
                re.compile(r"[a-z][a-z0-9_]{0,40}\Z"),
                "a captured value cannot be called '{}'",
                "write for example call_id",
            ),
        ).called("mapping, name to [path](#paths), `header:NAME` or `cookie:NAME`"),
        {},
        "values of the answer for the next steps",
    )
    fine: tuple[frozenset[int], ...] = setting(
        STATUSES,
        (),
        "further statuses of a good answer: a log-in form often answers with a redirect, which is not followed",
        usual="2xx",
    )
    errors: tuple[OutcomeRule, ...] = setting(
        RULES, (), "what answers to this request mean, before the rules of the description"
    )


def read_steps(sections: list[Section], known: Known) -> tuple[RequestStep, ...]:
    """Read a list of steps; what one captures is `{step.NAME}` for the next ones."""
    return tuple(read_step(section, read(section, StepKeys, "a step"), known) for section in sections)


def read_step(section: Section, keys: StepKeys, known: Known) -> RequestStep:
    """Compile a step whose keys have been read."""
    capture = tuple((name, where.text if names_header(where.text) else where) for name, where in keys.capture.items())
    request = replace(request_of(section, keys, known) or _NO_REQUEST, rules=keys.errors)
    return RequestStep(request, keys.when, capture, joined(keys.fine))
