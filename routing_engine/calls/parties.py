"""Who a call is about: which way it goes, the other party, and the numbers of both sides."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from routing_engine.calls.call import Direction
from routing_engine.calls.changes import DIALLED
from routing_engine.calls.facts import CallFacts, ChannelFacts
from routing_engine.calls.site import PbxSite
from routing_engine.calls.together import Meetings
from routing_engine.calls.transfers import person


@dataclass(frozen=True, slots=True)
class Parties:
    """Who a call is about. `other` is the other party's channel (None: both are ours), `initiator` the first channel.

    `outside` are all channels that were dialled to reach the other party, one after the other where trunks failed.
    """

    direction: Direction
    other: ChannelFacts | None
    initiator: ChannelFacts | None
    outside: Sequence[ChannelFacts] = ()

    @property
    def main(self) -> ChannelFacts | None:
        """The channel whose end is the end of the call."""
        return self.other or self.initiator

    @property
    def wanted(self) -> str | None:
        """What our user dialled, or clicked: then the telephone shows the number that it is about to call."""
        own = self.initiator
        if own is None or own.calls_us:
            return own.exten.value if own and own.exten else None
        # Our own dialler shows it as the other end of the line, others as the caller.
        shown = (one.value for one in (own.connected, own.shows) if one)
        return next((one for one in shown if one != _extension(own)), None)


def parties(real: Sequence[ChannelFacts], site: PbxSite, meetings: Meetings) -> Parties:
    """Return who a call is about, by its channels in their order.

    Trunks say which way it goes: the first one that called us, or was called.
    """
    trunks = [one for one in real if one.kind == "trunk"]
    initiator = next(iter(real), None)
    if not trunks:
        own = Parties("internal", None, initiator)
        # A trunk that is down gives no channel; and before the first one the number alone says what is meant.
        outside = len(real) == 1 and site.outside(own.wanted) is not None
        return Parties("outbound", None, initiator) if outside else own
    if trunks[0].calls_us:
        return Parties("inbound", trunks[0], initiator)
    tried = [one for one in trunks if person(one, site) == person(trunks[0], site)]
    reached = next((one for one in tried if meetings.of(one)), tried[-1])
    return Parties("outbound", reached, initiator, tried)


@dataclass(frozen=True, slots=True)
class Numbers:
    """`from`, `to` and `did` of a call."""

    from_: str | None
    to: str | None
    did: str | None


def numbers(who: Parties, call: CallFacts, site: PbxSite) -> Numbers:
    """Return the numbers of a call: of the outside in E.164, of our side as extensions."""
    if who.direction == "inbound" and who.other:
        did = _did(who.other, site)
        return Numbers(person(who.other, site), did, did)
    own = _extension(who.initiator)
    if who.direction == "outbound":
        to = (person(who.other, site) if who.other else None) or site.number(who.wanted)
        return Numbers(own, to, _shown(who, site, to))
    others = {phone for one in call.real() if one is not who.initiator and (phone := _extension(one)) and phone != own}
    return Numbers(own, _called(who, others), None)


def _called(who: Parties, others: Set[str]) -> str | None:
    """Return what was dialled among us; without a code in front of it where one telephone was rung by that."""
    only = next(iter(others)) if len(others) == 1 else None
    own = who.initiator
    dialled = who.wanted if own and (own.calls_us or own.uniqueid.startswith(DIALLED)) else None
    return only if only and (dialled or "").endswith(only) else dialled or min(others, default=None)


def _did(channel: ChannelFacts, site: PbxSite) -> str | None:
    # FreePBX keeps the number called in FROM_DID; elsewhere it is the first extension, before any Goto.
    called = channel.did or channel.exten
    return (site.number(called.value) or called.value) if called else None


def _extension(channel: ChannelFacts | None) -> str | None:
    return channel.phone.partition("/")[2] if channel and channel.phone else None


def _shown(who: Parties, site: PbxSite, to: str | None) -> str | None:
    """Return the number of ours that an outbound call showed; None for an extension, and for the customer's own."""
    other = who.other
    known = other and (other.shown or (other.connected.value if other.connected else None))
    shown = site.outside(known or None)
    return shown if shown != to else None
