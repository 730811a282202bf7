"""The record of a call from its facts. Nothing is remembered here: late facts lead to another record."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

from routing_engine.calls.call import Call, CallRecording, CallState
from routing_engine.calls.facts import Bridge, CallFacts, ChannelFacts, Span
from routing_engine.calls.known_before import last_moment
from routing_engine.calls.legs import Around, Ring, legs
from routing_engine.calls.outcome import gave_up_at, hangup_by, lost, outcome
from routing_engine.calls.parties import Parties, numbers, parties
from routing_engine.calls.site import PbxSite
from routing_engine.calls.together import Meeting, Meetings, holds, length, united, waits, without
from routing_engine.calls.transfers import Passing, person


@dataclass(frozen=True)
class Derivation:
    """Concludes a call from its facts, each thing once. `phones` are all telephones that are known."""

    call: CallFacts
    site: PbxSite
    bridges: Mapping[str, Bridge]
    phones: Set[str]

    def record(self) -> Call:
        """Return the call as it is now. What others add to it (contact, notes, deliveries) is missing."""
        shown = numbers(self._parties, self.call, self.site)
        call = Call(
            id=self.call.id or "",
            pbx=self.site.name,
            pbx_call_id=self._first_id,
            direction=self._parties.direction,
            started_at=self._start,
            from_=shown.from_,
            to=shown.to,
            did=shown.did,
            state=self._state,
            ringing_at=min(self._rang, default=None),
            answered_at=self._answered_at,
            wait_s=None if self._answered_at is None else self._answered_at - self._start,
            user=self._user,
            queue=self._queue,
            legs=legs(self.rings, self.around, self.call.settled),
            transfers=self._passing.transfers(),
            recording=self._recording,
            linkedids=self._linkedids,
            route_call_id=self._route_call_id,
            stranded=self._stranded,
        )
        return call if self.call.ended_at is None else self._ended(call, self.call.ended_at)

    def _ended(self, call: Call, at: float) -> Call:
        """Return the call with what can be said of it only now that it is over."""
        whole = at - call.started_at
        return replace(
            call,
            outcome=outcome(self.call, self._parties, call.answered_at is not None),
            ended_at=at,
            duration_s=whole,
            # Who waited in vain waited to the end.
            wait_s=whole if call.wait_s is None else call.wait_s,
            talk_s=length(self._talk),
            hold_s=length(self._held),
            hangup_by=hangup_by(self.call, self._parties, [one for _, one in self._met]),
            cause=self._parties.main.cause if self._parties.main else None,
        )

    def ringing(self) -> dict[str, str]:
        """Return the legs that ring now: their channels, and the telephone of each."""
        if self.call.ended_at is not None:
            return {}
        return {one.channel.uniqueid: one.phone for one in self.rings if self._rings_now(one.channel)}

    @property
    def somebody(self) -> bool:
        """Whether anybody was really there: a hang-up alone of an unknown channel is no call."""
        return self.call.known is not None or any(one.proved for one in self._real)

    @property
    def decided(self) -> bool:
        """Whether it is clear what kind of call it is. A telephone that has dialled may be picking a call up."""
        return any(
            (one.calls_us if one.kind == "trunk" else bool(one.enters or one.joins)) or one.dialled_at or one.rang_at
            for one in self._real
        )

    @cached_property
    def over(self) -> bool:
        """Whether nobody is left in it."""
        if self.call.unsure:
            return False
        if self.call.known is not None and not self.call.channels:
            return self.call.missing_at is not None
        return all(one.over_at is not None for one in self.call.channels.values() if one.kind != "other")

    @property
    def lost(self) -> bool:
        """Whether it is not known how it ended."""
        return lost(self._parties)

    @property
    def last_end(self) -> float | None:
        """Return the last hang-up by now; of a call that only the store knows the last moment known."""
        ends = [one.over_at for one in self._real if one.over_at is not None]
        if not ends and self.call.known is not None:
            ends = [last_moment(self.call.known)]
        return max(ends, default=None)

    @property
    def _rang(self) -> list[float]:
        rang = [*(one.rang_at for one in self._real), *(leg.ringing_at for leg in self.call.settled)]
        return [at for at in rang if at is not None]

    @cached_property
    def _start(self) -> float:
        return self.call.start

    @cached_property
    def _meetings(self) -> Meetings:
        return Meetings(self.call, self.bridges)

    @cached_property
    def _parties(self) -> Parties:
        return parties(self._real, self.site, self._meetings)

    @cached_property
    def _passing(self) -> Passing:
        return Passing(self.site, self.call, self._real, self._meetings, self.phones)

    @cached_property
    def _real(self) -> list[ChannelFacts]:
        return self.call.real()

    @cached_property
    def _met(self) -> list[tuple[ChannelFacts, Meeting]]:
        """Who met whom: the other party and everybody else; in a call among us all of us."""
        own = [self._parties.other] if self._parties.other else self._real
        return [(channel, meeting) for channel in own for meeting in self._meetings.of(channel)]

    @cached_property
    def _answered_at(self) -> float | None:
        return min((meeting.start for _, meeting in self._met), default=None)

    @cached_property
    def _talk(self) -> list[Span]:
        return united(
            span
            for channel, meeting in self._met
            for span in without([meeting[:2]], [*holds(channel), *holds(meeting.who)])
        )

    @cached_property
    def _held(self) -> list[Span]:
        own = [self._parties.other] if self._parties.other else self._real
        waited = [span for one in own for span in waits(one, self._meetings.of(one), self.bridges)]
        return without([*(meeting[:2] for _, meeting in self._met), *waited], self._talk)

    @property
    def _state(self) -> CallState:
        if self.call.ended_at is not None:
            return "ended"
        if self._talk and self._talk[-1][1] == inf:
            return "talking"
        if self._held and self._held[-1][1] == inf:
            return "held"
        # Between the bridge and the hang-up nobody rings: that is no other state.
        rings = self._answered_at is None or any(map(self._rings_now, self._real))
        return "ringing" if rings else "talking"

    def _rings_now(self, channel: ChannelFacts) -> bool:
        if channel.rang_at is None or channel.over_at is not None or channel.dial_ends:
            return False
        return not self._meetings.of(channel)

    @cached_property
    def rings(self) -> list[Ring]:
        """The channels that are legs, those of other calls in the same conference among them."""
        outside = {one.uniqueid for one in (*self._parties.outside, self._parties.other) if one}
        own = {one.uniqueid: one for one in self._real if one.uniqueid not in outside}
        beside = [one for _, one in self._met if one.who.kind == "phone" and one.who.uniqueid not in self.call.channels]
        return [
            *(Ring(one.who, one.who.phone or "", [one], one.end) for one in beside),
            *(Ring(one, person(one, self.site) or "anonymous", self._meetings.of(one)) for one in own.values()),
        ]

    @property
    def around(self) -> Around:
        """What else happened in the call that the legs' results depend on."""
        passing = self._passing
        return Around(passing.passed_on(), passing.robbed(), gave_up_at(self._parties), self.call.ended_at)

    @property
    def _user(self) -> str | None:
        """Who of us talked last; of an outbound call that nobody answered, who called."""
        first, internal = self._parties.initiator, self._parties.direction == "internal"
        talked = [one for _, one in self._met if one.who.kind == "phone" and not (internal and one.who is first)]
        if talked:
            return max(talked, key=lambda one: one.start).who.user
        return first.user if first and self._parties.direction == "outbound" else None

    @property
    def _queue(self) -> str | None:
        named = [stay for one in self.call.channels.values() for stay in (*one.joins, *one.abandons, *one.quits)]
        return max(named, key=lambda one: one.at).name if named else None

    @property
    def _recording(self) -> CallRecording:
        # A consultation may be recorded as well: the file of the other party's channel is the call's, then its first.
        # FreePBX begins what an agent's own rule asks for on the Local channel that rings the agent.
        main = [self._parties.other, self._parties.initiator, *self._real, *self.call.channels.values()]
        name = next((one.recording.value for one in main if one and one.recording), None)
        if name is None:
            return CallRecording()
        return CallRecording("recording" if self.call.ended_at is None else "pending", name=name)

    @property
    def _route_call_id(self) -> str | None:
        named = [one.route_call_id for one in self.call.channels.values() if one.route_call_id]
        return max(named).value if named else None

    @property
    def _stranded(self) -> str | None:
        said = [one.stranded for one in self.call.channels.values() if one.stranded is not None]
        return max(said, default=None)

    @property
    def _linkedids(self) -> tuple[str, ...]:
        named = {one.linkedid.value for one in self.call.channels.values() if one.linkedid}
        return (self._first_id, *sorted(named - {self._first_id}))

    @property
    def _first_id(self) -> str:
        first = self._parties.initiator
        return first.linkedid.value if first and first.linkedid else next(iter(self.call.ids))
