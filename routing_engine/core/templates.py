"""Left sides and templates: `{company} - {name}` with values from the record and the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routing_engine.core.model import Caller, Left, Record, Template, Value

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}\Z")
_VARIABLE = re.compile(r"variable\.[A-Za-z_][A-Za-z0-9_]{0,63}\Z")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: What may follow `call.`, and what it gives. `call.variable.NAME` is a channel variable.
CALL_FIELDS: Mapping[str, str] = {
    "caller": "the caller's number in E.164, empty when it is hidden",
    "called": "the number that was dialled",
    "name": "the caller's name as it arrived",
    "input": "the digits that were typed",
    "language": "the language of the call",
    "time": "the time of day at the site, HH:MM",
    "weekday": "the day of the week, monday to sunday",
    "date": "the day at the site, YYYY-MM-DD",
    "id": "the id of the call",
}


def read_left(text: str) -> Left:
    """Read a left side: `input`, `input.NAME`, `call.FIELD`, `call.variable.NAME`, else a field of the record.

    Raises `ValueError` with a sentence.
    """
    room, _, name = text.partition(".")
    if text in ("input", "call.input"):
        return Left("input", "")
    if room == "input" and name:
        return Left("input", name)
    if room == "call":
        if name in CALL_FIELDS or _VARIABLE.match(name):
            return Left("call", name)
        raise ValueError(f"'{text}' is not known; after 'call.' there is {', '.join(CALL_FIELDS)} or variable.NAME")
    if not _NAME.match(text):
        raise ValueError(f"'{text}' is no field name")
    return Left("record", text)


def read_template(text: str) -> Template:
    """Read `text with {field}`; `{{` and `}}` are braces themselves. Raises `ValueError` with a sentence."""
    parts: list[str | Left] = []
    for piece in _PIECE.finditer(text):
        token, name = piece[0], piece[1]
        if token in ("{", "}"):
            raise ValueError(f"a brace in '{text}' has no partner")
        if name is not None:
            parts.append(read_left(name.strip()))
        else:
            _append_text(parts, token[0] if token in ("{{", "}}") else token)
    return Template(tuple(parts))


def _append_text(parts: list[str | Left], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)


def render(template: Template, look: Callable[[Left], Value]) -> str:
    """Fill a template; a value that is missing becomes ""."""
    return "".join(part if isinstance(part, str) else as_text(look(part)) for part in template.parts)


def as_text(value: Value) -> str:
    """Give a value as people write it: `true`, `1001` (also for 1001.0), "" for nothing, a list with ", "."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, tuple):
        return ", ".join(as_text(item) for item in value)
    return str(value)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that conditions and templates may look at: the call, the digits by input name, and the record."""

    caller: Caller
    typed: Mapping[str, str]
    record: Record | None = None

    def look(self, left: Left) -> Value:
        """Give the value of a left side; None when there is none."""
        if left.room == "record":
            return self.record.fields.get(left.name) if self.record is not None else None
        if left.room == "input":
            return self.typed.get(left.name) if left.name else next(iter(self.typed.values()), "")
        return _call_field(self.caller, left.name)


def _call_field(caller: Caller, name: str) -> Value:
    if name.startswith("variable."):
        return caller.variables.get(name.removeprefix("variable."), "")
    if name == "caller":
        return caller.number.e164 if caller.number is not None else ""
    if name == "time":
        return caller.at.strftime("%H:%M")
    if name == "date":
        return caller.at.date().isoformat()
    if name == "weekday":
        return _WEEKDAYS[caller.at.weekday()]
    return {"called": caller.called, "name": caller.name, "language": caller.language, "id": caller.call_id}[name]
