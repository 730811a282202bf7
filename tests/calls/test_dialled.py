"""A call that was dialled from here has the id that was given to it, and is about the number that the phone shows."""

from __future__ import annotations

from dataclasses import replace

from routing_engine.calls.changes import DIALLED, dialled_id, uuid7
from routing_engine.calls.pbx_events import ChannelBegan, ChannelRang, ChannelSeen, DialBegan
from tests.calls.stories import CUSTOMER, Follower, T, phone

CALL = uuid7(T, 7)


def test_the_id_of_a_channel_of_ours_is_that_of_the_call() -> None:
    assert dialled_id(["1764.5", DIALLED + CALL]) == CALL


def test_an_id_that_another_dialler_gave_is_none_of_ours() -> None:
    assert dialled_id(["re-start", "1764.5", CALL]) is None


def test_a_dialled_call_is_outbound_before_anybody_picked_up() -> None:
    own = phone("201", DIALLED + CALL)
    shown = replace(own, connected=CUSTOMER)
    follower = Follower()
    follower.take(
        ChannelBegan(T, own, incoming=False),
        ChannelSeen(T, shown),
        DialBegan(T, None, shown, "201"),
        ChannelRang(T + 0.1, shown),
    )
    call = follower.call
    assert (call.id, call.direction, call.state) == (CALL, "outbound", "ringing")
    assert (call.from_, call.to, call.user) == ("201", CUSTOMER, "anna")
