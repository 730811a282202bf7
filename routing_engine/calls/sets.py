"""Which channels are one call: sets of ids that grow, since a transfer changes the Linkedid of a living leg."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from routing_engine.calls.facts import Bridge, CallFacts, ChannelFacts
from routing_engine.calls.pbx_events import BridgeKind, ChannelBegan, PbxChannel
from routing_engine.calls.site import PbxSite

#: The PBX's ids come again when its disk is restored: the same id with a start further away is another call.
SAME_START_S = 2.0
#: How many ids of calls that are long over are remembered, so that a late event of theirs begins no call.
_REMEMBERED = 20_000
#: A conference that never ends: how many are kept of those who were in it.
_MEMBERS = 1_000


@dataclass(slots=True)
class CallSets:
    """All calls of a PBX that are under way or have just ended, by every id that they have.

    `swallowed` are calls that have become a part of another one (the second), which must be told where somebody knows
    of them; `phones` are all telephones that were ever seen.
    """

    site: PbxSite
    calls: dict[str, CallFacts] = field(default_factory=dict)
    channels: dict[str, ChannelFacts] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    swallowed: list[tuple[CallFacts, CallFacts]] = field(default_factory=list)
    phones: set[str] = field(default_factory=set)
    _over: dict[str, float] = field(default_factory=dict)

    def see(self, at: float, shown: PbxChannel) -> ChannelFacts | None:
        """Return the facts of a channel with what an event shows of it; None when its call is long over."""
        if shown.uniqueid in self._over:
            return None
        facts = self.channels.get(shown.uniqueid) or self._new(shown.uniqueid)
        if at < facts.name_at:
            self._name(facts, shown.name, at)
        facts.see(at, shown)
        if shown.linkedid and shown.linkedid not in self._over:
            self.join(shown.uniqueid, shown.linkedid)
        return facts

    def call_of(self, channel: ChannelFacts) -> CallFacts | None:
        """Return the call that a channel is part of."""
        return self.calls.get(channel.uniqueid)

    def had_its_id(self, event: ChannelBegan) -> CallFacts | None:
        """Return the call that has had this id, when a channel begins that cannot be the same one."""
        uniqueid, at = event.channel.uniqueid, event.at
        over, call = self._over.get(uniqueid), self.calls.get(uniqueid)
        if over is not None and abs(at - over) > SAME_START_S:
            del self._over[uniqueid]
        return call if call is not None and self._is_another(call, uniqueid, at) else None

    def join(self, one: str, other: str) -> None:
        """Make one call of those that two ids belong to."""
        first, second = self._call(one), self._call(other)
        if first is not second:
            self._merge(*sorted((first, second), key=lambda call: (call.start, call.id is None)))

    def enter(self, bridge: str, kind: BridgeKind, channel: ChannelFacts) -> None:
        """Put a channel among those who were in a bridge. Those who talk are one call, except in a conference."""
        known = self.bridges.setdefault(bridge, Bridge(kind))
        known.kind = kind if known.kind == "call" else known.kind
        known.members[channel.uniqueid] = channel
        if known.kind == "call":
            for other in known.members:
                if other in self.calls:
                    self.join(channel.uniqueid, other)

    def beside(self, channel: ChannelFacts) -> list[CallFacts]:
        """Return the calls of all that are, or just were, in a conference with a channel."""
        bridge = self.bridges.get(channel.enters[-1].name) if channel.enters else None
        if bridge is None or bridge.kind != "conference":
            return []
        return [call for one in bridge.members if (call := self.calls.get(one))]

    def drop(self, call: CallFacts) -> None:
        """Let go of a call that is over, and remember its ids for a while."""
        for one in call.ids:
            channel = self.channels.get(one)
            if channel or one not in self._over:
                self._remember(one, channel.start if channel else call.start)
        self.forget(call)

    def resume(self, call: CallFacts) -> CallFacts:
        """Take up a call that the store knows; return the one that has its ids already, if any."""
        followed = next((self.calls[one] for one in call.ids if one in self.calls), None)
        if followed is None:
            self.calls.update(dict.fromkeys(call.ids, call))
        return followed or call

    def forget_channels(self, call: CallFacts, channels: Iterable[ChannelFacts]) -> None:
        """Let go of some channels of a call that goes on; what comes of them later says nothing new."""
        for channel in channels:
            self._remember(channel.uniqueid, channel.start)
            self.channels.pop(channel.uniqueid, None)
            call.channels.pop(channel.uniqueid, None)

    def forget(self, call: CallFacts) -> None:
        """Let go of a call; its ids may come again."""
        call.let_go = True
        for one in call.ids:
            self.calls.pop(one, None)
            channel = self.channels.pop(one, None)
            for enter in channel.enters if channel else ():
                self._leave(enter.name)

    def _new(self, uniqueid: str) -> ChannelFacts:
        facts = self.channels[uniqueid] = ChannelFacts(uniqueid, "", "other")
        self._call(uniqueid).channels[uniqueid] = facts
        return facts

    def _name(self, facts: ChannelFacts, name: str, at: float) -> None:
        facts.name, facts.name_at, facts.kind, facts.changed = name, at, self.site.kind(name), True
        if facts.kind == "phone":
            facts.phone = self.site.phone(name)
            facts.user = self.site.users.get(facts.phone)
            self.phones.add(facts.phone)

    def _call(self, one: str) -> CallFacts:
        if one not in self.calls:
            self.calls[one] = CallFacts({one: None})
        return self.calls[one]

    def _is_another(self, call: CallFacts, uniqueid: str, at: float) -> bool:
        channel = self.channels.get(uniqueid)
        if channel is None:
            known = call.known
            return known is not None and known.pbx_call_id == uniqueid and abs(at - known.started_at) > SAME_START_S
        if channel.began_at is not None:
            return abs(at - channel.began_at) > SAME_START_S
        return at > channel.first_at + SAME_START_S

    def _merge(self, into: CallFacts, part: CallFacts) -> None:
        for one in part.ids:
            self.calls[one] = into
        into.ids.update(part.ids)
        into.channels.update(part.channels)
        into.passings.update(part.passings)
        into.known = into.known or part.known
        into.settled += part.settled
        for channel in part.channels.values():
            channel.changed = True
        self.swallowed.append((part, into))
        if part.id is not None and into.id is not None:
            into.told.rings |= part.told.rings
        elif part.id is not None:
            into.id, into.last, into.told = part.id, part.last, replace(part.told)
        part.let_go = True

    def _remember(self, uniqueid: str, start: float) -> None:
        self._over[uniqueid] = start
        while len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    def _leave(self, bridge: str) -> None:
        known = self.bridges.get(bridge)
        if known is None:
            return
        if not any(one in self.calls for one in known.members):
            del self.bridges[bridge]
            return
        past = [one for one in known.members if one not in self.calls]
        for one in past[: max(0, len(known.members) - _MEMBERS)]:
            del known.members[one]
