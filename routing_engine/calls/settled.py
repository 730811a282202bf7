"""Rings of long ago: a caller who waits in a queue for half an hour makes thousands of channels, and twenty legs."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.calls.facts import CallFacts, ChannelFacts
from routing_engine.calls.legs import Around, Ring, legs
from routing_engine.calls.sets import CallSets

#: Nothing of a channel comes later than this after its end.
_SETTLED_S = 30.0
#: So many channels are no burden, and how often the others are looked through.
_FEW, _EVERY_S = 30, 10.0


def settle(call: CallFacts, sets: CallSets, rings: list[Ring], around: Around, at: float) -> None:
    """Let go of the channels of telephones that rang in vain long ago; their legs stay.

    `rings` are the channels of the call that are legs, `around` is what else happened in it.
    """
    if len(call.channels) <= _FEW or at < call.settle_at:
        return
    call.settle_at = at + _EVERY_S
    old = list(_old(rings, call, at))
    call.settled = legs(old, around, call.settled)
    sets.forget_channels(call, [ring.channel for ring in old])
    # What led to them leads nowhere now.
    used = {one.dialled_by for one in call.channels.values()}
    sets.forget_channels(call, [one for one in call.channels.values() if _led(one, at) and one.uniqueid not in used])


def _old(rings: list[Ring], call: CallFacts, at: float) -> Iterator[Ring]:
    """Return rings in vain, for each telephone only as long as all before were: legs are folded in their order."""
    kept: set[str] = set()
    for ring in sorted(rings, key=lambda one: one.start):
        if ring.phone not in kept and _in_vain(ring.channel, call, at):
            yield ring
        else:
            kept.add(ring.phone)


def _in_vain(channel: ChannelFacts, call: CallFacts, at: float) -> bool:
    return (
        channel.kind == "phone"
        and channel.dialled_at is not None
        and _long_over(channel, at)
        and not channel.enters
        and not channel.forwarded_to
        and not any(one.name == "ANSWER" for one in channel.dial_ends)
        and not _forwards(call.channels.get(channel.dialled_by or ""), channel)
    )


def _forwards(dialling: ChannelFacts | None, channel: ChannelFacts) -> bool:
    """Return whether another telephone's Local channel rang this one: that is a transfer of the call."""
    extension = (channel.phone or "").partition("/")[2]
    return dialling is not None and dialling.kind == "local" and not dialling.name.startswith(f"Local/{extension}@")


def _led(channel: ChannelFacts, at: float) -> bool:
    return channel.kind == "local" and not channel.enters and _long_over(channel, at)


def _long_over(channel: ChannelFacts, at: float) -> bool:
    return channel.over_at is not None and channel.over_at < at - _SETTLED_S
