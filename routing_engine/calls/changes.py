"""What is published when a call changes: on the event bus, and with the same names in webhooks and the stream.

And our own ids, UUIDv7 (RFC 9562), which sort by the moment that they were made."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from routing_engine.calls.call import Call
from routing_engine.core.events import Event

_RANDOM_BITS = 74
#: How the channel of a call begins that was dialled from here: behind it stands the call's own id.
DIALLED = "re-"
#: The kinds of section 4 of the contract. `call.missed` comes beside `call.ended`.
ChangeKind: TypeAlias = Literal[
    "call.started",
    "call.ringing",
    "call.answered",
    "call.transferred",
    "call.ended",
    "call.missed",
    "recording.ready",
    "call.updated",
]


@dataclass(frozen=True, slots=True)
class CallChanged(Event):
    """A call is other than before; `call` is all of it as it is now, `kinds` what happened, in order."""

    call: Call
    kinds: tuple[ChangeKind, ...]


@dataclass(frozen=True, slots=True)
class PbxReached(Event):
    """A PBX is heard over a new connection: it may have been started anew, and have forgotten what was put into it."""

    pbx: str


def uuid7(at: float, random_bits: int) -> str:
    """Return the id of something that began at `at`, seconds since 1970; `random_bits` are 74 random bits."""
    high, low = divmod(random_bits % (1 << _RANDOM_BITS), 1 << 62)
    return str(uuid.UUID(int=round(at * 1000) % (1 << 48) << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


def dialled_id(ids: Iterable[str]) -> str | None:
    """Return the id of a call that was dialled from here, by the ids of its channels; None for any other call.

    The id is given before there is a call, and to the PBX: whoever follows that PBX gives the call the same one.
    """
    for one in ids:
        if one.startswith(DIALLED):
            try:
                return str(uuid.UUID(one.removeprefix(DIALLED)))
            except ValueError:
                continue  # the id of somebody else's dialler
    return None
