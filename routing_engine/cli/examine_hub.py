"""What `doctor` looks at where the engine is an edge: whether its hub takes it, and what waits for the hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from routing_engine.cli.examination import Finding, Folder
from routing_engine.config.store import Configuration
from routing_engine.errors import StorageError
from routing_engine.settings.hub import HubKeys
from routing_engine.settings.stores import database_place
from routing_engine.storage.place import DatabasePlace

if TYPE_CHECKING:  # late: SQLAlchemy
    from routing_engine.storage.spool_table import SpoolState

_ASK_S = 5.0
#: What waits for longer is more than a line that was cut for a moment.
_LATE_S = 60.0


def look_at_hub(folder: Folder) -> Iterator[Finding]:
    """Does the hub know this edge, and does it get what happens here?"""
    configuration = folder.configuration
    hub = configuration.settings.hub if configuration is not None else None
    if configuration is None or hub is None:
        return
    yield asyncio.run(_ask(hub, configuration))
    settings = configuration.settings
    yield _look_at_spool(database_place(settings.database, folder.path, settings.journal.path))


async def _ask(hub: HubKeys, configuration: Configuration) -> Finding:
    import aiohttp  # late: only where there is a hub

    from routing_engine.edges.to_hub import PATH, STATUSES

    try:
        timeout = aiohttp.ClientTimeout(total=_ASK_S)
        who = {"Authorization": f"Bearer {hub.key}"}
        async with (
            aiohttp.ClientSession(headers=who, timeout=timeout) as session,
            session.get(hub.address + PATH, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                _, why, remedy = STATUSES.get(answer.status, ("", f"it answers {answer.status}", "look at its log"))
                return Finding("hub", "act", f"{hub.address}: {why}", remedy)
            known = (await answer.json())["pbxs"]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
        why = f"{hub.address} cannot be asked: {type(error).__name__}"
        return Finding("hub", "act", why, "look at hub.address, at the firewall, and at the hub's certificate")
    missing = sorted(name for name, one in configuration.pbxs.items() if one.keys.ami is not None and name not in known)
    if missing:
        remedy = f"write edge: with the name of this key into pbxs/{missing[0]}.yaml of the hub"
        return Finding("hub", "act", f"it does not take calls of the PBX '{missing[0]}' from here", remedy)
    return Finding("hub", "fine", f"{hub.address} knows the key, and takes the calls of {', '.join(sorted(known))}")


def _look_at_spool(place: DatabasePlace) -> Finding:
    from routing_engine.storage.connector import Connector  # late: SQLAlchemy
    from routing_engine.storage.spool_table import spool_state

    if place.path is not None and not place.path.exists():
        return Finding("spool", "fine", "no call was followed yet")
    connector = Connector(place, write=False)
    try:
        with connector.transaction() as connection:
            state = spool_state(connection)
    except StorageError as error:
        return Finding("spool", "unknown", f"what waits for the hub cannot be read: {error}", "see 'database'")
    finally:
        connector.close()
    return _of_spool(state, time.time())


def _of_spool(state: SpoolState, now: float) -> Finding:
    if state.aside:
        remedy = "the engine's log says why: hub.not_taken"
        return Finding("spool", "act", f"{state.aside} changes of calls were not taken by the hub", remedy)
    if state.since is not None and now - state.since > _LATE_S:
        waits = f"{state.waiting} changes of calls wait for the hub, the oldest for {now - state.since:.0f} s"
        return Finding("spool", "act", waits, "look at hub.down and hub.refused in the engine's log; nothing is lost")
    return Finding("spool", "fine", f"{state.waiting} changes of calls wait for the hub")
