"""A call that is told anew: what its PBX says takes the place of what it said, and what others wrote stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from routing_engine.calls.call import Call, CallRecording, RecordingState

#: A recording goes on in this order only; the PBX knows the first three.
_FURTHER: Mapping[RecordingState, int] = {"none": 0, "recording": 1, "pending": 2}


def with_own(facts: Call, known: Call) -> Call:
    """Return what a PBX says of a call, with all that is not its to say as it was.

    Where an engine beside it has sent the call on, the decision comes with what it says.
    """
    # With the decision alone: a record that somebody has unlinked must not come back with the next change.
    decided = known.route is None and facts.route is not None
    return replace(
        facts,
        id=known.id,
        version=known.version,
        contact=known.contact or (facts.contact if decided else None),
        route=known.route or facts.route,
        recording=_further(known.recording, facts.recording),
        notes=known.notes,
        tags=known.tags,
        sentiment=known.sentiment,
        disposition=known.disposition,
        deliveries=known.deliveries,
    )


def is_known(call: Call) -> bool:
    """Return whether a call is over, and what became of it is known: the PBX's history tells less."""
    return call.state == "ended" and call.outcome != "unknown"


def _further(known: CallRecording, told: CallRecording) -> CallRecording:
    """Return the recording that is further: what became of it is not the PBX's to say."""
    if _FURTHER.get(known.state, len(_FURTHER)) > _FURTHER.get(told.state, len(_FURTHER)):
        return known
    # Of the same file the PBX says nothing new: how long it is stands with us alone.
    if known.state not in _FURTHER or (known.state, known.name) == (told.state, told.name):
        return known
    return told
