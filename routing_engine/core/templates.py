"""Operands and templates: `{company} - {name}` with values from the record and the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from routing_engine.core.model import Caller, Operand, Record, Site, Template, Value
from routing_engine.core.phone import country_of

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}\Z")
_VARIABLE = re.compile(r"variable\.[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_CALENDAR = re.compile(r"calendar(\.[A-Za-z0-9][A-Za-z0-9_\-]{0,63})?\Z")
_DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,79}\Z")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: What may follow `call.`, and what it gives. `call.variable.NAME` is a channel variable.
CALL_FIELDS: Mapping[str, str] = {
    "caller": "the caller's number in E.164, empty when it is hidden",
    "country": "the caller's country, two letters (ISO 3166), empty when it is not known",
    "called": "the number that was dialled",
    "name": "the caller's name as it arrived",
    "input": "the digits that were typed",
    "language": "the language of the call",
    "time": "the time of day at the site, HH:MM",
    "weekday": "the day of the week, monday to sunday",
    "date": "the day at the site, YYYY-MM-DD",
    "id": "the id of the call",
    "attestation": "STIR/SHAKEN: A, B or C as verified, `failed`, or `none`",
}

#: What is known of a record beside its fields.
DATA_FIELDS: Mapping[str, str] = {
    "origin": "where the record came from: live, cache or snapshot",
    "age_s": "how many seconds ago it was read from there",
}

#: What may follow `queue.NAME.`.
QUEUE_FIELDS: Mapping[str, str] = {
    "members": "members that are logged in",
    "free": "members that could take a call now",
    "waiting": "callers who wait",
}


def read_operand(text: str) -> Operand:
    """Read an operand: `input`, `call.FIELD`, `list.NAME`, `queue.NAME.waiting`, ..., else a field of the record.

    Raises `ValueError` with a sentence.
    """
    room, _, name = text.partition(".")
    if text in ("input", "call.input"):
        return Operand("input", "")
    if text == "share":
        return Operand("share", "")
    if room in _ROOMS and "." in text:
        return _ROOMS[room](text, name)
    if not _NAME.match(text):
        raise ValueError(f"'{text}' is not the name of a field")
    return Operand("record", text)


def _call_operand(text: str, name: str) -> Operand:
    if name in CALL_FIELDS or _VARIABLE.match(name) or _CALENDAR.match(name):
        return Operand("call", name)
    known = [*CALL_FIELDS, "calendar.NAME", "variable.NAME"]
    raise ValueError(f"'{text}' is not known; after 'call.' there is {', '.join(known[:-1])} or {known[-1]}")


def _input_operand(text: str, name: str) -> Operand:
    if not _NAME.match(name):
        raise ValueError(f"'{text}' is not the name of an input")
    return Operand("input", name)


def _list_operand(text: str, name: str) -> Operand:
    if not _NAME.match(name):
        raise ValueError(f"'{text}' is not the name of a list")
    return Operand("list", name)


def _data_operand(text: str, name: str) -> Operand:
    if name not in DATA_FIELDS:
        raise ValueError(f"'{text}' is not known; after 'data.' there is {' and '.join(DATA_FIELDS)}")
    return Operand("data", name)


def _device_operand(text: str, name: str) -> Operand:
    if not _DEVICE.match(name):
        raise ValueError(f"'{text}' is not an extension")
    return Operand("device", name)


def _queue_operand(text: str, name: str) -> Operand:
    queue, _, what = name.rpartition(".")
    if not _DEVICE.match(queue) or what not in QUEUE_FIELDS:
        raise ValueError(f"'{text}' is not known; write queue.NAME. with {', '.join(QUEUE_FIELDS)}")
    return Operand("queue", name)


_ROOMS: Mapping[str, Callable[[str, str], Operand]] = {
    "call": _call_operand,
    "input": _input_operand,
    "list": _list_operand,
    "data": _data_operand,
    "device": _device_operand,
    "queue": _queue_operand,
}


def read_template(text: str) -> Template:
    """Read `text with {field}`; `{{` and `}}` are braces themselves. Raises `ValueError` with a sentence."""
    return Template(tuple(read_operand(piece.strip()) if braced else piece for piece, braced in split_braces(text)))


def split_braces(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of `text with {value}` in their order, each with whether it stood in braces.

    `{{` and `}}` are braces themselves. Every language with values in braces is read with this: templates of routes,
    texts of CRM descriptions, keys of key-value stores. Raises `ValueError`, a sentence, where a brace stands alone.
    """
    pieces: list[tuple[str, bool]] = []
    for found in _PIECE.finditer(text):
        token, inside = found[0], found[1]
        if token in ("{", "}"):
            raise ValueError(f"a brace in '{text}' has no partner")
        if inside is not None:
            pieces.append((inside, True))
        elif pieces and not pieces[-1][1]:  # `{{` leaves a brace of its own: it belongs to its neighbours
            pieces[-1] = pieces[-1][0] + _unescaped(token), False
        else:
            pieces.append((_unescaped(token), False))
    return pieces


def _unescaped(token: str) -> str:
    return token[0] if token in ("{{", "}}") else token


def render(template: Template, look: Callable[[Operand], Value]) -> str:
    """Fill a template; a value that is missing becomes ""."""
    return "".join([part if isinstance(part, str) else as_text(look(part)) for part in template.parts])


def as_text(value: Value) -> str:
    """Return a value as people write it: `true`, `1001` (also for 1001.0), "" for nothing, a list with ", "."""
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
    """All that conditions and templates may look at: the call, the digits by input name, the record, what was observed.

    `salt` tells one percentage split from another: the name of the route.
    """

    caller: Caller
    typed: Mapping[str, str]
    record: Record | None = None
    site: Site = field(default_factory=Site)
    seen: Mapping[Operand, Value] = field(default_factory=dict)
    salt: str = ""

    def value_of(self, operand: Operand) -> Value:
        """Return the value of an operand; None when it has none."""
        if operand.scope == "record":
            return self.record.fields.get(operand.name) if self.record is not None else None
        if operand.scope == "input":
            return self.typed.get(operand.name) if operand.name else next(iter(self.typed.values()), "")
        if operand.live:
            return self.seen.get(operand)
        if operand.scope == "call":
            return self._call(operand.name)
        if operand.scope == "data":
            return self._data(operand.name)
        if operand.scope == "list":
            known = self.site.lists.get(operand.name)
            return known.verdict(self.caller.number) if known is not None else None
        return share_of(self.caller, self.salt)  # the scope that is left

    def _call(self, name: str) -> Value:
        if not name.startswith("calendar"):
            return _call_field(self.caller, name)
        calendar = self.site.calendars.get(name.removeprefix("calendar").removeprefix("."))
        return calendar.state(self.caller.at) if calendar is not None else None

    def _data(self, name: str) -> Value:
        if self.record is None:
            return None
        return self.record.origin if name == "origin" else self.record.age_s


def share_of(caller: Caller, salt: str) -> float:
    """Return where a caller stands in a percentage split: 0 up to, not including, 100; the same at every call.

    A caller without a number is split by the call's id, so at random.
    """
    who = caller.number.e164 if caller.number is not None else caller.call_id
    digest = blake2b(f"{salt}\n{who}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % 10_000 / 100


def _call_field(caller: Caller, name: str) -> Value:
    if name.startswith("variable."):
        return caller.variables.get(name.removeprefix("variable."), "")
    if name == "caller":
        return caller.number.e164 if caller.number is not None else ""
    if name == "country":
        return country_of(caller.number) if caller.number is not None else ""
    if name == "time":
        return caller.at.strftime("%H:%M")
    if name == "date":
        return caller.at.date().isoformat()
    if name == "weekday":
        return _WEEKDAYS[caller.at.weekday()]
    return {"called": caller.called, "name": caller.name, "language": caller.language, "id": caller.call_id}[name]
