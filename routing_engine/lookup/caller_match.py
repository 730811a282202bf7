"""Whose record it is: what a search by the caller's number has found is checked before anybody believes it.

Systems search by spellings, by the last digits, or by "contains": among what they find are strangers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from routing_engine.core.model import Record, Value
from routing_engine.core.phone import Number, holds_line, last_digits
from routing_engine.core.ports import Query
from routing_engine.core.templates import as_text
from routing_engine.settings.integration import Model


def queries(first: Query, model: Model) -> Iterator[Query]:
    """Return what to ask one after the other until something is found.

    That is each of the provider's ways to ask for a caller, in each spelling of the number. Spellings that are the same
    are asked for once. A search for anything else is one question.
    """
    if not first.by_caller or first.caller is None:
        yield replace(first, form=model.forms[0])
        return
    asked = {""}  # a number that has no such spelling is not asked for
    for form in model.forms:
        query = replace(first, form=form)
        if query.number not in asked:
            asked.add(query.number)
            yield from (replace(query, attempt=attempt) for attempt in range(model.attempts))


def match_caller(
    found: Sequence[Record], query: Query, fields: Sequence[str], region: str, must_show: bool = False
) -> tuple[list[Record], list[Record]]:
    """Return the caller's records and the mismatches, those of others; without a search by the caller all are his.

    `fields` are those that hold phone numbers, by our names; `must_show` is the model's.
    """
    caller = query.caller
    if not query.by_caller or caller is None:
        return list(found), []
    callers, mismatches = list[Record](), list[Record]()
    for record in found:
        # A record without a number, found by the whole one, was found by it: some systems do not show numbers.
        believed = not (must_show or last_digits(query.form))
        (callers if _is_of(record, caller, query.form, fields, region, believed) else mismatches).append(record)
    return callers, mismatches


def _is_of(record: Record, caller: Number, form: str, fields: Sequence[str], region: str, believed: bool) -> bool:
    """Return whether a record is the caller's: one of its numbers must be the caller's.

    A record that shows no number at all counts when `believed`: where the whole number was asked for, and never where
    only the last digits were, or the system says of itself that it compares parts.
    """
    held = [text for name in fields for text in _texts(record.fields.get(name))]
    if not held:
        return believed
    return any(holds_line(text, caller, region, form) for text in held)


def _texts(value: Value) -> list[str]:
    every = value if isinstance(value, tuple) else (value,)
    return [text for item in every if (text := as_text(item).strip())]
