"""`when`: a mapping in which all must hold, or a tree of `all`, `any` and `none`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, cast

import yaml

from routing_engine.config.route.context import RouteContext, read_pattern
from routing_engine.core.compare import as_moment, as_number, is_time
from routing_engine.core.model import Comparison, Condition, ConditionGroup, Operand, Pattern, Scalar, Template, Value
from routing_engine.core.operators import OPERATORS, SYMBOLS, Operator
from routing_engine.settings.yaml_reader import Section, is_null, section_of, suggest, value_of

_JOINS = ("all", "any", "none")


def read_when(node: yaml.Node, page: RouteContext, has_record: bool = True) -> Condition | None:
    """Read a mapping of conditions, all of which must hold; None, with the problems noted, when it has none."""
    section = section_of(node, page.notes, "a condition")
    if section is None:
        return None
    if not section.names():
        page.notes.note(node, "there is no condition here", "write one, or remove 'when': the rule then always matches")
        return None
    found: list[Condition] = []
    for name in section.names():
        found += _read_entry(section, name, page, has_record)
    return _join("all", found)


def _join(join: Literal["all", "any", "none"], found: list[Condition]) -> Condition | None:
    if not found:
        return None
    return found[0] if len(found) == 1 and join != "none" else ConditionGroup(join, tuple(found))


def _read_entry(section: Section, name: str, page: RouteContext, has_record: bool) -> list[Condition]:
    node = section.take(name)
    if name in _JOINS:
        return _read_group(section, cast(Literal["all", "any", "none"], name), page, has_record)
    left = page.left(section.key_node(name), name, has_record)
    if node is None:
        section.note(name, f"'{name}' is compared with nothing", f"write {name}: {{is_empty: true}}, or a value")
        return []
    if left is None:
        return []
    if isinstance(node, yaml.MappingNode):
        return _read_operators(Section(node, page.notes), left, page, has_record)
    if isinstance(node, yaml.SequenceNode):
        section.note(name, f"'{name}' cannot be a list", f"write {name}: {{one_of: [...]}}")
        return []
    value = _read_right(node, page, name, has_record)
    if value is None or not _can_be(node, left, value, page):
        return []
    return [Comparison(left, "is", value)]


#: What left sides with few values can be: anything else would never match.
WORDS: Mapping[str, tuple[str, ...]] = {
    "list": ("allowed", "blocked", "unlisted"),
    "calendar": ("open", "closed", "holiday"),
    "attestation": ("A", "B", "C", "failed", "none"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "origin": ("live", "cache", "snapshot"),
    "device": (
        "not_inuse", "inuse", "busy", "invalid", "unavailable", "ringing", "ringinuse", "onhold", "unknown",
    ),
}  # fmt: skip


def _can_be(node: yaml.Node, left: Operand, value: Value | Template, page: RouteContext) -> bool:
    """Refuse a value that a left side never has, and a share that is compared for equality."""
    if left.scope == "share":
        page.notes.note(node, "'share' is compared, not equal", f"write share: {{less_than: {value}}}")
        return False
    word = left.name.partition(".")[0] if left.scope in ("call", "data") else left.scope
    if word in WORDS and not isinstance(value, Template) and value not in WORDS[word]:
        page.notes.note(node, f"'{left}' is never '{value}'", suggest(str(value), WORDS[word]))
        return False
    return True


def _read_group(
    section: Section, join: Literal["all", "any", "none"], page: RouteContext, has_record: bool
) -> list[Condition]:
    nodes = section.items(join)
    if not nodes and (not section.has(join) or isinstance(section.take(join), yaml.SequenceNode)):
        section.note(join, f"'{join}' holds no condition", f"write a list: {join}: [{{tier: gold}}, {{vip: true}}]")
    parts = [part for node in nodes if (part := read_when(node, page, has_record)) is not None]
    group = _join(join, parts)
    return [] if group is None else [group]


def _read_operators(section: Section, left: Operand, page: RouteContext, has_record: bool) -> list[Condition]:
    loosely = section.flag("loosely", False)
    names = [name for name in section.names() if name != "loosely"]
    if not names:
        page.notes.note(section.line, f"'{left}' has no operator", "write for example {is: gold, loosely: true}")
    read = (_read_operator(section, name, left, loosely, page, has_record) for name in names)
    return [test for test in read if test is not None]


def _read_operator(
    section: Section, name: str, left: Operand, loosely: bool, page: RouteContext, has_record: bool
) -> Comparison | None:
    word, node = SYMBOLS.get(name, name), section.take(name)
    operator = OPERATORS.get(word)
    if operator is None:
        meant = next((ours for ours, row in OPERATORS.items() if name.lower() in row.also), "")
        remedy = f"did you mean '{meant}'?" if meant else suggest(name, OPERATORS)
        section.note(name, f"operator '{name}' is not known", remedy)
        return None
    if node is None:
        section.note(name, f"operator '{name}' has nothing to compare with", "write a value")
        return None
    if loosely and not operator.compares.loosely:
        section.note("loosely", f"'{name}' does not compare text, 'loosely' means nothing here", "remove 'loosely'")
    expected = _read_expected(node, word, operator, page, has_record)
    if expected is None:
        return None
    compared = cast(tuple[Scalar | Template, ...], expected if isinstance(expected, tuple) else (expected,))
    if operator.compares.equality and not all(_can_be(node, left, value, page) for value in compared):
        return None
    return Comparison(left, word, expected, loosely)


def _read_expected(
    node: yaml.Node, name: str, operator: Operator, page: RouteContext, has_record: bool
) -> Value | Pattern | Template | None:
    if operator.takes == "pattern":
        return read_pattern(node, page.notes, f"'{name}'")
    if operator.takes in ("list", "pair"):
        return _read_list(node, name, operator, page)
    value = _read_right(node, page, name, has_record) if operator.takes == "value" else _read_value(node, page, name)
    if value is None or isinstance(value, Template):
        return value
    wrong = _wrong(operator, value)
    if wrong:
        page.notes.note(node, f"'{name}' {wrong}, not '{str(value)[:80]}'", "correct the value or the operator")
        return None
    return value


def _wrong(operator: Operator, value: Scalar) -> str:
    """Return what is wrong with a right side that could never match; "" for one that can."""
    if operator.takes == "flag" and not isinstance(value, bool):
        return "is true or false"
    if operator.takes == "number":
        number = None if isinstance(value, str) else as_number(value)
        return "" if number is not None and 0 <= number <= 100_000 else "needs a number from 0 to 100000"
    ordered = as_number(value) is not None or is_time(value) or as_moment(value, datetime(2000, 1, 1)) is not None
    if operator.compares.ordered and not ordered:
        return "compares numbers, dates (YYYY-MM-DD) and times ('HH:MM')"
    return ""


def _read_list(node: yaml.Node, name: str, operator: Operator, page: RouteContext) -> Value | None:
    pair = operator.takes == "pair"
    if not isinstance(node, yaml.SequenceNode) or not node.value or (pair and len(node.value) != 2):
        example = "[1000, 5000]" if pair else "[gold, silver]"
        what = "a list of two values, lowest and highest" if pair else "a list of values"
        page.notes.note(node, f"'{name}' needs {what}", f"write {name}: {example}")
        return None
    found = [_read_value(item, page, name) for item in node.value]
    values = tuple(value for value in found if value is not None)
    return values if len(values) == len(found) and _is_in_order(node, name, operator, values, page) else None


def _is_in_order(
    node: yaml.Node, name: str, operator: Operator, values: tuple[Scalar, ...], page: RouteContext
) -> bool:
    wrong = next((why for value in values if (why := _wrong(operator, value))), "")
    if wrong:
        page.notes.note(node, f"'{name}' {wrong}", "correct the values or the operator")
        return False
    low, high = as_number(values[0]), as_number(values[-1])
    if operator.takes == "pair" and low is not None and high is not None and low > high:
        page.notes.note(node, f"'{name}' can never hold: the first value is above the second", "swap them")
        return False
    return True


def _read_right(node: yaml.Node, page: RouteContext, what: str, has_record: bool) -> Scalar | Template:
    """Read what stands alone on the right: a value, or a text with values of the record and the call in it."""
    value = _read_value(node, page, what)
    if not isinstance(value, str) or ("{" not in value and "}" not in value):
        return value
    template = page.template(node, value, has_record)
    return template if template is None or template.operands else "".join(map(str, template.parts))


def _read_value(node: yaml.Node, page: RouteContext, what: str) -> Scalar:
    if is_null(node):
        page.notes.note(node, f"'{what}' is compared with nothing", "write a value, or use {is_empty: true}")
        return None
    before = len(page.notes.problems)
    value = value_of(node, page.notes, f"'{what}'")
    return value if len(page.notes.problems) == before else None  # one fault is told once
