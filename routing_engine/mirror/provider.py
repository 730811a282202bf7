"""A source out of an index of our own: a `Provider` in front of another, which is only pulled from, never asked.

Calls find in the index; `start` begins to pull on schedule. The engine does that, commands only look or pull once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.core.model import Record
from routing_engine.core.phone import lines_in
from routing_engine.core.ports import Clock, Lists, Provider, Query
from routing_engine.errors import ProviderUnreachable
from routing_engine.mirror import index, index_writer
from routing_engine.mirror.index import IndexState, SearchColumn
from routing_engine.mirror.puller import Puller, PullResult, Sleep, Throttle
from routing_engine.mirror.schedule import Fingerprints, Kind, PullSchedule, print_of
from routing_engine.mirror.scheduler import ModelState, Scheduler, disk_fault
from routing_engine.settings.integration import Integration
from routing_engine.settings.mirror import MirrorSettings, listing_of
from routing_engine.storage.sqlite import DbThread


class MirrorProvider:
    """Keeps the port `Provider` over an index in `folder`.

    `provider` is the system itself; it keeps `Lists`, too, and is asked as `limiter` allows. `region` is the site's: it
    says how numbers without country code are read. `now` is seconds since 1970.
    """

    def __init__(
        self,
        integration: Integration,
        provider: Provider,
        limiter: Throttle,
        region: str,
        folder: Path,
        now: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name, self._models, self._region = integration.name, integration.models, region
        self.live, self._limiter, self._now = provider, limiter, now
        self._settings = integration.mirror or MirrorSettings()
        self._schedules = _schedules(integration, self._settings, region)
        self._columns = {model: self._first_columns(model) for model in self._schedules}
        path = index.index_path(folder, integration.name)
        self._reading, self._writing = DbThread(path, index.open_index), DbThread(path, index.open_index)
        if not isinstance(provider, Lists):
            raise TypeError(f"{integration.name}: its records cannot be listed")  # `check_listing` refuses it before
        puller = Puller(integration.name, provider, self._writing, region, limiter, now, sleep)
        name = integration.name
        self._scheduler = Scheduler(name, path, self._schedules, self._columns, self._writing, puller, now, sleep)
        self._ages: dict[str, float | None] = {}
        self._running: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------- for calls

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the records that the index holds; of a model that cannot be listed, what the system itself answers.

        Raises `ProviderUnreachable` while the index cannot be used, and why.
        """
        if query.model not in self._schedules:
            return await self._limiter.run(lambda: self.live.find(query))
        try:
            held, records = await self._look_up(query)
        except (sqlite3.Error, OSError) as error:
            raise ProviderUnreachable(f"{self._name}: {disk_fault(error)}") from error
        unusable = self._schedules[query.model].why_unusable(held, self._now())
        self._ages[query.model] = None  # until we know better, the answer is of the system itself
        if unusable and self._settings.until_ready == "live":
            return await self._limiter.run(lambda: self.live.find(query))
        if unusable or held is None:
            failing = self._scheduler.why_failing(query.model)
            raise ProviderUnreachable(f"{self._name}: {unusable}" + (f" ({failing})" if failing else ""))
        age_s = self._ages[query.model] = max(0.0, round(self._now() - held.as_of, 3))
        # Of a value the first ones are as good as any; of a caller they are too many, which the look-up says.
        known = records if query.by_caller else records[:MOST_RECORDS]
        return [replace(record, age_s=age_s) for record in known]

    def age_s(self, model: str) -> float | None:
        """Return how old the last answer of a model was; None when the system itself gave it."""
        return self._ages.get(model)

    def search_in(self, model: str, field: str, by_caller: bool) -> None:
        """Have an index for such searches from the next full pull on; one that is needed earlier is made then."""
        if model in self._schedules:
            self._columns[model].update(self._columns_of(model, field, by_caller))

    # ------------------------------------------------------------------------------------- kept up to date

    @property
    def states(self) -> Mapping[str, ModelState]:
        """How each model was at the last look."""
        return self._scheduler.states

    def start(self) -> None:
        """Pull on schedule until `close`."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._scheduler.run())

    async def pull_due(self) -> None:
        """Pull what is due now."""
        await self._scheduler.pull_due()

    async def pull(self, model: str, kind: Kind | None = None, accept: bool = False) -> PullResult | None:
        """Pull a model now; see `Scheduler.pull`."""
        return await self._scheduler.pull(model, kind, accept)

    async def look(self) -> Mapping[str, ModelState]:
        """Look how every model is, in the file that other processes may have changed."""
        await self._scheduler.look()
        return self._scheduler.states

    async def close(self) -> None:
        """End a pull under way, and close what is open."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for part in (self._scheduler, self._reading, self._writing, self.live):
            await part.close()

    # ------------------------------------------------------------------------------------- inside

    async def _look_up(self, query: Query) -> tuple[IndexState | None, list[Record]]:
        columns, keys = self._question(query)
        held, records, missing = await self._reading.do(index.find, query.model, columns, keys)
        if not missing:
            return held, records
        self._columns[query.model].update(missing)
        for column in missing:  # it goes on when the look-up's time is up: the next one finds
            await asyncio.shield(self._writing.do(index_writer.add_column, query.model, self._region, column))
        return (await self._reading.do(index.find, query.model, columns, keys))[:2]

    def _question(self, query: Query) -> tuple[tuple[SearchColumn, ...], list[str]]:
        """Return where to look, and for which keys.

        Numbers that are kept as `digits` lack their +: they stand where they were read as national ones.
        """
        columns = self._columns_of(query.model, query.field, query.by_caller)
        if not query.by_caller:
            return columns, [text] if (text := query.value.strip()) else []
        if query.caller is None:
            return columns, []
        also = lines_in(query.number, self._region) if query.form == "digits" else ()
        return columns, list(dict.fromkeys((query.caller.line, *also)))

    def _columns_of(self, model: str, field: str, by_caller: bool) -> tuple[SearchColumn, ...]:
        """Return what a search looks in: the field, else the numbers of the model, or the key of the mirror."""
        if not by_caller:
            return (SearchColumn(field or self._settings.key, False),)
        return tuple(SearchColumn(name, True) for name in ([field] if field else self._models[model].numbers))

    def _first_columns(self, model: str) -> set[SearchColumn]:
        return {column for by_caller in (True, False) for column in self._columns_of(model, "", by_caller)}


def _schedules(integration: Integration, settings: MirrorSettings, region: str) -> dict[str, PullSchedule]:
    system = print_of((integration.provider, integration.settings))
    found: dict[str, PullSchedule] = {}
    for name, model in integration.models.items():
        shape = print_of((integration.provider, model.fields, str(model.record_url), region))
        listing = listing_of(integration.settings, name)
        if not listing:
            continue
        found[name] = PullSchedule(f"{integration.name} {name}", settings, listing, Fingerprints(shape, system))
    return found
