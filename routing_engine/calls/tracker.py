"""Follows the calls of one PBX: events in, changed calls out. No clock: time comes with the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from routing_engine.calls.call import Call
from routing_engine.calls.changes import ChangeKind, dialled_id
from routing_engine.calls.derive import Derivation
from routing_engine.calls.facts import CallFacts
from routing_engine.calls.gaps import back, fill, live_events, missing, restarted
from routing_engine.calls.known_before import gone_on, last_moment, taken_up
from routing_engine.calls.learn import learn
from routing_engine.calls.pbx_events import (
    ChannelBegan,
    HangupRequested,
    HistoryRead,
    HistoryRow,
    PbxEvent,
    PbxRestarted,
    QueueAbandoned,
    QueueLeft,
    Snapshot,
    Tick,
)
from routing_engine.calls.sets import SAME_START_S, CallSets
from routing_engine.calls.settled import settle
from routing_engine.calls.site import PbxSite

#: A telephone that has dialled nothing yet may be about to pick up, or to fetch, a call: then it is none of its own.
_UNDECIDED_S = 2.0
#: A channel that comes late may end late as well; one that still lives after that means that the call goes on.
_LATE_S = 10.0
#: How long the history is waited for before a call that is gone closes as `unknown`.
_PATIENCE_S = 60.0
#: The PBX says in whole seconds for how long it has been running.
_SAME_BOOT_S = 1.5
#: These say something only together with the end that follows.
_QUIET = (HangupRequested, QueueAbandoned, QueueLeft)


@dataclass(frozen=True, slots=True)
class TrackedCall:
    """A call as the PBX's events tell it, and what happened, in order. Contact, notes and deliveries are others'."""

    call: Call
    kinds: tuple[ChangeKind, ...]


class CallTracker:
    """Follows the calls of one PBX. `new_id` makes an id of ours from the moment that a call began.

    Calls that ended are kept for `keep_s` seconds of the events' time, `keep` of them at most: what comes late within
    that time still counts, what comes later begins no call.
    """

    def __init__(
        self, site: PbxSite, new_id: Callable[[float], str], *, keep_s: float = 300.0, keep: int = 10_000
    ) -> None:
        self._sets = CallSets(site)
        self._new_id = new_id
        self._keep_s, self._keep = keep_s, keep
        self._open: dict[CallFacts, None] = {}
        self._ended: dict[CallFacts, float] = {}
        self._rows: list[HistoryRow] = []
        self._sign_at = -inf
        self._booted_at: float | None = None

    @property
    def site(self) -> PbxSite:
        """The PBX as it is configured; a change holds for channels that begin from then on."""
        return self._sets.site

    @site.setter
    def site(self, site: PbxSite) -> None:
        self._sets.site = site

    @property
    def missing(self) -> bool:
        """Whether there are calls that the PBX does not know any more, so that its history should be read."""
        return any(call.missing_at is not None for call in self._open)

    @property
    def kept(self) -> tuple[int, int]:
        """How many calls are under way, and how many that ended are kept for what comes late."""
        return len(self._open), len(self._ended)

    @property
    def channels(self) -> int:
        """How many channels are kept for all of these calls."""
        return len(self._sets.channels)

    def resume(self, calls: Iterable[Call]) -> None:
        """Take up calls that the store has as not ended. It may be late: one may be followed already, as a new one."""
        for call in calls:
            facts = taken_up(call)
            followed = self._sets.resume(facts)
            if followed is facts:
                self._open[facts] = None
            elif abs(followed.start - call.started_at) <= SAME_START_S:
                followed.known = call
            else:
                # Its ids are another call's by now: nothing more will be heard of it.
                facts.unsure, facts.missing_at = False, last_moment(call)
                self._open[facts] = None

    def take(self, event: PbxEvent) -> list[TrackedCall]:
        """Return the calls that an event has changed."""
        told: list[TrackedCall] = []
        changed = self._changed(event, told)
        told += self._swallowed(event.at)
        for call in dict.fromkeys(changed):
            if not call.let_go and not (call in self._open and isinstance(event, _QUIET)):
                told += self._tell(call, event.at)
        self._drop(event.at)
        return told

    def _changed(self, event: PbxEvent, told: list[TrackedCall]) -> list[CallFacts]:
        match event:
            case Tick():
                return self._due(event.at)
            case HistoryRow():
                self._rows.append(event)
                return []
            case HistoryRead():
                return self._close(fill(self._sets, self._rows))
            case PbxRestarted():
                return self._restarted(event.at)
            case Snapshot():
                return self._compare(event, told)
            case _:
                self._sign_at = max(self._sign_at, event.at)
                return self._learn(event, told)

    def _learn(self, event: PbxEvent, told: list[TrackedCall]) -> list[CallFacts]:
        other = self._sets.had_its_id(event) if isinstance(event, ChannelBegan) else None
        if other is not None:
            told += self._end_of(other, event.at)
        return learn(self._sets, event)

    def _restarted(self, at: float) -> list[CallFacts]:
        """Return the calls of before. Each connection tells when the PBX began to run: mostly nothing new."""
        known, self._booted_at = self._booted_at, at
        if known is not None and abs(at - known) < _SAME_BOOT_S:
            return []
        return restarted(self._sets, at if known is None else inf, self._sign_at)

    def _compare(self, snapshot: Snapshot, told: list[TrackedCall]) -> list[CallFacts]:
        present = [live.channel.uniqueid for live in snapshot.channels]
        changed = back(self._sets, present)
        for event in live_events(self._sets, snapshot):
            changed += self._learn(event, told)
        changed += missing(self._sets, present, snapshot.at, self._sign_at)
        self._sign_at = max(self._sign_at, snapshot.at)
        return changed

    def _close(self, filled: list[CallFacts]) -> list[CallFacts]:
        self._rows.clear()
        for call in self._open:
            call.closed = call.closed or call.missing_at is not None
        return [*filled, *self._open]

    def _end_of(self, call: CallFacts, at: float) -> list[TrackedCall]:
        """Close a call whose ids another one has now: the PBX was restored, so nothing more will come of it."""
        for channel in call.channels.values():
            if channel.over_at is None:
                channel.gone(max(channel.last_at, min(self._sign_at, at)))
        call.closed, call.unsure, call.missing_at = True, False, at
        told = self._tell(call, at)
        self._forget(call)
        self._sets.forget(call)
        return told

    def _due(self, at: float) -> list[CallFacts]:
        """Return the calls for which time decides something."""
        due = []
        for call in self._open:
            if call.missing_at is not None and at > call.missing_at + _PATIENCE_S:
                call.closed = True
                due.append(call)
            elif not call.told.start or call.told.end:
                due.append(call)
        return due

    def _tell(self, call: CallFacts, at: float) -> list[TrackedCall]:
        derivation = Derivation(call, self.site, self._sets.bridges, self._sets.phones)
        over = self._end(call, derivation, at)
        self._forget(call)
        if over:
            self._ended[call] = at
        else:
            self._open[call] = None
        if not call.told.start and not (over or derivation.decided or at >= call.start + _UNDECIDED_S):
            return []
        if not derivation.somebody:
            return []
        news = self._news(call, derivation)
        settle(call, self._sets, derivation.rings, derivation.around, at)
        return news

    def _end(self, call: CallFacts, derivation: Derivation, at: float) -> bool:
        """Note when the call ended, if it did; return whether nothing more is waited for."""
        over = derivation.over
        if over and derivation.lost and not call.closed:
            call.missing_at, call.ended_at = at if call.missing_at is None else call.missing_at, None
            return False
        call.missing_at = call.missing_at if over else None
        ended_at = derivation.last_end
        if not over and call.told.end and ended_at is not None and at > ended_at + _LATE_S:
            call.told.end = False
        call.ended_at = ended_at if over or call.told.end else None
        return over

    def _news(self, call: CallFacts, derivation: Derivation) -> list[TrackedCall]:
        call.id = call.id or dialled_id(call.ids) or self._new_id(call.start)
        record = derivation.record()
        if call.known is not None:
            record = gone_on(call.known, record)
        kinds = tuple(_kinds(call, record, derivation.ringing()))
        if not kinds and record == call.last:
            return []
        call.last = record
        return [TrackedCall(record, kinds or ("call.updated",))]

    def _swallowed(self, at: float) -> list[TrackedCall]:
        told = []
        for part, whole in self._sets.swallowed:
            self._forget(part)
            last = part.last or part.known
            if last is not None and whole.id is not None and whole.id != part.id:
                ended_at = at if last.ended_at is None else last.ended_at
                end = replace(last, state="ended", outcome=None, ended_at=ended_at, merged_into=whole.id)
                told.append(TrackedCall(replace(end, duration_s=ended_at - last.started_at), ("call.updated",)))
        self._sets.swallowed.clear()
        return told

    def _forget(self, call: CallFacts) -> None:
        self._open.pop(call, None)
        self._ended.pop(call, None)

    def _drop(self, at: float) -> None:
        while self._ended:
            call, ended = next(iter(self._ended.items()))
            if not call.let_go and at - ended <= self._keep_s and len(self._ended) <= self._keep:
                return
            del self._ended[call]
            if not call.let_go:
                self._sets.drop(call)


def _kinds(call: CallFacts, record: Call, ringing: dict[str, str]) -> Iterator[ChangeKind]:
    """Return what is new of a call, each once; note that it has been told."""
    told = call.told
    if not told.start:
        told.start = True
        yield "call.started"
    new = {one for one, phone in ringing.items() if one not in told.rings and phone not in told.rings}
    if new:
        told.rings |= new
        yield "call.ringing"
    if record.answered_at is not None and not told.answer:
        told.answer = True
        yield "call.answered"
    if len(record.transfers) > told.transfers:
        told.transfers = len(record.transfers)
        yield "call.transferred"
    if record.state == "ended" and not told.end:
        told.end = True
        yield "call.ended"
    if record.outcome in ("missed", "abandoned") and not told.missed:
        told.missed = True
        yield "call.missed"
