"""What answers mean, and where in them something lies, as YAML has it: paths, conditions, rules, the next page."""

from __future__ import annotations

import re
from dataclasses import dataclass

from routing_engine.core.templates import as_text
from routing_engine.providers.answers.outcome import OUTCOMES
from routing_engine.providers.answers.path import Path, read_path
from routing_engine.providers.crm.requests import OutcomeRule, Where
from routing_engine.providers.net.headers import names_header
from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import (
    ValueType,
    choice,
    list_of,
    number,
    one_or_more,
    parsed,
    text,
    whole,
)
from routing_engine.settings.yaml_reader import Section, YamlValue

_STATUS = re.compile(r"([1-5])(\d\d|xx)\Z")


def path(example: str) -> ValueType[Path]:
    """Return the type of a path; `example` is one that a remedy shows."""
    return parsed(read_path, "[path](#paths)", f"write for example {example}, or a JSONPath such as $.{example}")


def header_or_path(example: str) -> ValueType[Path]:
    """Return the type of a path, or of `header:NAME` and `cookie:NAME`, which `names_header` tells apart."""

    def parse(text: str) -> Path:
        return Path(text) if names_header(text) else read_path(text)

    return parsed(
        parse, "[path](#paths), or `header:NAME`", f"write for example {example}, or a JSONPath such as $.{example}"
    )


def _read_condition(value: YamlValue, _: str) -> Where | None:
    """Read paths, each with a value, a list of them, `any` for anything but nothing, or `none` for nothing."""
    section = value.section()
    if section is None:
        return None
    found = []
    for name in section.names():
        try:
            found.append((read_path(name), _wanted(section, name)))
        except ValueError as error:
            section.note(name, str(error), "write for example error.code")
    return tuple(found)


def _wanted(section: Section, name: str) -> frozenset[str] | None:
    value = section.value(name)
    entries = value.entries() if value is not None else []
    # Compared as texts: `{code: 0}` must match "0" and 0 alike, as APIs send both.
    found = frozenset(as_text(one.scalar()) for one in entries)
    return None if found == {"any"} else frozenset() if found == {"none"} else found


CONDITION: ValueType[Where] = ValueType(_read_condition, lambda _: {"type": "object"}, "[condition](#conditions)")


def _statuses(written: str) -> frozenset[int]:
    status = _STATUS.match(written)
    if status is None:
        raise ValueError(f"'{written}' is not a status")
    if status[2] != "xx":
        return frozenset({int(written)})
    return frozenset(range(int(status[1]) * 100, int(status[1]) * 100 + 100))


#: Statuses as they are written; `joined` makes one set of them.
STATUSES = one_or_more(parsed(_statuses, "`429`, `5xx`", "write for example 429, 5xx, or a list of them"))


def joined(statuses: tuple[frozenset[int], ...]) -> frozenset[int]:
    """Return every status that is among several."""
    return frozenset().union(*statuses)


@dataclass(frozen=True, slots=True)
class OutcomeRuleKeys:
    """What an answer means: the first rule that fits says it."""

    status: tuple[frozenset[int], ...] = setting(STATUSES, (), "the answer's status", usual="any")
    where: Where = setting(
        CONDITION.called("[condition](#conditions) on the answer's JSON, or on `header:NAME`"),
        (),
        "the page of a log-in form: `{'header:Content-Type': text/html}`",
        usual="anything",
    )
    # Refused where it is misspelt: an administrator looks, and no breaker opens.
    then: str = required(
        choice(*OUTCOMES).called("[meaning](#meanings)"), "refused", "what it means", example="refused"
    )
    wait_s: float | None = setting(
        number(0.1, 86_400, "seconds"),
        None,
        "with `throttled`, five minutes at most, and `quota`, where five minutes are the default: how long nobody asks",
        usual="what the answer says, else a second",
    )
    wait_header: str = setting(
        text("name of a header"),
        "",
        "where the answer says how long: seconds, or until when: seconds or milliseconds since 1970, a date, or "
        "`reset=` of the header `RateLimit`",
        usual="`Retry-After`",
    )
    wait_path: Path | None = setting(path("error.retry_after"), None, "where the answer's JSON says so")

    def check(self, section: Section, what: str) -> None:
        """Note a rule that fits every answer."""
        if not section.has("status") and not section.has("where"):
            sentence = "this rule fits every answer"
            section.notes.note(section.line, sentence, "add status: 429, or where: {error: any}")

    @property
    def rule(self) -> OutcomeRule:
        """What it says."""
        statuses = joined(self.status)
        return OutcomeRule(statuses, self.where, self.then, self.wait_s, self.wait_header, self.wait_path)


_RULE = nested(OutcomeRuleKeys)


def _read_rule(value: YamlValue, usual: str) -> OutcomeRule | None:
    keys = _RULE.read(value.called("a rule of 'errors'"), usual)
    return None if keys is None else keys.rule


#: `errors`, of a description and of a request.
RULES: ValueType[tuple[OutcomeRule, ...]] = list_of(ValueType(_read_rule, _RULE.schema, "[rules](#errors)"))


@dataclass(frozen=True, slots=True)
class NextKeys:
    """Where the next page begins: one of `cursor`, `link`, `page` and `offset` says it."""

    cursor: Path | None = setting(
        header_or_path("paging.next"), None, "where the answer has what the next request sends as `{cursor}`"
    )
    link: Path | None = setting(
        header_or_path("paging.next").called("[path](#paths), or `header:Link`"),
        None,
        'where it has the next page\'s address; of the header `Link` the one with `rel="next"`. On another server it '
        "is refused",
    )
    page: int | None = setting(
        whole(1, 100_000, "records"),
        None,
        "pages are counted, `{page}` from 1. So many records are a whole page; where the request sends `{limit}`, so "
        "many are too",
    )
    offset: int | None = setting(whole(1, 100_000, "records"), None, "records are counted, `{offset}` from 0")
    from_: int | None = setting(whole(0, 1), None, "where the count begins", usual="1 for `page`, 0 for `offset`")
    more: Path | None = setting(
        path("info.more"),
        None,
        "where the answer says that there is more; nothing, `false`, `0` and an empty text say no",
    )
