"""The channels of a call, as its PBX has them now: whose phone, and who is at the other end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from routing_engine.calls.call import Call
from routing_engine.calls.ports import PbxCommands
from routing_engine.calls.site import ChannelKind, PbxSite
from routing_engine.errors import AmiRefused

#: Asterisk's state of a channel that rings, or whose party is being called.
_UP = "6"


@dataclass(frozen=True, slots=True)
class CallChannel:
    """A living channel. `phone` and `user` are whose it is; `bridge` is "" where nobody speaks on it."""

    name: str
    kind: ChannelKind
    phone: str | None
    user: str | None
    up: bool
    bridge: str


async def channels_of(call: Call, commands: PbxCommands, site: PbxSite) -> list[CallChannel]:
    """Return the living channels of a call. Raises what `PbxCommands.action` raises."""
    try:
        rows = await commands.action("CoreShowChannels", {})
    except AmiRefused:  # of older versions, when there is none
        rows = []
    known = {*call.linkedids, call.pbx_call_id}
    return [_channel(row, site) for row in rows if row.get("Linkedid") in known]


def _channel(row: Mapping[str, str], site: PbxSite) -> CallChannel:
    name = row.get("Channel", "")
    kind = site.kind(name)
    phone = site.phone(name) if kind == "phone" else None
    up = row.get("ChannelState") == _UP
    return CallChannel(name, kind, phone, site.users.get(phone or ""), up, row.get("BridgeId", ""))


def own_channel(call: Call, channels: Sequence[CallChannel], user: str | None) -> CallChannel | None:
    """Return the channel of a person; with None of whoever of us is in the call. Who speaks goes before who rings."""
    wanted = call.user if user is None else user
    mine = [one for one in channels if one.kind == "phone" and one.user == wanted]
    if not mine and user is None:
        mine = [one for one in channels if one.kind == "phone"]
    return max(mine, key=lambda one: (bool(one.bridge), one.up), default=None)


def others(own: CallChannel, channels: Sequence[CallChannel]) -> list[CallChannel]:
    """Return who is in one bridge with a channel."""
    return [one for one in channels if one.bridge and one.bridge == own.bridge and one.name != own.name]
