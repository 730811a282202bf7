"""The conversation of a call: what `decide` asks, and what it is answered.

To add an ask, write it here, answer it in `call.CallRun`, and say in the channel contract what a channel does with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from routing_engine.core.model import Caller, Input, Operand, Origin, Record, Route, Sound, Source, Value
from routing_engine.core.phone import Number
from routing_engine.errors import Who


@dataclass(frozen=True, slots=True)
class Play:
    """Ask: play these sounds. With `barge_in` a digit ends them and is answered as `Typed`."""

    sounds: tuple[Sound, ...]
    barge_in: bool = True


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask: play `prompt`, then read digits as `input` says. `typed` are digits that came before (type-ahead)."""

    input: Input
    prompt: tuple[Sound, ...]
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Find:
    """Ask: look for a record. `value` is what to search for; `caller` is None when it is hidden or malformed.

    `timeout_s` of the source and the call's deadline bound the answer. `early` is one that nobody waits for yet;
    `shared` one that several may wait for, each for the time of his own route.
    """

    source: Source
    value: str
    caller: Number | None
    early: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Ask: begin these look-ups now; they are asked for later, or never. Answered with `Typed` at once."""

    finds: tuple[Find, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """Ask: the route of this name, for a call that another route sends there."""

    route: str


@dataclass(frozen=True, slots=True)
class Switch:
    """Ask: prompts in this language from now on."""

    language: str


@dataclass(frozen=True, slots=True)
class Observe:
    """Ask: what these left sides are now (device states, queues, attestation, the last agent)."""

    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Typed:
    """Answer: what the caller typed, "" for silence. `missing` names sounds that could not be played.

    `unsure` names those of which nobody here knows whether there is such a sound: a dry run is not within Asterisk.
    """

    digits: str = ""
    missing: tuple[str, ...] = ()
    took_ms: float | None = None
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Answer: the records that were found, in the source's order; none is an empty tuple.

    `mismatches` counts those left out because their number is not the caller's, `unreadable` those whose number cannot
    be read; `note` says where they come from when that is not the system itself, now; `origin` and `age_s` say it to
    programs.
    """

    records: tuple[Record, ...] = ()
    took_ms: float | None = None
    mismatches: int = 0
    unreadable: int = 0
    note: str = ""
    origin: Origin = "live"
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceDown:
    """Answer: the source could not be asked or did not answer in time. `why` is a sentence without secrets.

    `asked` is False when nothing was sent: it is spared because it fails, or its limits are used up. `throttled`: it
    answered that it is asked too much. `who` must act.
    """

    why: str
    took_ms: float | None = None
    asked: bool = True
    throttled: bool = False
    who: Who = field(default="network", compare=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """Answer: the route that was asked for, None when there is none of that name.

    `caller` has the variables that it reads.
    """

    route: Route | None
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """Answer: the values; a left side that is not there could not be told.

    Of `last_agent` it is the extension and the ISO moment of that call, ("201", "2026-11-01T10:00:00+01:00").
    """

    values: Mapping[Operand, Value] = field(default_factory=dict)


Ask: TypeAlias = Play | Collect | Find | Prefetch | Open | Switch | Observe
Answer: TypeAlias = Typed | Found | SourceDown | Opened | Observed
