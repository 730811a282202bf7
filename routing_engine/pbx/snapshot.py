"""All channels that a PBX has now: what a new connection must begin with, and what a lost hang-up is found by.

Nothing is replayed after a broken connection, so a list is the only way to hear of what was missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from routing_engine.asterisk.ami import AmiClient
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import Snapshot
from routing_engine.pbx.ami_events import STATUS_VARIABLES, snapshot

Genuine: TypeAlias = Callable[[AmiMessage], AmiMessage | None]
#: Thousands of channels are seconds of a busy Asterisk.
LONGEST_S = 30.0


async def take_snapshot(client: AmiClient, genuine: Genuine) -> Snapshot:
    """Return all channels, of entries as `genuine` gives them: it says None for one that a caller has written into.

    Raises what `AmiClient.action` raises, and `ValueError` for an Asterisk without a clock.
    """
    at = await pbx_clock(client)
    shown = await client.action("CoreShowChannels", LONGEST_S)
    # Behind it, for the moments: who hangs up between the two is in one of them only, which is no harm.
    statuses = await client.action("Status", LONGEST_S, Variables=STATUS_VARIABLES)
    # A field of a channel may hold another's ids, or a blank line that cuts its entry off.
    return snapshot(_believed(shown, genuine), _believed(statuses, genuine), at)


def _believed(entries: Iterable[AmiMessage], genuine: Genuine) -> list[AmiMessage]:
    return [one for one in map(genuine, entries) if one is not None]


async def pbx_clock(client: AmiClient) -> float:
    """Return what the PBX's clock says, in seconds since 1970. Raises as `take_snapshot` does."""
    (pong,) = await client.action("Ping")
    try:
        return float(pong["Timestamp"])
    except (KeyError, ValueError):
        raise ValueError("Asterisk's answer to Ping has no time") from None
