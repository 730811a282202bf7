"""The calls of an edge: its PBXs are followed here, and all that is heard goes to the hub, which keeps them.

One subscriber of the service, in the place of `followed_calls`: no contact is looked up here, nothing is delivered. No
call waits for the hub, and without a line to it nothing is lost.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from sqlalchemy import Connection, text

from routing_engine import __version__
from routing_engine.call_book import CallBook
from routing_engine.calls.changes import CallChanged, PbxReached
from routing_engine.calls.checked import read_json
from routing_engine.config.load import Configuration
from routing_engine.config.people import users_by_phone
from routing_engine.core.events import CallRouted, ConfigurationTaken, Reading
from routing_engine.edges.services import PbxServices
from routing_engine.edges.spool import Spool
from routing_engine.edges.to_hub import EdgeSide, HubLine
from routing_engine.engine import ActiveConfig
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
from routing_engine.pbx.recordings import recordings_of
from routing_engine.settings.hub import HubKeys
from routing_engine.settings.pbx import Pbx
from routing_engine.settings.stores import database_place
from routing_engine.storage import spool_table
from routing_engine.storage.database import Database

#: What the hub said last of whose the phones are: a start without a line knows it.
_READ_PHONES = text("SELECT value FROM about WHERE name = 'phones'")
_WRITE_PHONES = text(
    "INSERT INTO about (name, value) VALUES ('phones', :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

_log = Logger()


class EdgeCalls:
    """`begin` it while the service starts; it takes each configuration as it comes into force. `close` it at the end.

    `active` is what calls are decided with now.
    """

    def __init__(self, events: EventBus, active: Callable[[], ActiveConfig], configuration: Configuration) -> None:
        self._events, self._active = events, active
        self._turn = asyncio.Lock()
        self._tasks = CallTasks()
        self._pbxs: dict[str, FollowedPbx] = {}
        self._recordings = RecordingsInForce(self._tasks, lambda pbx: recordings_of(pbx.keys))
        self._phones: Mapping[str, str] | None = None
        self._ended = EndedCalls()
        self._keep_days = configuration.settings.keep_days
        settings = configuration.settings
        self._database = Database(database_place(settings.database, settings.folder, settings.journal.path))
        self._spool = Spool(self._database)
        self._line: HubLine | None = None
        self.book = CallBook(
            self._database,
            events.publish,
            self._spool.plan,
            lambda decision: contact_of(self._active().configuration, decision),
            spool_table.forget_calls,
            on_saved=self._saved,
        )

    async def open(self, hub: HubKeys) -> None:
        """Take up the calls of before, and connect to the hub; nobody waits for that."""
        await self._database.open()
        if not await self.book.open():
            self._tasks.do(take_up_later(self._database, self.book, self._pbxs))
        self._tasks.do(self.book.keep_up(lambda: self._keep_days))
        await self._read_phones()
        if not hub.key:
            return  # its secret is gone, which a remark says; calls are followed, and wait
        side = EdgeSide(
            run=secrets.token_hex(8),
            engine=__version__,
            pbxs=lambda: sorted(_followed(self._active().configuration)),
            up=lambda: [name for name, one in self._pbxs.items() if one.watcher.connected],
            service_of=self._service_of,
            take_phones=self._take_phones,
        )
        self._line = HubLine(hub, self._spool, side)
        self._line.start()

    def begin(self) -> None:
        """Hear what happens from now on."""
        self._events.subscribe_at_once(ConfigurationTaken, self._taken)
        self._events.subscribe_at_once(CallRouted, self.book.route)
        self._events.subscribe_at_once(CallChanged, self._ended.hear)
        self._events.subscribe_at_once(PbxReached, self._reached)

    def readings(self) -> Iterator[Reading]:
        """Yield the states of PBXs and of the line, for metrics."""
        for followed in self._pbxs.values():
            yield from followed.watcher.readings()
        yield from self.book.readings()
        yield from self._ended.readings()
        if self._line is not None:
            yield from self._line.readings()

    async def forget(self, number: str) -> None:
        """Let go of what memory has of a number."""
        await self.book.forget(number)

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        await self._tasks.close()
        for followed in self._pbxs.values():
            await followed.close()
        if self._line is not None:
            await self._line.close()
        await self._recordings.close()
        await self._database.close()

    # ------------------------------------------------------------------------------- what is heard

    def _taken(self, _: ConfigurationTaken) -> None:
        self._tasks.do(self._apply())

    def _reached(self, _: PbxReached) -> None:
        if self._line is not None:
            self._line.reached()

    def _saved(self, _: Collection[str]) -> None:
        """Let the line look: what a change puts into the spool is on the disk with the call."""
        if self._line is not None:
            self._line.told()

    # ------------------------------------------------------------------------------- what the folder names

    async def _apply(self) -> None:
        async with self._turn:
            configuration = self._active().configuration
            self._keep_days = configuration.settings.keep_days
            for name in [name for name, one in self._pbxs.items() if configuration.pbxs.get(name) != one.pbx]:
                await self._pbxs.pop(name).close()
            phones = self._phones if self._phones is not None else users_by_phone(configuration.users)
            for name, pbx in _followed(configuration).items():
                site = site_of(pbx, phones, configuration.settings.region)
                if name in self._pbxs:
                    self._pbxs[name].tracker.site = site
                else:
                    self._pbxs[name] = FollowedPbx(pbx, site, configuration, self.book, self._events.publish)
            self._recordings.change(configuration.pbxs)

    def _service_of(self, pbx: str) -> PbxServices:
        followed = self._pbxs.get(pbx)
        return PbxServices(self._recordings.get(pbx), None if followed is None else followed.watcher.commands)

    # ------------------------------------------------------------------------------- whose the phones are

    def _take_phones(self, phones: Mapping[str, str]) -> None:
        if phones != self._phones:
            self._phones = dict(phones)
            self._database.put(partial(_write_phones, phones=self._phones))
            self._tasks.do(self._apply())

    async def _read_phones(self) -> None:
        try:
            found = await self._database.read(lambda connection: connection.execute(_READ_PHONES).scalar())
        except StorageError:
            return  # the hub says it again
        if found is not None:
            self._phones = {phone: user for phone, user in read_json(found).items() if isinstance(user, str)}


def _followed(configuration: Configuration) -> Mapping[str, Pbx]:
    """Return the PBXs that stand here: in a folder that edges and hub share there may be others."""
    return {name: pbx for name, pbx in configuration.pbxs.items() if pbx.keys.ami is not None}


def _write_phones(connection: Connection, phones: Mapping[str, str]) -> None:
    connection.execute(_WRITE_PHONES, {"value": json.dumps(phones)})
