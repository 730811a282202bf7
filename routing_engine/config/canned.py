"""Canned answers: records from a file instead of sources, and the driver that decides with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import yaml

from routing_engine.config.route.context import scalar
from routing_engine.core.decide import decide
from routing_engine.core.model import (
    Answer,
    Ask,
    Caller,
    Collect,
    Decision,
    Find,
    Found,
    Observe,
    Observed,
    Open,
    Opened,
    Operand,
    Record,
    Route,
    Scalar,
    SourceDown,
    Typed,
    Value,
)
from routing_engine.core.templates import as_text, read_operand
from routing_engine.settings.yaml_reader import Problems, Section, is_null, read_yaml, section_of, value_of

_LIVE = "write device.EXT, queue.NAME.members, call.attestation or last_agent: [EXT, DATE]"
#: What a source answers: its records (none is an empty tuple), or that it is down.
Canned: TypeAlias = tuple[Record, ...] | SourceDown


def drive(
    route: Route,
    caller: Caller,
    inputs: Sequence[str],
    records: Mapping[str, Canned],
    routes: Mapping[str, Route] | None = None,
    states: Mapping[Operand, Value] | None = None,
) -> Decision:
    """Decide with canned answers: `inputs` one by one for each try ("" is silence), `records` by the source's name.

    A source without a canned answer has no record. `routes` are those that a destination `route` may go on with.
    `states` are what live left sides are; one that is not there is not known.
    """
    typed = iter(inputs)
    talk = decide(route, caller)
    answer: Answer | None = None
    while True:
        try:
            ask = talk.send(cast(Answer, answer))
        except StopIteration as end:
            return cast(Decision, end.value)
        if isinstance(ask, Collect):
            answer = Typed(_until_terminator(next(typed, ""), ask.input.terminator))
        elif isinstance(ask, Observe):
            answer = Observed(states or {})
        else:
            answer = _answer(ask, records, routes or {})


def _until_terminator(digits: str, terminator: str) -> str:
    return digits.split(terminator)[0] if terminator else digits


def _answer(ask: Ask, records: Mapping[str, Canned], routes: Mapping[str, Route]) -> Answer:
    if isinstance(ask, Open):
        return Opened(routes.get(ask.route))
    if not isinstance(ask, Find):
        return Typed()
    canned = records.get(ask.source.name, ())
    return canned if isinstance(canned, SourceDown) else Found(canned)


def states_of(section: Section) -> Mapping[Operand, Value]:
    """Take every key of a section as the state of a live left side: `device.200: busy`, `last_agent: [200, DATE]`."""
    found = {}
    for name in section.names():
        value = _read_field(section, name)
        try:
            left = live_operand(name)
        except ValueError as error:
            section.note(name, str(error), _LIVE)
        else:
            found.update({left: value} if value is not None else {})
    return found


def live_operand(name: str) -> Operand:
    """Read the name of a live state: `device.EXT`, `queue.NAME.waiting`, ... Raises `ValueError` with a sentence."""
    left = Operand("last_agent", "") if name == "last_agent" else read_operand(name)
    if not left.live:
        raise ValueError(f"'{name}' is no live state")
    return left


def read_records(text: str, notes: Problems) -> Mapping[str, Canned]:
    """Read a file of canned answers (YAML or JSON): `source: record`, a list of records, `down` or `none`."""
    section = read_yaml(text, notes)
    return {} if section is None else records_of(section)


def records_of(section: Section) -> Mapping[str, Canned]:
    """Take every key of a section as a source's canned answer; what is none of them is noted."""
    found = {}
    for name in section.names():
        node = section.take(name)
        if node is None:
            section.note(name, f"'{name}' has no answer", "write a record, a list of records, down or none")
        else:
            found[name] = _read_canned(node, name, section.notes)
    return found


def _read_canned(node: yaml.Node, name: str, notes: Problems) -> Canned:
    if isinstance(node, yaml.SequenceNode):
        return tuple(_read_record(item, name, notes) for item in node.value)
    word = scalar(node)
    if word is None:
        return (_read_record(node, name, notes),)
    if word not in ("down", "none"):
        notes.note(node, f"'{name}' cannot answer '{word[:80]}'", "write a record, a list of records, down or none")
    return SourceDown("the canned answer says so") if word == "down" else ()


def _read_record(node: yaml.Node, name: str, notes: Problems) -> Record:
    section = section_of(node, notes, f"a record of '{name}'")
    if section is None:
        return Record({})
    fields = {field: _read_field(section, field) for field in section.names()}
    return Record(fields, id=as_text(fields.get("id")), origin="canned")


def _read_field(section: Section, name: str) -> Value:
    node = section.take(name)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_read_scalar(item, name, section.notes) for item in node.value)
    return None if node is None else _read_scalar(node, name, section.notes)


def _read_scalar(node: yaml.Node, name: str, notes: Problems) -> Scalar:
    return None if is_null(node) else value_of(node, notes, f"'{name}'")
