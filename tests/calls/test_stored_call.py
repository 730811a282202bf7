"""A call as the database keeps it: nothing of it is lost, whatever it holds and whichever version wrote it."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from routing_engine.calls.as_json import call_from_json, stored_json
from routing_engine.calls.call import (
    Call,
    CallContact,
    CallDelivery,
    CallRecording,
    CallRoute,
    CallTransfer,
    Candidate,
    Leg,
    Note,
)
from tests.examples import examples

MOMENTS = st.floats(0, 4e9)
CALLS = st.builds(
    Call,
    id=st.text(),
    version=st.integers(1, 1 << 40),
    started_at=MOMENTS,
    legs=st.lists(st.builds(Leg, ringing_at=st.none() | MOMENTS)).map(tuple),
    transfers=st.lists(st.builds(CallTransfer, at=MOMENTS)).map(tuple),
    contact=st.none()
    | st.builds(
        CallContact,
        candidates=st.lists(st.builds(Candidate)).map(tuple),
        fields=st.dictionaries(st.text(), st.text()),
    ),
    route=st.none() | st.builds(CallRoute),
    recording=st.builds(CallRecording, seconds=st.none() | MOMENTS),
    notes=st.lists(st.builds(Note, at=MOMENTS)).map(tuple),
    tags=st.lists(st.text()).map(tuple),
    deliveries=st.dictionaries(st.text(), st.builds(CallDelivery, next_try_at=st.none() | MOMENTS)),
    linkedids=st.lists(st.text()).map(tuple),
)


@given(CALLS)
@examples(200)
def test_what_is_stored_is_read_back_as_it_was(call: Call) -> None:
    assert call_from_json(stored_json(call)) == call


def test_members_of_a_newer_version_are_left_out_and_missing_ones_have_their_defaults() -> None:
    call = Call("1", "main", "7.1", "inbound", 1.5)
    kept = json.loads(stored_json(replace(call, queue="support")))
    del kept["queue"]
    assert call_from_json(json.dumps({**kept, "mood": "fine"})) == call
