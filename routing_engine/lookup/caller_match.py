"""Whose record it is: what a search by the caller's number has found is checked before anybody believes it.

Systems search by spellings, by the last digits, or by "contains": among what they find are strangers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from routing_engine.core.model import Record, Value
from routing_engine.core.phone import holds_line, last_digits, lines_in
from routing_engine.core.ports import Query
from routing_engine.core.templates import as_text
from routing_engine.settings.integration import Model


def queries(first: Query, model: Model) -> Iterator[Query]:
    """Return what to ask one after the other until something is found.

    That is each of the provider's ways to ask for a caller, in each spelling of the number. Spellings that are the same
    are asked for once. A search for anything else is one question.
    """
    if not first.by_caller or first.caller is None:
        yield first if model.forms[0] == first.form else replace(first, form=model.forms[0])
        return
    asked = {""}  # a number that has no such spelling is not asked for
    for form in model.forms:
        query = first if form == first.form else replace(first, form=form)
        if query.number not in asked:
            asked.add(query.number)
            yield from (replace(query, attempt=attempt) if attempt else query for attempt in range(model.attempts))


@dataclass(frozen=True, slots=True)
class CallerMatch:
    """What a search found: the caller's records, those of others, and those whose numbers cannot be read."""

    callers: Sequence[Record]
    mismatches: Sequence[Record] = ()
    unreadable: Sequence[Record] = ()


def match_caller(
    found: Sequence[Record], query: Query, fields: Sequence[str], region: str, must_show: bool = False
) -> CallerMatch:
    """Return whose the records are; without a search by the caller all are his.

    `fields` are those that hold phone numbers, by our names; `must_show` is the model's. One of a record's numbers must
    be the caller's. A record that shows no number at all counts where the whole number was asked for, because some
    systems do not show numbers; never where only the last digits were, or the model must show one.
    """
    caller = query.caller
    if not query.by_caller or caller is None:
        return CallerMatch(found)
    believed = not (must_show or last_digits(query.form))
    callers, mismatches, unreadable = list[Record](), list[Record](), list[Record]()
    for record in found:
        held = [text for name in fields for text in _texts(record.fields.get(name))]
        if any(holds_line(text, caller, region) for text in held) or (believed and not held):
            callers.append(record)
        else:
            read = not held or any(lines_in(text, region) for text in held)
            (mismatches if read else unreadable).append(record)
    return CallerMatch(callers, mismatches, unreadable)


def _texts(value: Value) -> list[str]:
    every = value if isinstance(value, tuple) else (value,)
    return [text for item in every if (text := as_text(item).strip())]
