"""Calls that are followed to their end: PBXs are heard, calls kept, other parties found, entries and webhooks written.

One subscriber of the service. Nothing of it is waited for by a call that is routed, and none of it can break one.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact
from routing_engine.calls.changes import CallChanged
from routing_engine.calls.ports import PbxCommands, SoundFile
from routing_engine.calls.site import PbxSite
from routing_engine.config.load import Configuration
from routing_engine.config.people import users_by_phone
from routing_engine.contacts import ContactMatcher, ContactsDown
from routing_engine.core.events import CallRouted, ConfigurationTaken, Reading
from routing_engine.core.model import Decision
from routing_engine.delivery.call_log_target import CallLogTarget, CrmSite
from routing_engine.delivery.jobs import Queue
from routing_engine.delivery.lane import Workplace
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.delivery.planner import DeliveryPlanner, Wanted
from routing_engine.delivery.recording_target import WAIT_S, RecordingTarget
from routing_engine.delivery.webhook import Webhook
from routing_engine.delivery.worker import DeliveryWorker, lanes_of
from routing_engine.desk.actions import ContactDesk, UnknownCallers
from routing_engine.desk.pops import CallPops
from routing_engine.desks import Desks, matcher_of
from routing_engine.dialling.dialler import DialSite
from routing_engine.edges.hub import EdgeHub, EdgeRules
from routing_engine.engine import ActiveConfig, call_logs
from routing_engine.errors import StorageError
from routing_engine.event_bus import EventBus
from routing_engine.followed_pbx import (
    CallTasks,
    EndedCalls,
    FollowedPbx,
    RecordingsInForce,
    contact_of,
    site_of,
    take_up_later,
)
from routing_engine.logger import Logger
from routing_engine.pbx.recordings import Recordings, recordings_of
from routing_engine.settings.api import keys_in_force
from routing_engine.settings.pbx import Pbx
from routing_engine.settings.stores import database_place
from routing_engine.storage.database import Database
from routing_engine.storage.place import DatabasePlace

#: So many look-ups of other parties at once are those of a very busy site; what comes then is found when it is written.
MOST_MATCHES = 500
#: So many calls are remembered as looked for.
_MOST_KNOWN = 5000
#: A telephone rings, or the call is over without: no route asks any more.
_CLEAR = frozenset({"call.ringing", "call.answered", "call.ended"})

_log = Logger()


class FollowedCalls:
    """`begin` it while the service starts; it takes each configuration as it comes into force. `close` it at the end.

    `active` is what calls are decided with now.
    """

    def __init__(self, events: EventBus, active: Callable[[], ActiveConfig]) -> None:
        self._events, self._active = events, active
        self._turn = asyncio.Lock()
        self._tasks = CallTasks()
        self._pbxs: dict[str, FollowedPbx] = {}
        self._webhooks: dict[str, Webhook] = {}
        self._matcher: ContactMatcher | None = None
        #: Whether nobody was found for a call, by its id; False while it is not known.
        self._looked_for: OrderedDict[str, bool] = OrderedDict()
        self._targets: Mapping[str, CallLogTarget] = {}
        self._unknown: UnknownCallers | None = None
        self._ended = EndedCalls()
        self._database: Database | None = None
        self._planner: DeliveryPlanner | None = None
        self._worker: DeliveryWorker | None = None
        self.queue: Queue | None = None
        self._recorded = RecordingsInForce(self._tasks, self._recordings_of)
        self._keep_days = 0
        self.book: CallBook | None = None
        #: Where engines beside other PBXs connect.
        self.hub: EdgeHub | None = None
        self.desks = Desks(active, lambda: self._targets)
        self.desk: ContactDesk | None = None
        self._pops = CallPops(self.desks.screens)

    async def open(self, configuration: Configuration) -> tuple[Database, CallBook]:
        """Have the database and the book before any PBX needs them: for who offers calls to others."""
        async with self._turn:
            return await self._open(configuration)

    def follows(self, pbx: str) -> bool:
        """Return whether a PBX of this name is followed."""
        return pbx in self._pbxs or (self.hub is not None and self.hub.knows(pbx))

    def commands(self, pbx: str) -> PbxCommands | None:
        """Return what tells a PBX what to do; None for one that is not followed."""
        followed = self._pbxs.get(pbx)
        if followed is None and self.hub is not None and self.hub.knows(pbx):
            return self.hub.commands(pbx)
        return None if followed is None else followed.watcher.commands

    def dial_site(self) -> DialSite:
        """Return who may dial, and over what, as it is in force."""
        configuration = self._active().configuration
        return DialSite(configuration.users, configuration.pbxs, configuration.settings.region)

    def pbx_site(self, pbx: Pbx) -> PbxSite:
        """Return what is ours in a PBX, as it is in force."""
        configuration = self._active().configuration
        return site_of(pbx, users_by_phone(configuration.users), configuration.settings.region)

    def look(self, lane: str) -> None:
        """Have a lane of deliveries look for what is due now."""
        if self._worker is not None:
            self._worker.told([lane])

    def begin(self) -> None:
        """Hear what happens from now on."""
        self._events.subscribe_at_once(ConfigurationTaken, self._taken)
        self._events.subscribe_at_once(CallRouted, self._routed)
        self._events.subscribe_at_once(CallChanged, self._changed)

    def take_up(self) -> None:
        """Do what the configuration in force names, soon: nobody waits for it."""
        self._tasks.do(self._apply())

    def readings(self) -> Iterator[Reading]:
        """Yield the states of PBXs and deliveries, and the calls that ended, for metrics."""
        for followed in self._pbxs.values():
            yield from followed.watcher.readings()
        if self._worker is not None:
            yield from self._worker.readings()
        if self.book is not None:
            yield from self.book.readings()
        if self.hub is not None:
            yield from self.hub.readings()
        yield from self._ended.readings()

    async def forget(self, number: str) -> None:
        """Let go of what memory has of a number."""
        if self.book is not None:
            await self.book.forget(number)

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        await self._tasks.close()
        if self.hub is not None:
            self.hub.close()
        await self._pops.close()
        for followed in self._pbxs.values():
            await followed.close()
        if self._worker is not None:
            await self._worker.close()
        for webhook in self._webhooks.values():
            await webhook.close()
        await self._recorded.close()
        if self.queue is not None:
            with suppress(StorageError):  # it may be away
                await self.queue.close()
        if self._database is not None:
            await self._database.close()

    # ------------------------------------------------------------------------------- what is heard

    def _taken(self, _: ConfigurationTaken) -> None:
        self.take_up()

    def _routed(self, event: CallRouted) -> None:
        if self.book is not None:
            self.book.route(event)

    def _changed(self, event: CallChanged) -> None:
        self._ended.hear(event)
        call = event.call
        self._pops.changed(call)
        if call.contact is None and not _CLEAR.isdisjoint(event.kinds):
            self._look_for(call)
        if call.contact is None and "call.answered" in event.kinds and self._looked_for.get(call.id):
            self._tasks.do(self._take_unknown(call))

    def _saved(self, lanes: Collection[str]) -> None:
        """Let the lanes look that have got something: now it is on the disk."""
        if self._worker is not None:
            self._worker.told(lanes)

    def _look_for(self, call: Call) -> None:
        """Find out who it is, once for each call."""
        if call.id in self._looked_for or len(self._tasks) >= MOST_MATCHES:
            return
        self._looked_for[call.id] = False
        if len(self._looked_for) > _MOST_KNOWN:
            self._looked_for.popitem(last=False)
        self._tasks.do(self._find_contact(call))

    # ------------------------------------------------------------------------------- who it is

    async def _find_contact(self, call: Call) -> None:
        found = await self._match(call)
        now = await self.book.call(call.id) if self.book is not None else None
        # The route, or a person, may have been quicker.
        if now is None or now.contact is not None or self.book is None:
            return
        if isinstance(found, CallContact):
            await self.book.set_contact(now.id, found)
        elif found is None and self._matcher is not None:
            self._looked_for[call.id] = True
            # Whoever was quicker with the answer than the look-up.
            if now.answered_at is not None:
                await self._take_unknown(now)

    async def _take_unknown(self, call: Call) -> None:
        if self._unknown is not None:
            await self._unknown.answered(call)

    async def _match(self, call: Call) -> CallContact | str | None:
        if self._matcher is None:
            return None
        found = await self._matcher.match(call, self.desks.asked_by_route(call))
        return found.why if isinstance(found, ContactsDown) else found

    def _contact_of(self, decision: Decision) -> CallContact | None:
        return contact_of(self._active().configuration, decision)

    # ------------------------------------------------------------------------------- what the folder names

    async def _apply(self) -> None:
        async with self._turn:
            active = self._active()
            configuration = active.configuration
            if self.book is None:
                if not configuration.pbxs:
                    return  # nothing to follow, and nothing to pay for
                await self._open(configuration)
            self._keep_days = configuration.settings.keep_days
            await self._follow(configuration)
            self._deliver(active)

    async def _open(self, configuration: Configuration) -> tuple[Database, CallBook]:
        settings = configuration.settings
        place = database_place(settings.database, settings.folder, settings.journal.path)
        database = self._database = Database(place)
        await database.open()
        queue = self.queue = _queue_of(place, database)
        self._planner = DeliveryPlanner(queue, time.time)
        planner = self._planner
        book = CallBook(
            database,
            self._events.publish,
            planner.plan,
            self._contact_of,
            queue.forget,
            touched=planner.touched,
            on_saved=self._saved,
        )
        if not await book.open():
            self._tasks.do(take_up_later(database, book, self._pbxs))
        self.book, self.hub = book, EdgeHub(book, self._events.publish)
        self.hub.change(_edge_rules(configuration))
        self.desk = ContactDesk(book, database, self.desks.site, time.time)
        self._unknown = UnknownCallers(self.desk, self.desks.unknown_caller)
        # Not out of what is in force: who offers calls to others opens them before any configuration is.
        self._keep_days = settings.keep_days
        self._tasks.do(book.keep_up(lambda: self._keep_days))
        self._worker = DeliveryWorker(Workplace(queue, book, time.time, random.random))
        return database, book

    async def _follow(self, configuration: Configuration) -> None:
        if self.hub is not None:
            self.hub.change(_edge_rules(configuration))
        for name in [name for name, one in self._pbxs.items() if configuration.pbxs.get(name) != one.pbx]:
            await self._pbxs.pop(name).close()
        for name, pbx in configuration.pbxs.items():
            if pbx.keys.edge:
                continue
            site = site_of(pbx, users_by_phone(configuration.users), configuration.settings.region)
            if name in self._pbxs:
                self._pbxs[name].tracker.site = site
            elif self.book is not None:
                self._pbxs[name] = FollowedPbx(pbx, site, configuration, self.book, self._events.publish)

    def _deliver(self, active: ActiveConfig) -> None:
        configuration = active.configuration
        self._matcher = matcher_of(active)
        self._recorded.change(configuration.pbxs)
        logs = self._targets = self._logs(active)
        before, self._webhooks = self._webhooks, {}
        for name, keys in configuration.webhooks.items():
            # One that is as before goes on: it may have been switched off by its receiver.
            kept = before[name] if name in before and before[name].keys == keys else None
            self._webhooks[name] = kept or Webhook(keys, time.time)
        for name, gone in before.items():
            if self._webhooks.get(name) is not gone:
                self._tasks.do(gone.close())
        wishes = {name: log for name in logs if (log := configuration.integrations[name].log) is not None}
        if self._planner is not None and self._worker is not None:
            events = {name: keys.events for name, keys in configuration.webhooks.items()}
            at_start = [name for name, target in logs.items() if target.log_at == "start"]
            self._planner.wanted = Wanted(events, wishes, [*self._recorded], at_start)
            waits = [log.recording_wait for log in wishes.values() if log.recording != "none"]
            self._worker.change(lanes_of(logs, self._webhooks, self._waited_for(max(waits, default=WAIT_S))))

    def _recordings_of(self, pbx: Pbx) -> Recordings | None:
        if pbx.keys.edge and self.hub is not None:
            return self.hub.recordings(pbx.name) if pbx.keys.recordings != "none" else None
        return recordings_of(pbx.keys)

    def _waited_for(self, wait_s: float) -> Mapping[str, RecordingTarget]:
        if self.book is None:
            return {}
        book = self.book
        return {
            name: RecordingTarget(recordings.find, book, time.time, random.random, wait_s)
            for name, recordings in self._recorded.items()
        }

    async def sound_of(self, call: Call) -> SoundFile | None:
        """Return a call's recording once it is final; None while there is none. Raises as `Recordings.find` does."""
        recorded, name = self._recorded.get(call.pbx), call.recording.name
        return None if recorded is None or name is None else await recorded.find(name)

    def _logs(self, active: ActiveConfig) -> Mapping[str, CallLogTarget]:
        configuration, book = active.configuration, self.book
        zone = configuration.settings.timezone or datetime.now().astimezone().tzinfo
        if book is None or zone is None:
            return {}
        pages = configuration.settings.pages
        site = CrmSite(configuration.users, zone, self._match, self.sound_of, pages, self.desks.own_log)
        return {
            name: CallLogTarget(name, log, wishes, book, site, time.monotonic)
            for name, log in call_logs(active).items()
            if (wishes := configuration.integrations[name].log) is not None
        }


def _queue_of(place: DatabasePlace, database: Database) -> Queue:
    if place.path is not None:
        return OutboxQueue(database)
    from routing_engine.delivery.postgres_queue import PostgresQueue  # late: an extra

    return PostgresQueue(place.url)


def _edge_rules(configuration: Configuration) -> EdgeRules:
    keys = {one.name: one for one in keys_in_force(configuration.settings.api_keys) if "edge" in one.may}
    edges = {name: pbx.keys.edge for name, pbx in configuration.pbxs.items() if pbx.keys.edge}
    return EdgeRules(edges, users_by_phone(configuration.users), keys)
