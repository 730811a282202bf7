"""What Asterisk says by itself: digits, numbers, letters, dates and times, as commands of FastAGI. Touches no socket.

Asterisk puts a number together from small sounds, by the grammar of the channel's language. Where a language has no
such sounds it takes the English ones one by one and leaves out those that English has not got: 21 in German would be
"twenty". So the channel looks for a sample first, and says it in a language that has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from routing_engine.core.model import SayingKind, Spoken

#: A sound that is there where the others of its kind are.
SAMPLES: Mapping[SayingKind, str] = {
    "digits": "digits/1",
    "number": "digits/1",
    "letters": "letters/a",
    "date": "digits/1",
    "time": "digits/1",
}
#: The language that Asterisk itself tries last.
ASTERISKS_OWN = "en"

_VERBS: Mapping[SayingKind, str] = {"digits": "SAY DIGITS", "number": "SAY NUMBER", "letters": "SAY ALPHA"}
#: How a date and a time are said, in the letters of Asterisk's say.conf: A weekday, B month, d day, Y year, I and H
#: hours of 12 and 24, M minutes, p a.m. or p.m.
_FORMATS: Mapping[str, tuple[str, str]] = {"en": ("ABdY", "IMp"), "ja": ("YBdA", "HM"), "zh": ("YBdA", "HM")}
_USUAL = ("AdBY", "HM")


def family(language: str) -> tuple[str, ...]:
    """Return the languages in which Asterisk looks for a sound: `de_AT`, then `de`."""
    parts = language.split("_")
    return tuple("_".join(parts[:count]) for count in range(len(parts), 0, -1) if parts[0])


def voices(language: str, fallback: str) -> tuple[str, ...]:
    """Return the languages to say something in, best first, each once."""
    return tuple(dict.fromkeys((*family(language), *family(fallback), ASTERISKS_OWN)))


def saying(spoken: Spoken, keys: str, language: str, zone: tzinfo | None) -> tuple[str, ...]:
    """Return the command, in words, that says a value; one of `keys` ends it.

    A moment is said as the clock on the wall of `zone` shows it (None: as it is written). It goes to Asterisk as that
    reading in UTC: Asterisk takes a zone that it does not know for UTC without a word, and its zones may be older.
    Raises `ValueError` for a kind or a moment that is none.
    """
    if spoken.kind in _VERBS:
        return _VERBS[spoken.kind], spoken.text, keys
    if spoken.kind not in SAMPLES:
        raise ValueError(f"Asterisk does not say {spoken.kind}")
    date, time = _FORMATS.get(language.replace("-", "_").split("_")[0].lower(), _USUAL)
    shown = _wall_clock(datetime.fromisoformat(spoken.text), zone)
    return "SAY DATETIME", str(int(shown.timestamp())), keys, date if spoken.kind == "date" else time, "UTC"


def _wall_clock(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is not None and zone is not None:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=UTC)
