"""The one place where a call changes: what its PBX says, the route's decision, and what people and deliveries add.

Every change gives it a new version, is put in the database's line, and is told on the event bus; all of that in order,
and none of it waits. Open calls are in memory, and taken up again at a start.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TypeAlias

from sqlalchemy import Connection

from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording, CallRoute
from routing_engine.calls.changes import CallChanged, ChangeKind
from routing_engine.calls.known_parts import is_known, with_own
from routing_engine.calls.requests import CallEdit, CallQuery
from routing_engine.calls.tracker import TrackedCall
from routing_engine.core.events import CallRouted, Publish, Reading
from routing_engine.core.model import Decision
from routing_engine.errors import StaleVersion, StorageError, UnknownCall
from routing_engine.logger import Logger
from routing_engine.storage import calls_table
from routing_engine.storage.database import Database
from routing_engine.storage.doubt import ClockDoubt

_log = Logger()

#: Which deliveries a change needs: writes them in the transaction that saves the call, and returns how far each is.
Plan: TypeAlias = Callable[[Connection, Call, Sequence[ChangeKind]], Mapping[str, CallDelivery]]
#: The record that a decision was made with, as a contact; None where it had none.
ContactOf: TypeAlias = Callable[[Decision], CallContact | None]
#: Deletes what else is kept of calls, by their ids, in the transaction that deletes the calls.
Drop: TypeAlias = Callable[[Connection, Sequence[str]], None]
#: A call as its PBX knows it.
_Key: TypeAlias = tuple[str, str]

#: So many calls that have ended stay in memory: what is added to a call comes soon after it.
MOST_ENDED = 2000
_DAY_S, _UPKEEP_S = 86_400.0, 3600.0
#: So many calls are deleted in one step, so that others wait for some milliseconds only.
_AT_ONCE = 500
#: So many decisions wait for the PBX to name their call.
_MOST_DECIDED = 5000


@dataclass(eq=False, slots=True)
class _Save:
    """A call on its way to the database. `saved` is what is there, once it is; `twin` was there under another id.

    `lanes` are those in which something of it waits to be delivered.
    """

    change: CallChanged
    saved: CallChanged | None = None
    planned: Mapping[str, CallDelivery] | None = None
    twin: Call | None = None
    lanes: set[str] = field(default_factory=set)


class CallBook:
    """`open` it, `take` what PBXs say, `edit` and ask. Nothing that it is told is waited for, or raises.

    Whenever a call is on the disk `on_saved` hears of the lanes that have got something by it: what `plan` has put,
    `touched` says.
    """

    def __init__(
        self,
        database: Database,
        publish: Publish,
        plan: Plan | None = None,
        contact_of: ContactOf = lambda _: None,
        drop: Drop | None = None,
        *,
        touched: Callable[[], Collection[str]] = tuple,
        on_saved: Callable[[Collection[str]], None] = lambda _: None,
        most_ended: int = MOST_ENDED,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._publish, self._plan, self._contact_of = database, publish, plan, contact_of
        self._drop_more, self._touched, self._on_saved = drop, touched, on_saved
        self._most_ended, self._now, self._since = most_ended, now, 0.0
        self._doubt = ClockDoubt(monotonic)
        self._calls: dict[str, Call] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._saving: dict[str, _Save] = {}
        self._by_key: dict[_Key, str] = {}
        self._by_pbx_id: dict[str, str] = {}
        #: A tracker that has begun anew gives a call a new id; ours stays.
        self._aliases: dict[str, str] = {}
        self._unsure: set[str] = set()
        self._decided: OrderedDict[str, tuple[CallRoute, CallContact | None]] = OrderedDict()

    async def open(self) -> bool:
        """Take up the calls that were open when the engine ended; False where the database is down."""
        self._since = self._now()
        try:
            await self.take_up()
        except StorageError:
            return False  # the database tells of it itself
        return True

    async def take_up(self) -> list[Call]:
        """Take up the open calls of the database; return those that nobody has spoken of yet. Raises `StorageError`.

        Where the database was down at the start, its PBX may have told a call anew under another id: that one goes on.
        """
        taken: list[Call] = []
        for call in await self._database.read(calls_table.open_calls):
            if call.id in self._calls:
                continue
            anew = self._same(call)
            if anew is None:
                self._keep(call)
                taken.append(call)
            else:
                self._change(replace(call, state="ended", merged_into=anew), ("call.updated",))
                self._hand_over(self._calls[call.id])
                self._index(self._calls[anew])
        return taken

    # ----------------------------------------------------------------------------------------- questions

    def open_calls(self, pbx: str | None = None) -> list[Call]:
        """Return the calls that have not ended, of one PBX or of all, the oldest first."""
        found = (one for one in self._calls.values() if one.state != "ended" and pbx in (None, one.pbx))
        return sorted(found, key=lambda one: one.started_at)

    def readings(self) -> Iterator[Reading]:
        """Yield the states of the calls and of their database, for metrics."""
        yield Reading("database_waiting", self._database.waiting)
        yield Reading("database_lost_total", self._database.lost)
        yield Reading("database_down", bool(self._database.down))
        for pbx, count in Counter(call.pbx for call in self.open_calls()).items():
            yield Reading("calls_open", count, (pbx,))

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of; None when there is none. Raises `StorageError`."""
        call = await self._loaded(call_id)
        # A chain of transfers may have swallowed one call after the other; it cannot be a circle, but nobody proves it.
        for _ in range(10):
            if call is None or call.merged_into is None:
                break
            call = await self._loaded(call.merged_into)
        return call

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        """Return a page of calls, the newest first, and the cursor of the next. Raises `StorageError`, `ValueError`."""
        return await self._database.read(lambda connection: calls_table.find_calls(connection, wanted))

    # ------------------------------------------------------------------------------- what PBX and route say

    async def take(self, changes: Iterable[TrackedCall]) -> None:
        """Take what a PBX's tracker says, in order: its facts replace those before, what others wrote stays.

        Waits for the database only where a call may be one of before this start. Raises `StorageError` only for what
        an edge told: it tells it again.
        """
        for change in changes:
            self._take(change, await self._known(change.call))

    async def _known(self, facts: Call) -> Call | None:
        """Return the call that a PBX speaks of as we have it; None for a new one."""
        call_id = self._aliases.get(facts.id, facts.id)
        if call_id not in self._calls:
            call_id = self._same(facts) or call_id
        old = facts.told or facts.started_at < self._since or facts.state == "ended"
        if call_id not in self._calls and old:
            # It may be of before this start, or have ended long ago; the clock of an edge is another one.
            call_id = await self._kept(facts) or call_id
        if call_id != facts.id:
            self._aliases[facts.id] = call_id
        return self._calls.get(call_id)

    async def newest_start(self, pbx: str) -> float | None:
        """Return when the newest call of a PBX began; None when there is none. Raises `StorageError`."""
        return await self._database.read(partial(calls_table.newest_start, pbx=pbx))

    async def pbx_of(self, call_id: str) -> str | None:
        """Return the PBX of a call; None where there is none with this id. Raises `StorageError`."""
        call = await self._loaded(call_id)
        return None if call is None else call.pbx

    async def saved(self, call_ids: Collection[str]) -> bool:
        """Wait until some calls are on the disk as they are now; False when the database does not take them."""
        ids = {self._aliases.get(one, one) for one in call_ids}
        while not ids.isdisjoint(self._saving):
            if not await self._database.flush():
                return False
        return True

    def _same(self, facts: Call) -> str | None:
        call = self._calls.get(self._by_key.get(_key(facts), ""))
        if call is None or abs(call.started_at - facts.started_at) * 1000 > calls_table.SAME_START_MS:
            return None
        return call.id

    async def _kept(self, facts: Call) -> str | None:
        def look(connection: Connection) -> Call | None:
            return calls_table.load_call(connection, facts.id) or calls_table.by_pbx_id(connection, facts)

        try:
            found = await self._database.read(look)
        except StorageError:
            if facts.told:
                raise  # its edge keeps it until it is on our disk
            self._unsure.add(facts.id)  # looked up again when it is written
            return None
        if found is not None and found.id not in self._calls:
            self._keep(found)
        return None if found is None else found.id

    def _take(self, change: TrackedCall, known: Call | None) -> None:
        facts = change.call
        if known is None:
            self._change(self._with_decision(replace(facts, version=0)), change.kinds)
            return
        again = known.id != facts.id
        if (again and is_known(known)) or 0 < facts.told <= known.told:
            return
        taken = with_own(facts, known)
        if facts.merged_into is not None:
            taken = replace(taken, merged_into=self._aliases.get(facts.merged_into, facts.merged_into))
        taken = self._with_decision(taken)
        if taken != known:
            # One that was taken up again has begun before.
            kinds = tuple(kind for kind in change.kinds if not (again and kind == "call.started"))
            self._change(taken, kinds or ("call.updated",))
            if taken.merged_into not in (None, known.merged_into):
                self._hand_over(taken)

    def route(self, event: CallRouted) -> None:
        """Take a decision: it belongs to the call that its PBX knows by this id, now or as soon as there is one."""
        if event.health_check:
            return
        decision, call_id = event.decision, event.caller.call_id
        found = CallRoute(decision.route, decision.rule or None, decision.reason, decision.revision, call_id)
        self._decided[call_id] = found, self._contact_of(decision)
        if len(self._decided) > _MOST_DECIDED:
            self._decided.popitem(last=False)
        call = self._calls.get(self._by_pbx_id.get(call_id, ""))
        if call is not None and (decided := self._with_decision(call)) != call:
            self._change(decided, ("call.updated",))

    def _with_decision(self, call: Call) -> Call:
        for call_id in _pbx_ids(call):
            if call_id in self._decided:
                route, contact = self._decided.pop(call_id)
                call = replace(call, route=route, contact=call.contact or contact)
        return call

    def _hand_over(self, swallowed: Call) -> None:
        """Let the call that another one has become a part of have what people wrote about that."""
        call = self._calls.get(swallowed.merged_into or "")
        if call is None:
            return
        edit = CallEdit(swallowed.notes, add_tags=swallowed.tags)
        given = replace(
            edit.of(call),
            sentiment=call.sentiment or swallowed.sentiment,
            disposition=call.disposition or swallowed.disposition,
            contact=call.contact or swallowed.contact,
            route=call.route or swallowed.route,
        )
        if given != call:
            self._change(given, ("call.updated",))

    # ------------------------------------------------------------------------- what people and deliveries say

    async def edit(self, call_id: str, edit: CallEdit, version: int | None = None) -> Call:
        """Change what people say of a call, and return it; edits at once all count, in order.

        With `version`, only when the call has that one. Raises `UnknownCall`, `StaleVersion` and `StorageError`.
        """
        call = await self._wanted(call_id)
        if version not in (None, call.version):
            raise StaleVersion(f"the call has version {call.version} now, not {version}; read it again")
        return self._changed(call, edit.of(call), ("call.updated",))

    async def set_contact(self, call_id: str, contact: CallContact | None) -> Call:
        """Say who the other party is. Raises `UnknownCall` and `StorageError`."""
        call = await self._wanted(call_id)
        return self._changed(call, replace(call, contact=contact), ("call.updated",))

    async def set_recording(self, call_id: str, recording: CallRecording) -> Call:
        """Say how far the recording is. Raises `UnknownCall` and `StorageError`."""
        call = await self._wanted(call_id)
        # Its length is known when it is final, and not before: at the hang-up Asterisk may still write.
        ready = recording.state == "pending" and recording.seconds is not None and call.recording.seconds is None
        return self._changed(call, replace(call, recording=recording), ("recording.ready",) if ready else ())

    async def set_delivery(self, call_id: str, target: str, delivery: CallDelivery) -> Call:
        """Say how far the writing to a target is; no event of it. Raises `UnknownCall` and `StorageError`."""
        call = await self._wanted(call_id)
        return self._changed(call, replace(call, deliveries={**call.deliveries, target: delivery}), ())

    async def _wanted(self, call_id: str) -> Call:
        call = await self.call(call_id)
        if call is None:
            raise UnknownCall(f"there is no call {call_id!r}")
        return call

    def _changed(self, before: Call, after: Call, kinds: tuple[ChangeKind, ...]) -> Call:
        return self._change(after, kinds) if after != before else before

    # ------------------------------------------------------------------------------------------ what goes

    async def expire(self, keep_days: int) -> int:
        """Delete the calls that are older, some at a time; return how many. Raises `StorageError`."""
        now = self._now()
        newest = await self._database.read(calls_table.newest_start)
        if not self._doubt.believes(now, newest, keep_days * _DAY_S):
            return 0
        gone = 0
        while ids := await self._database.write(lambda connection: self._expire(connection, now - keep_days * _DAY_S)):
            gone += len(ids)
        return gone

    def _expire(self, connection: Connection, before: float) -> Sequence[str]:
        ids = calls_table.expire_calls(connection, before, _AT_ONCE)
        if self._drop_more is not None:
            self._drop_more(connection, ids)
        return ids

    async def keep_up(self, keep_days: Callable[[], int]) -> None:
        """Delete what is too old once an hour, for ever."""
        while True:
            with suppress(StorageError):  # the database tells of it itself
                gone = await self.expire(keep_days())
                if gone:
                    _log.info("database.expired", calls=gone)
            await asyncio.sleep(_UPKEEP_S)

    async def forget(self, number: str) -> None:
        """Let go of what memory has of a number: who forgets it has the database. A call under way stays."""
        await self._database.flush()
        for call in [one for one in self._calls.values() if one.state == "ended"]:
            if ("number", number) in calls_table.parties(call):
                self._drop(call.id)

    # ------------------------------------------------------------------------------------ memory and database

    def _change(self, call: Call, kinds: tuple[ChangeKind, ...]) -> Call:
        """Keep a call that is other than before, put it in line, tell of it; return it with its new version."""
        call = replace(call, version=call.version + 1)
        self._keep(call)
        save = self._saving.get(call.id)
        if save is None:
            self._put(_Save(CallChanged(call, kinds)))
        else:  # it stands in the line already: one writing for all that comes until its turn
            save.change = CallChanged(call, (*save.change.kinds, *kinds))
        self._publish(CallChanged(call, kinds))
        return call

    def _put(self, save: _Save) -> None:
        call_id = save.change.call.id
        self._saving[call_id] = save
        if not self._database.put(lambda connection: self._save(connection, save), lambda: self._is_saved(save)):
            del self._saving[call_id]  # lost, which the database tells of; the next change brings all of it

    def _save(self, connection: Connection, save: _Save) -> None:
        """Write a call as it is now, and what is to be delivered of it. In the database's thread, perhaps again."""
        change: CallChanged | None = save.change
        if save.change.call.id in self._unsure:
            save.twin, change = _joined(connection, save.change)
        if change is None:
            return
        planned = self._plan(connection, change.call, change.kinds) if self._plan and change.kinds else {}
        # Here and not later: what the next call puts is not on the disk when this one is.
        save.lanes.update(self._touched())
        call = change.call
        if planned:
            call = replace(call, version=call.version + 1, deliveries={**call.deliveries, **planned})
        calls_table.save_call(connection, call)
        save.saved, save.planned = change, planned

    def _is_saved(self, save: _Save) -> None:
        """Take what was planned into the call; write again what has changed while it was written."""
        call_id = save.change.call.id
        del self._saving[call_id]
        self._unsure.discard(call_id)
        self._on_saved(save.lanes)
        if save.twin is not None:
            self._become(save, save.twin)
            return
        if save.saved is None:
            return  # a fault of ours, which the database has told
        before, now = save.saved.call, self._calls.get(call_id)
        if now is not None and save.planned:
            # What a quick worker has said meanwhile is newer than the plan.
            said, known = now.deliveries, before.deliveries
            news = {target: one for target, one in save.planned.items() if said.get(target) == known.get(target)}
            now = replace(now, version=now.version + 1, deliveries={**said, **news})
            self._keep(now)
            self._publish(CallChanged(now, ()))
        if save.change is not save.saved and now is not None:
            self._put(_Save(CallChanged(now, save.change.kinds[len(save.saved.kinds) :])))

    def _become(self, save: _Save, twin: Call) -> None:
        """Go on with a call under the id that it had in the database all the time."""
        newest = self._calls[save.change.call.id]
        self._drop(newest.id)
        self._aliases[newest.id] = twin.id
        # Whoever has seen it under the other id lets go of that.
        gone = replace(newest, version=newest.version + 1, state="ended", merged_into=twin.id)
        self._publish(CallChanged(gone, ("call.updated",)))
        if save.saved is None:
            return  # what was there is all that is to be known
        kept = save.saved.call
        if save.planned:
            kept = replace(kept, version=kept.version + 1, deliveries={**kept.deliveries, **save.planned})
        self._keep(kept)
        self._changed(kept, with_own(newest, kept), save.change.kinds[len(save.saved.kinds) :])
        self._hand_over(gone)

    def _keep(self, call: Call) -> None:
        self._calls[call.id] = call
        self._index(call)
        if call.state == "ended":
            self._ended[call.id] = None
            self._ended.move_to_end(call.id)
        for call_id in self._to_drop():
            self._drop(call_id)

    def _to_drop(self) -> Sequence[str]:
        too_many = max(0, len(self._ended) - self._most_ended)
        # What is not written yet stays: the database would give what was before.
        return tuple(islice((one for one in self._ended if one not in self._saving), too_many))

    def _drop(self, call_id: str) -> None:
        call = self._calls.pop(call_id)
        self._ended.pop(call_id, None)
        if self._by_key.get(_key(call)) == call_id:
            del self._by_key[_key(call)]
        for alias in [one for one, known in self._aliases.items() if known == call_id]:
            del self._aliases[alias]
        for one in _pbx_ids(call):
            if self._by_pbx_id.get(one) == call_id:
                del self._by_pbx_id[one]

    def _index(self, call: Call) -> None:
        self._by_key[_key(call)] = call.id
        for one in _pbx_ids(call):
            self._by_pbx_id[one] = call.id

    async def _loaded(self, call_id: str) -> Call | None:
        call_id = self._aliases.get(call_id, call_id)
        if call_id not in self._calls:
            found = await self._database.read(lambda connection: calls_table.load_call(connection, call_id))
            # Somebody else may have been quicker: what is in memory is newer.
            if found is not None and call_id not in self._calls:
                self._keep(found)
        return self._calls.get(call_id)


def _key(call: Call) -> _Key:
    return call.pbx, call.pbx_call_id


def _pbx_ids(call: Call) -> Sequence[str]:
    """Return every id that a decision may know the call by."""
    return [call.pbx_call_id, *call.linkedids, *([call.route_call_id] if call.route_call_id is not None else [])]


def _joined(connection: Connection, change: CallChanged) -> tuple[Call | None, CallChanged | None]:
    """Return the same call as it is in the database under another id, and the change of that one.

    Without another one the change is as it was; where the database knows better, there is none.
    """
    twin = calls_table.by_pbx_id(connection, change.call)
    if twin is None or twin.id == change.call.id:
        return None, change
    if is_known(twin):
        return twin, None
    return twin, CallChanged(replace(with_own(change.call, twin), version=twin.version + 1), change.kinds)
