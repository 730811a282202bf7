"""Canned answers as they are written: records instead of sources, and what a live system would tell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeAlias, TypeGuard

from routing_engine.core.asks import SourceDown
from routing_engine.core.model import Json, Operand, Record, Scalar, Value
from routing_engine.core.templates import as_text, read_operand
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, read_yaml

_ANSWERS = "write a record, a list of records, down or none"
_LIVE = "write device.EXT: busy, queue.NAME.members: 2, call.attestation: A or last_agent: [EXT, DATE]"
_STATE = re.compile(r"[a-z_]{1,20}\Z", re.ASCII)
_ATTESTED = ("A", "B", "C", "failed", "none")
#: What a source answers: its records (none is an empty tuple), or that it is down.
Canned: TypeAlias = tuple[Record, ...] | SourceDown

_DOWN = SourceDown("the canned answer says so")


def states_of(section: Section) -> Mapping[Operand, Value]:
    """Take every key of a section as the state of a live left side: `device.200: busy`, `last_agent: [200, DATE]`."""
    found: dict[Operand, Value] = {}
    for name in section.names():
        value = _read_field(section, name)
        try:
            left = live_operand(name)
            found |= {left: state_of(left, value)} if value is not None else {}
        except ValueError as error:
            section.note(name, str(error), _LIVE)
    return found


def state_of(left: Operand, value: Value) -> Value:
    """Return a state in the shape in which a channel tells it. Raises `ValueError` with a sentence."""
    text = as_text(value).strip()
    # Asterisk writes them in capitals, the channel does not: a state in capitals would hold in no rule.
    if left.scope == "device" and _STATE.match(text.lower()):
        return text.lower()
    if left.scope == "queue" and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if left.scope == "call" and text in _ATTESTED:
        return text
    if left.scope == "last_agent" and isinstance(value, tuple) and len(value) == 2:
        return tuple(map(as_text, value))
    raise ValueError(f"'{left}' is never '{text[:80]}'")


def live_operand(name: str) -> Operand:
    """Read the name of a live state: `device.EXT`, `queue.NAME.waiting`, ... Raises `ValueError` with a sentence."""
    left = Operand("last_agent", "") if name == "last_agent" else read_operand(name)
    if not left.live:
        raise ValueError(f"'{name}' is not a live state")
    return left


def read_records(text: str, notes: Problems) -> Mapping[str, Canned]:
    """Read a file of canned answers (YAML or JSON): `source: record`, a list of records, `down` or `none`."""
    found = _read_json(text)
    if found is not None:
        return found
    section = read_yaml(text, notes)
    return {} if section is None else records_of(section)


def _read_json(text: str) -> Mapping[str, Canned] | None:
    """Return the answers of a file that is JSON from end to end; None leaves it to YAML, which names what is wrong.

    Programs write numbers that are traps in YAML, such as `1e-07`: in JSON, and from a real system, they are numbers.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        return {name: _of_json(answer) for name, answer in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return None


def _of_json(answer: Json) -> Canned:
    if answer in ("down", "none"):
        return _DOWN if answer == "down" else ()
    records = answer if isinstance(answer, list) else [answer]
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("an answer is a record, or a list of records")
    return tuple(
        Record({name: _flat(value) for name, value in record.items()}) for record in records if isinstance(record, dict)
    )


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")  # JSON would silently take the last one; YAML names the line
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def records_of(section: Section) -> Mapping[str, Canned]:
    """Take every key of a section as a source's canned answer; any other answer is noted."""
    found = {}
    for name in section.names():
        value = section.value(name)
        if value is None:
            section.note(name, f"'{name}' has no answer", _ANSWERS)
        else:
            found[name] = _read_canned(value)
    return found


def _read_canned(value: YamlValue) -> Canned:
    if value.is_list:
        return tuple(_read_record(entry) for entry in value.entries())
    word = value.word()
    if word is None:
        return (_read_record(value),)
    if word not in ("down", "none"):
        value.note(f"{value.what} cannot answer '{word[:80]}'", _ANSWERS)
    return _DOWN if word == "down" else ()


def _read_record(value: YamlValue) -> Record:
    section = value.called(f"a record of {value.what}").section()
    if section is None:
        return Record({})
    return Record({field: _read_field(section, field) for field in section.names()})


def _read_field(section: Section, name: str) -> Value:
    """Read a field as providers read JSON: a list of values as a tuple, anything deeper as its JSON text."""
    value = section.value(name)
    return None if value is None else _flat(_read_value(value))


def _flat(found: Json) -> Value:
    # A rule may look into a list of values. What lies deeper has no name in a condition, so it is a text.
    if isinstance(found, list) and all(_is_scalar(one) for one in found):
        return tuple(one for one in found if _is_scalar(one))
    return found if _is_scalar(found) else json.dumps(found, ensure_ascii=False)


def _is_scalar(found: Json) -> TypeGuard[Scalar]:
    return found is None or isinstance(found, (bool, int, float, str))


def _read_value(value: YamlValue) -> Json:
    if value.is_list:
        return [_read_value(entry) for entry in value.entries()]
    section = value.section() if value.is_mapping else None
    if section is not None:
        inner = {key: section.value(key) for key in section.names()}
        return {key: None if found is None else _read_value(found) for key, found in inner.items()}
    return None if value.is_empty else value.scalar()
