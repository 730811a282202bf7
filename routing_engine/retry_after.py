"""How long another system wants to be left alone: what it wrote into a header of its answer, as seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,6})?\Z", re.ASCII)
_RESET = re.compile(r"\b(?:reset|t)\s*=\s*([0-9]{1,7})\b", re.ASCII)
#: Fewer seconds are a time to wait; more are a moment, and a thousand times more its milliseconds.
_MOMENT, _MOMENT_MS = 1e8, 1e11


def seconds_until(text: str, now: float) -> float | None:
    """Return the seconds to wait that a header says, and None when it says nothing that can be read.

    That is `Retry-After` (RFC 9110, 10.2.3: seconds, or a date), and what vendors send beside it: a moment in seconds
    or milliseconds since 1970, a date as ISO 8601 writes it, or `reset=5` of RateLimit. `now` is the Unix time.
    """
    text = text.strip()
    if _NUMBER.match(text):
        # Vendors send both "wait 30" and "until 1795251900" under one name: no wait is as long as a Unix time.
        number = float(text)
        return number if number < _MOMENT else max(0.0, (number if number < _MOMENT_MS else number / 1000) - now)
    if found := _RESET.search(text):
        return float(found[1])
    date = _date(text)
    return None if date is None else max(0.0, date.timestamp() - now)


def _date(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None
