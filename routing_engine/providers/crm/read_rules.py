"""What answers mean, read from YAML: rules on their status and members, and the conditions of other parts."""

from __future__ import annotations

import re

import yaml

from routing_engine.core.templates import as_text
from routing_engine.providers.answers.outcome import OUTCOMES
from routing_engine.providers.answers.path import Path, read_path
from routing_engine.providers.crm.model import OutcomeRule, Where
from routing_engine.settings.yaml_reader import Section, value_of

_STATUS = re.compile(r"([1-5])(\d\d|xx)\Z")


def compiled_path(section: Section, key: str, example: str = "results") -> Path | None:
    """Take a path; None when it is left out or, as a problem, none."""
    text = section.text(key)
    if not text:
        return None
    try:
        return read_path(text)
    except ValueError as error:
        section.note(key, str(error), f"write for example {example}, or a JSONPath such as $.{example}")
        return None


def read_where(section: Section, key: str) -> Where:
    """Take a condition: paths, each with a value, a list of them, or `any` for anything but nothing."""
    node = section.section(key)
    if node is None:
        return ()
    found = []
    for name in node.names():
        try:
            found.append((read_path(name), _wanted(node, name)))
        except ValueError as error:
            node.note(name, str(error), "write for example error.code")
    return tuple(found)


def _wanted(section: Section, name: str) -> frozenset[str] | None:
    node = section.take(name)
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node] if node is not None else []
    found = frozenset(as_text(value_of(one, section.notes, f"'{name}'")) for one in nodes)
    return None if found == {"any"} else found


def read_rules(section: Section) -> tuple[tuple[OutcomeRule, ...], Path | None]:
    """Take `errors`, and `error_code`: where a short code of the error stands, for the trail."""
    return read_own_rules(section), compiled_path(section, "error_code", "error.code")


def read_own_rules(section: Section) -> tuple[OutcomeRule, ...]:
    """Take `errors` alone."""
    return tuple(map(_read_rule, section.sections("errors")))


def _read_rule(section: Section) -> OutcomeRule:
    section.require("then", "then: refused")
    wait_s = section.number("wait_s", 0, 0.1, 86_400, "what the answer says, else a second")
    rule = OutcomeRule(
        read_statuses(section),
        read_where(section, "where"),
        section.choice("then", tuple(OUTCOMES), "refused"),
        wait_s or None,
        section.text("wait_header"),
        compiled_path(section, "wait_path", "error.retry_after"),
    )
    section.close("a rule of 'errors'")
    if not rule.statuses and not rule.where and not section.has("status") and not section.has("where"):
        section.notes.note(section.line, "this rule fits every answer", "add status: 429, or where: {error: any}")
    return rule


def read_statuses(section: Section, key: str = "status") -> frozenset[int]:
    """Take statuses: `429`, `5xx`, or a list of them."""
    found: set[int] = set()
    for text in section.texts(key):
        status = _STATUS.match(text)
        if status is None:
            section.note(key, f"'{text}' is no status", "write for example 429, 5xx, or a list of them")
        elif status[2] == "xx":
            found.update(range(int(status[1]) * 100, int(status[1]) * 100 + 100))
        else:
            found.add(int(text))
    return frozenset(found)
