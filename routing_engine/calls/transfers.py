"""How a call was passed on: transfers, pick-ups, parking, forwards, as the contract lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from routing_engine.calls.call import CallTransfer
from routing_engine.calls.facts import CallFacts, ChannelFacts
from routing_engine.calls.pbx_events import (
    AttendedTransferred,
    BlindTransferred,
    CallParked,
    PbxChannel,
    PbxEvent,
    PickedUp,
)
from routing_engine.calls.site import PbxSite, device, halves
from routing_engine.calls.together import Meetings

#: A call is parked by a transfer to the lot's extension: both are told that close to each other.
_PARKED_WITHIN_S = 2.0
_LOCAL = "Local/"


@dataclass(frozen=True, slots=True)
class Passing:
    """Reads the transfers of one call. `real` are its channels with somebody behind them, in their order.

    `phones` are all telephones that are known: of users, and of channels seen.
    """

    site: PbxSite
    call: CallFacts
    real: Sequence[ChannelFacts]
    meetings: Meetings
    phones: Set[str]

    def transfers(self) -> tuple[CallTransfer, ...]:
        """Return who passed the call on, to whom and how, in order."""
        found = [one for event in self.call.passings for one in self._read(event)]
        return tuple(sorted((*found, *self._forwards()), key=lambda one: one.at))

    def passed_on(self) -> frozenset[str]:
        """Return the channels of those who passed the call on."""
        return frozenset(one.uniqueid for event in self.call.passings for one in self._passers(event) if one)

    def robbed(self) -> frozenset[str]:
        """Return the channels whose ringing somebody else picked up."""
        return frozenset(event.target.uniqueid for event in self.call.passings if isinstance(event, PickedUp))

    def name(self, channel: PbxChannel | ChannelFacts | None) -> str | None:
        """Return who is behind a channel: a telephone, or a number of the outside."""
        known = self.call.channels.get(channel.uniqueid) if channel else None
        return person(known, self.site) if known else None

    def place(self, extension: str | None) -> str | None:
        """Return what an extension leads to: a telephone, a number of the outside, else the extension as it is."""
        phone = self.site.extension_phone(extension or "")
        return phone if self._is_phone(phone) else self.site.outside(extension) or extension

    def _read(self, event: PbxEvent) -> Iterator[CallTransfer]:
        if isinstance(event, BlindTransferred) and not self._is_parking(event):
            yield CallTransfer(event.at, self.name(event.by), self._blind_target(event), "blind")
        elif isinstance(event, AttendedTransferred):
            yield CallTransfer(event.at, self.name(event.by), self._target(event), "attended")
        elif isinstance(event, PickedUp):
            yield CallTransfer(event.at, self.name(event.target), self.name(event.picker), "pickup")
        elif isinstance(event, CallParked):
            yield CallTransfer(event.at, self.name(self._parker(event)), self._retriever(event), "park")

    def _is_parking(self, event: BlindTransferred) -> bool:
        return any(
            isinstance(other, CallParked) and abs(event.at - other.at) <= _PARKED_WITHIN_S
            for other in self.call.passings
        )

    def _parker(self, event: CallParked) -> ChannelFacts | None:
        """Return who parked a call. Where the event names nobody, it is who spoke with the one who is parked."""
        if event.parker is not None:
            return self.call.channels.get(event.parker.uniqueid)
        parkee = self.call.channels.get(event.parkee.uniqueid)
        met = [one for one in self.meetings.of(parkee) if one.start <= event.at] if parkee else []
        return met[-1].who if met else None

    def _passers(self, event: PbxEvent) -> Iterable[PbxChannel | ChannelFacts | None]:
        if isinstance(event, BlindTransferred):
            return (event.by,)
        if isinstance(event, AttendedTransferred):
            return (event.by, event.second)
        return (self._parker(event),) if isinstance(event, CallParked) else ()

    def _blind_target(self, event: BlindTransferred) -> str | None:
        """Return what a blind transfer led to: without a code in front of the telephone that it rang."""
        rung = (one.phone for one in self.real if one.dialled_at is not None and one.dialled_at >= event.at)
        first = next((one for one in rung if one), "")
        behind = first.partition("/")[2]
        return first if behind and event.exten.endswith(behind) else self.place(event.exten)

    def _target(self, event: AttendedTransferred) -> str | None:
        second = self.call.channels.get(event.second.uniqueid)
        if event.target is not None and (name := self.name(event.target)):
            return name
        if second is None:
            return None
        spoken = [one for one in self.meetings.of(second) if one.start <= event.at]
        if spoken:
            return person(spoken[-1].who, self.site)
        return self.place(second.exten.value if second.exten else None)

    def _retriever(self, event: CallParked) -> str | None:
        parkee = self.call.channels.get(event.parkee.uniqueid)
        fetched = next((one for one in parkee.fetches if one.at >= event.at), None) if parkee else None
        return self.name(self.call.channels.get(fetched.by)) if fetched else None

    def _forwards(self) -> Iterator[CallTransfer]:
        for channel in self.call.channels.values():
            if channel.forwarded_to and channel.phone:
                yield CallTransfer(channel.forwarded_to.at, channel.phone, self._forwarded(channel), "forward")
        yield from self._followed()

    def _forwarded(self, channel: ChannelFacts) -> str | None:
        # `Local/202@from-internal`, as Asterisk says where a telephone sent the call.
        place = channel.forwarded_to.value if channel.forwarded_to else ""
        return self.place(self.site.dialled(place.removeprefix(_LOCAL).partition("@")[0]))

    def _followed(self) -> Iterator[CallTransfer]:
        """Yield forwards by the dialplan: the Local channel of one telephone that rings another one, or the outside."""
        told: set[tuple[str, str | None]] = set()
        for channel in self.real:
            by = self._local_phone(channel.dialled_by) if channel.dialled_at else None
            if by is None or channel.dialled_at is None:
                continue
            to = person(channel, self.site)
            if to != by and (by, to) not in told and not self._was_passed_on(channel):
                told.add((by, to))
                yield CallTransfer(channel.dialled_at, by, to, "forward")

    def _was_passed_on(self, channel: ChannelFacts) -> bool:
        """Return whether a transfer rings it: of a queue's agent it passes the Local channel on that rang the agent."""
        return any(
            isinstance(event, BlindTransferred)
            and event.transferee is not None
            and event.transferee.uniqueid == channel.dialled_by
            and event.at <= (channel.dialled_at or 0.0)
            for event in self.call.passings
        )

    def _local_phone(self, uniqueid: str | None) -> str | None:
        dialling = self.call.channels.get(uniqueid or "")
        half = halves(dialling.name) if dialling else None
        # The second half runs the dialplan of whom it stands for. A first one that dials was rung by a click.
        if dialling is None or half is None or half[1] != "2":
            return None
        phone = self.site.extension_phone(device(dialling.name).removeprefix(_LOCAL).partition("@")[0])
        return phone if self._is_phone(phone) else None

    def _is_phone(self, phone: str) -> bool:
        return phone in self.phones or phone in self.site.users


def person(channel: ChannelFacts, site: PbxSite) -> str | None:
    """Return how a call names who is behind a channel: `main/201`, or the number of an outside party."""
    if channel.kind != "trunk":
        return channel.phone
    if channel.calls_us:
        return None if channel.withheld else site.number(channel.caller.value if channel.caller else None)
    return site.dialled(channel.dialled)


def at_most_once(transfers: Iterable[CallTransfer], known: Iterable[CallTransfer]) -> tuple[CallTransfer, ...]:
    """Return what was known of transfers before the engine started, and those that are new."""
    whole = {(one.at, one.how): one for one in known}
    for one in transfers:
        before = whole.get((one.at, one.how), one)
        whole[one.at, one.how] = replace(one, by=one.by or before.by, to=one.to or before.to)
    return tuple(sorted(whole.values(), key=lambda one: one.at))
