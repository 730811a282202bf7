"""The section `api_keys` of engine.yaml: programs that use the listener `http`, and what each may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import choice, mapping_of, number, one_or_more, random_key

#: What a key may: read calls, write to them, have people call, ask how a route would decide, have a password made for a
#: telephone, tell of calls of another telephone system, be an edge of ours, change what is in force.
Right: TypeAlias = Literal["calls.read", "calls.write", "dial", "decide", "sip", "events", "edge", "administer"]
RIGHTS: tuple[Right, ...] = get_args(Right)
#: Twice what a busy site's telephone system tells.
PER_SECOND = 100.0


@dataclass(frozen=True, slots=True)
class ProgramKeys:
    """One key."""

    key: str = required(
        random_key(),
        "",
        "what the program sends: `Authorization: Bearer KEY`",
        example="'${WEBSITE_KEY}'",
    )
    may: tuple[Right, ...] = required(
        one_or_more(
            choice(*RIGHTS, fault="there is no right '{}'"),
            ("'may' names no right", "write for example may: [calls.read]"),
        ),
        (),
        "the [rights](api.md#rights) of the program",
        example="[calls.read, calls.write]",
    )
    per_second: float = setting(
        number(0.1, 1000, "requests a second"),
        PER_SECOND,
        "how many requests a second the program may send; five times as many at once",
        example="20",
    )


@dataclass(frozen=True, slots=True)
class Program:
    """A program that may use the API, by its name in engine.yaml."""

    name: str
    key: str = field(repr=False)
    may: frozenset[Right]
    per_second: float = PER_SECOND


def keys_in_force(written: Mapping[str, ProgramKeys]) -> tuple[Program, ...]:
    """Return the programs that may use the API."""
    return tuple(Program(name, one.key, frozenset(one.may), one.per_second) for name, one in written.items())


API_KEYS = mapping_of(
    nested(ProgramKeys),
    "the key '{}'",
    empty=("says nothing", "write for example {}: {key: '${KEY}', may: [calls.read]}"),
)
