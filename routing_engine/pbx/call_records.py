"""What every history of a PBX has in common: call records (CDR), read from some place, and what may be wrong with them.

They are no log of calls (a forwarded call is four rows, a ring group one for each phone), but the only thing that is
left of a call after its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from routing_engine.calls.pbx_events import HistoryRow

#: Rows are written when a call is over, not when the connection broke: so much earlier they are looked for.
EARLIER_S = 60.0
#: So many of the newest rows are looked at for a fault.
LATEST = 20
#: `[systemname-]epoch.counter`: the second in which the channel began, whatever zone its row is in.
_EPOCH = re.compile(r"(?:.*-)?([0-9]{9,11})\.[0-9]+\Z")
#: Further off than a clock that was set; nearer than the nearest zone.
_OFF_S = 600.0


class HistoryFault(NamedTuple):
    """What is wrong with call records, in a sentence, and what to do."""

    sentence: str
    remedy: str


class PbxHistory(Protocol):
    """Where call records are read. `name` is for people."""

    name: str

    async def rows(self, since: float) -> Sequence[HistoryRow]:
        """Return the rows of calls that ended after `since` (seconds since 1970), oldest first.

        Raises `OSError` for a file, `ProviderError` for a database.
        """

    async def fault(self) -> HistoryFault | None:
        """Return what is wrong with them; None when they can be used. Raises as `rows`."""

    async def close(self) -> None:
        """Let go of it."""


def hours_off(rows: Sequence[HistoryRow]) -> float:
    """Return by how many hours the times of rows differ from what their ids say; 0 where they agree, or say nothing.

    A channel's second row begins later than the channel, so the row that comes nearest counts.
    """
    differences = [row.began_at - began for row in rows if (began := began_by_id(row.channel.uniqueid)) is not None]
    nearest = min(differences, key=abs, default=0.0)
    return 0.0 if abs(nearest) < _OFF_S else round(nearest / 900) / 4


def began_by_id(uniqueid: str) -> float | None:
    """Return the second in which a channel began, as its id says it; None where it does not."""
    found = _EPOCH.match(uniqueid)
    return None if found is None else float(found[1])
