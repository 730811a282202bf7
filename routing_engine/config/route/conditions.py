"""`when`: a mapping in which all must hold, or a tree of `all`, `any` and `none`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, cast

from routing_engine.config.route.context import RouteContext, read_pattern
from routing_engine.core.compare import as_moment, as_number, is_time
from routing_engine.core.model import Comparison, Condition, ConditionGroup, Operand, Pattern, Scalar, Template, Value
from routing_engine.core.operators import OPERATORS, SYMBOLS, Operator
from routing_engine.settings.value_types import TEXT, Definitions, Schema, raw
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

Join: TypeAlias = Literal["all", "any", "none"]
_JOINS: tuple[Join, ...] = ("all", "any", "none")


def read_when(value: YamlValue, context: RouteContext, has_record: bool = True) -> Condition | None:
    """Read a mapping of conditions, all of which must hold; None, with the problems noted, when it has none."""
    section = value.called("a condition").section()
    if section is None:
        return None
    if not section.names():
        value.note("there is no condition here", "write one, or remove 'when': the rule then always matches")
        return None
    found: list[Condition] = []
    for name in section.names():
        found += _read_entry(section, name, context, has_record)
    return _join("all", found)


def _join(join: Join, found: list[Condition]) -> Condition | None:
    if not found:
        return None
    return found[0] if len(found) == 1 and join != "none" else ConditionGroup(join, tuple(found))


def _read_entry(section: Section, name: str, context: RouteContext, has_record: bool) -> list[Condition]:
    value = section.value(name)
    join = next((one for one in _JOINS if one == name), None)
    if join is not None:
        return _read_group(section, join, context, has_record)
    left = context.left(section.key(name), name, has_record)
    if value is None:
        section.note(name, f"'{name}' is compared with nothing", f"write {name}: {{is_empty: true}}, or a value")
        return []
    if left is None:
        return []
    # Other rule languages take a list for "one of"; here it might as well mean "all of".
    if value.is_list:
        section.note(name, f"'{name}' cannot be a list", f"write {name}: {{one_of: [...]}}")
        return []
    operators = value.section() if value.is_mapping else None
    if operators is not None:
        return _read_operators(operators, left, context, has_record)
    right = _read_right(value, context, has_record)
    if right is None or not _can_be(value, left, right):
        return []
    return [Comparison(left, "is", right, line=section.line_of(name))]


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


def _can_be(place: YamlValue, left: Operand, value: Value | Template) -> bool:
    """Refuse a value that a left side never has, and a share that is compared for equality."""
    if left.scope == "share":
        place.note("'share' is compared, not equal", f"write share: {{less_than: {value}}}")
        return False
    word = left.name.partition(".")[0] if left.scope in ("call", "data") else left.scope
    if word in WORDS and not isinstance(value, Template) and value not in WORDS[word]:
        place.note(f"'{left}' is never '{value}'", suggest(str(value), WORDS[word]))
        return False
    return True


def _read_group(section: Section, join: Join, context: RouteContext, has_record: bool) -> list[Condition]:
    value = section.value(join)
    entries = value.entries() if value is not None and value.is_list else []
    # A mapping below `any` reads as "one of these", and would mean "all of these".
    if value is not None and not value.is_list:
        section.note(join, f"'{join}' must be a list", f"write its entries below '{join}:', each with '- '")
    elif not entries:
        section.note(join, f"'{join}' holds no condition", f"write a list: {join}: [{{tier: gold}}, {{vip: true}}]")
    parts = [part for entry in entries if (part := read_when(entry, context, has_record)) is not None]
    group = _join(join, parts)
    return [] if group is None else [group]


def _read_operators(section: Section, left: Operand, context: RouteContext, has_record: bool) -> list[Condition]:
    written = section.value("loosely")
    loosely = bool(written is not None and written.flag())
    names = [name for name in section.names() if name != "loosely"]
    if not names:
        section.notes.note(section.line, f"'{left}' has no operator", "write for example {is: gold, loosely: true}")
    read = (_read_operator(section, name, left, loosely, context, has_record) for name in names)
    return [test for test in read if test is not None]


def _read_operator(
    section: Section, name: str, left: Operand, loosely: bool, context: RouteContext, has_record: bool
) -> Comparison | None:
    word, value = SYMBOLS.get(name, name), section.value(name)
    operator = OPERATORS.get(word)
    if operator is None:
        meant = next((ours for ours, row in OPERATORS.items() if name.lower() in row.also), "")
        remedy = f"did you mean '{meant}'?" if meant else suggest(name, OPERATORS)
        section.note(name, f"operator '{name}' is not known", remedy)
        return None
    if value is None:
        section.note(name, f"operator '{name}' has nothing to compare with", "write a value")
        return None
    if loosely and not operator.compares.loosely:
        section.note("loosely", f"'{name}' does not compare text, 'loosely' means nothing here", "remove 'loosely'")
    expected = _read_expected(value, operator, context, has_record)
    if expected is None:
        return None
    compared = cast(tuple[Scalar | Template, ...], expected if isinstance(expected, tuple) else (expected,))
    if operator.compares.equality and not all(_can_be(value, left, one) for one in compared):
        return None
    return Comparison(left, word, expected, loosely, section.line_of(name))


def _read_expected(
    value: YamlValue, operator: Operator, context: RouteContext, has_record: bool
) -> Value | Pattern | Template | None:
    if operator.takes == "pattern":
        return read_pattern(value)
    if operator.takes in ("list", "pair"):
        return _read_list(value, operator)
    right = _read_right(value, context, has_record) if operator.takes == "value" else _read_scalar(value)
    if right is None or isinstance(right, Template):
        return right
    wrong = _wrong(operator, right)
    if wrong:
        value.note(f"{value.what} {wrong}, not '{str(right)[:80]}'", "correct the value or the operator")
        return None
    return right


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


def _read_list(value: YamlValue, operator: Operator) -> Value | None:
    pair, entries = operator.takes == "pair", value.entries() if value.is_list else []
    if not entries or (pair and len(entries) != 2):
        example = "[1000, 5000]" if pair else "[gold, silver]"
        needs = "a list of two values, lowest and highest" if pair else "a list of values"
        value.note(f"{value.what} needs {needs}", f"write {value.what[1:-1]}: {example}")
        return None
    found = [_read_scalar(entry) for entry in entries]
    values = tuple(one for one in found if one is not None)
    return values if len(values) == len(found) and _is_in_order(value, operator, values) else None


def _is_in_order(value: YamlValue, operator: Operator, values: tuple[Scalar, ...]) -> bool:
    wrong = next((why for one in values if (why := _wrong(operator, one))), "")
    if wrong:
        value.note(f"{value.what} {wrong}", "correct the values or the operator")
        return False
    low, high = as_number(values[0]), as_number(values[-1])
    if operator.takes == "pair" and low is not None and high is not None and low > high:
        value.note(f"{value.what} can never hold: the first value is above the second", "swap them")
        return False
    return True


def _read_right(value: YamlValue, context: RouteContext, has_record: bool) -> Scalar | Template:
    """Read what stands alone on the right: a value, or a text with values of the record and the call in it."""
    right = _read_scalar(value)
    if not isinstance(right, str) or ("{" not in right and "}" not in right):
        return right
    template = context.template(value, right, has_record)
    return template if template is None or template.operands else "".join(map(str, template.parts))


def _read_scalar(value: YamlValue) -> Scalar:
    if value.is_empty:
        value.note(f"{value.what} is compared with nothing", "write a value, or use {is_empty: true}")
        return None
    before = len(value.notes.problems)
    found = value.scalar()
    return found if len(value.notes.problems) == before else None  # one fault is told once


# ------------------------------------------------------------------------------------------- JSON Schema

_TAKES: Mapping[str, Schema] = {
    "value": TEXT,
    "list": {"type": "array", "items": TEXT, "minItems": 1},
    "pair": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2},
    "number": {"type": "number", "minimum": 0, "maximum": 100_000},
    "flag": {"type": "boolean"},
    "pattern": {"type": "string"},
}


def _operators_schema(_: Definitions) -> Schema:
    loosely: Schema = {"type": "boolean", "description": "true: capital letters, accents and spaces make no difference"}
    words = {name: {**_TAKES[row.takes], "description": row.doc} for name, row in OPERATORS.items()}
    symbols = {symbol: words[name] for symbol, name in SYMBOLS.items()}
    return {
        "type": "object",
        "properties": {**words, **symbols, "loosely": loosely},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _condition_schema(definitions: Definitions) -> Schema:
    some: Schema = {"type": "array", "items": condition_schema(definitions), "minItems": 1}
    means = {"all": "all of them hold", "any": "one of them holds", "none": "none of them holds"}
    return {
        "type": "object",
        "properties": {join: {**some, "description": means[join]} for join in _JOINS},
        "additionalProperties": {"anyOf": [definitions.refer("Operators", _operators_schema), TEXT]},
        "minProperties": 1,
    }


def condition_schema(definitions: Definitions) -> Schema:
    """Return the JSON Schema of a condition: fields with a value or operators, and trees of them."""
    return definitions.refer("Condition", _condition_schema)


CONDITION = raw("[condition](conditions.md)", condition_schema)
