"""Who hears of what the engine does: metrics, traces, the log, the journal. A new one is a function and a line here.

Each `open_...` takes the `Host`, subscribes to its events, and returns what a reload changes and the stop closes, or
None. Nobody in `service.py` or `live_calls.py` knows them by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from routing_engine import __version__
from routing_engine.config.engine_sections import LogSettings
from routing_engine.config.load import Configuration
from routing_engine.connections import AccessList
from routing_engine.core.events import CallEnded, PersonDid, Reading
from routing_engine.engine import WHOLE, ActiveConfig, EnginePart
from routing_engine.event_bus import EventBus
from routing_engine.journal.writer import Journal
from routing_engine.live_calls import Around
from routing_engine.log import log_call
from routing_engine.metrics.traces import open_traces
from routing_engine.settings.environment import variables_of
from routing_engine.settings.hub import HubKeys
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.paths import audit_folder
from routing_engine.settings.stores import journal_place
from routing_engine.storage.deed_log import DeedLog
from routing_engine.workers.messages import Counted

if TYPE_CHECKING:  # late: what few sites need
    from routing_engine.followed_calls import FollowedCalls


@dataclass(frozen=True, slots=True)
class Host:
    """What the service offers to those who subscribe, while it starts.

    `configuration` is the one it starts with; `active` gives what calls are decided with, once there is one.
    `not_ready` says why no call would be taken now, "" when it would; `remark` what is wrong although calls are taken.
    Who has states for metrics adds to `readings`, who stands around each call to `around`, who listens to `addresses`,
    by the name of the listener, who keeps numbers in memory to `forgets`. `part` is what this process does of the
    engine: where workers carry the calls, `counted` hears what they count, and `refresh` is waited for before figures
    are read.
    """

    configuration: Configuration
    active: Callable[[], ActiveConfig]
    events: EventBus
    not_ready: Callable[[], str]
    remark: Callable[[], str] = str
    readings: list[Callable[[], Iterable[Reading]]] = field(default_factory=list)
    around: list[Around] = field(default_factory=list)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    forgets: list[Callable[[str], Awaitable[None]]] = field(default_factory=list)
    part: EnginePart = WHOLE
    counted: list[Callable[[Counted], None]] = field(default_factory=list)
    refresh: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


def _change_nothing(configuration: Configuration) -> Sequence[str]:
    return ()


async def _close_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What the service does with a subscriber, beside telling it events.

    `change` takes what a reload brings, and returns the keys of engine.yaml that count after a restart only. `close`
    is called once, after the last event, in the opposite order of opening.
    """

    change: Callable[[Configuration], Sequence[str]] = _change_nothing
    close: Callable[[], Awaitable[None]] = _close_nothing


OpenSubscriber: TypeAlias = Callable[[Host], Awaitable[Subscriber | None]]


async def open_metrics(host: Host) -> Subscriber | None:
    """Count, and answer scrapers, where there is a listener for them. Raises `OSError` when its address is taken."""
    address = host.configuration.settings.listeners.metrics
    if address is None:
        return None
    # late: a site without this listener does not pay for the imports
    from routing_engine.metrics.listener import MetricsListener
    from routing_engine.metrics.meter import Meter

    meter = Meter(__version__, host.readings, refresh=host.refresh)
    host.counted.append(meter.tallies.add)
    meter.subscribe_to(host.events, calls=host.part.carries)
    listener = MetricsListener(meter, host.not_ready, host.remark, access=access_to(address))
    await listener.listen(address.host, address.port)
    host.addresses["metrics"] = listener.addresses

    def change(configuration: Configuration) -> Sequence[str]:
        now = configuration.settings.listeners.metrics
        if now is not None and (now.host, now.port) == (address.host, address.port):
            listener.change(access_to(now))
        return ()

    return Subscriber(change, listener.stop)


def access_to(address: ListenerAddress) -> AccessList:
    """Return who may use a listener."""
    return AccessList.of(address.host, address.allow, address.secret)


async def open_spans(host: Host) -> Subscriber | None:
    """Make traces, where the environment names a collector."""
    traces = open_traces(variables_of(host.configuration.settings.folder), __version__)
    if traces is None or not host.part.carries:
        return None

    def change(configuration: Configuration) -> Sequence[str]:
        traces.plain_numbers = configuration.settings.logging.numbers == "plain"
        return ()

    change(host.configuration)
    # Around each call, because a span begins where the work does; events tell only of the end.
    host.around.append(traces.around)
    host.events.subscribe_at_once(CallEnded, traces.call_ended)
    return Subscriber(change, traces.close)


async def open_log(host: Host) -> Subscriber:
    """Write a line for each call."""
    call_log = _CallLog(host.configuration.settings.logging)
    if host.part.carries:
        host.events.subscribe_at_once(CallEnded, call_log.call_ended)
    return Subscriber(call_log.change)


class _CallLog:
    def __init__(self, started_with: LogSettings) -> None:
        self._started_with = started_with
        self._plain = started_with.numbers == "plain"

    def call_ended(self, event: CallEnded) -> None:
        """Write the line of a call."""
        log_call(event, self._plain)

    def change(self, configuration: Configuration) -> Sequence[str]:
        """Take how numbers are shown; level and format were set up with the process."""
        now, then = configuration.settings.logging, self._started_with
        self._plain = now.numbers == "plain"
        return [] if (now.level, now.format) == (then.level, then.format) else ["logging"]


async def open_journal(host: Host) -> Subscriber:
    """Keep every decision on the disk, unless the site wants none."""
    settings = host.configuration.settings
    wanted = settings.journal
    place = journal_place(wanted, settings.database, settings.folder)
    journal = Journal(place, wanted, settings.region, keeps_up=host.part.first) if wanted.kept else None

    def change(configuration: Configuration) -> Sequence[str]:
        now = configuration.settings.journal
        if journal is not None:
            journal.change(now, configuration.settings.region)
        moved = ["database"] if configuration.settings.database != settings.database else []
        return moved if (wanted.kept, wanted.path) == (now.kept, now.path) else [*moved, "journal"]

    if journal is None:
        return Subscriber(change)
    await journal.open()  # before any call: one that ends while it opens would be lost with a crash
    if host.part.carries:
        host.events.subscribe_at_once(CallEnded, journal.record)
    host.readings.append(lambda: _journal_readings(journal))
    return Subscriber(change, journal.close)


def _journal_readings(journal: Journal) -> Iterator[Reading]:
    yield Reading("journal_waiting", journal.waiting)
    yield Reading("journal_lost_total", journal.lost)
    yield Reading("journal_down", bool(journal.down))


async def open_audit(host: Host) -> Subscriber:
    """Keep who did what in the log beside what came into force, whose lines hang together."""
    settings = host.configuration.settings
    log, kept_days = DeedLog(audit_folder(settings.folder)), [settings.keep_days]

    def keep(event: PersonDid) -> None:
        log.add(event.who, event.what, event.about, address=event.address)

    def forget() -> None:
        with suppress(OSError):  # what cannot be written is said by whoever adds a line
            log.forget(datetime.now(UTC) - timedelta(days=kept_days[0]))

    def change(configuration: Configuration) -> Sequence[str]:
        kept_days[0] = configuration.settings.keep_days
        return ()

    await asyncio.to_thread(forget)
    host.events.subscribe(PersonDid, keep)
    return Subscriber(change)


async def open_calls(host: Host) -> Subscriber:
    """Follow calls to their end, where the folder names a PBX: from the start, or from a reload on."""
    listener, hub = host.configuration.settings.listeners.http, host.configuration.settings.hub
    if hub is not None:
        return await _open_edge(host, hub)
    if listener is not None:
        return await _open_api(host, _follow_calls(host), listener)
    if host.configuration.pbxs:
        return Subscriber(close=_follow_calls(host).close)
    opened: list[FollowedCalls] = []

    def change(configuration: Configuration) -> Sequence[str]:
        if configuration.pbxs and not opened:
            opened.append(_follow_calls(host))
            opened[0].take_up()
        return ()

    async def close() -> None:
        for calls in opened:
            await calls.close()

    return Subscriber(change, close)


def _follow_calls(host: Host) -> FollowedCalls:
    # late: a site that only routes does not pay for the imports
    from routing_engine.followed_calls import FollowedCalls

    calls = FollowedCalls(host.events, host.active)
    calls.begin()
    host.readings.append(calls.readings)
    host.forgets.append(calls.forget)
    return calls


async def _open_edge(host: Host, hub: HubKeys) -> Subscriber:
    """Follow calls for an engine elsewhere."""
    # late: as above
    from routing_engine.edge_calls import EdgeCalls

    calls = EdgeCalls(host.events, host.active, host.configuration)
    calls.begin()
    host.readings.append(calls.readings)
    host.forgets.append(calls.forget)
    await calls.open(hub)

    def change(configuration: Configuration) -> Sequence[str]:
        return [] if configuration.settings.hub == hub else ["hub"]

    return Subscriber(change, calls.close)


async def _open_api(host: Host, calls: FollowedCalls, address: ListenerAddress) -> Subscriber:
    """Answer programs and people. Raises `OSError` when the address is taken."""
    # late: as above
    from routing_engine.api_service import ApiService

    api = ApiService(calls, host.events, host.configuration)
    host.addresses["http"] = [*await api.open(address)]

    def change(configuration: Configuration) -> Sequence[str]:
        api.change(configuration)
        return ()

    return Subscriber(change, api.close)


#: Who hears of events, in the order of opening. Metrics first: they are closed last, so that whoever asks whether the
#: engine is ready while it drains gets an answer.
SUBSCRIBERS: tuple[OpenSubscriber, ...] = (open_metrics, open_spans, open_log, open_journal, open_audit, open_calls)
