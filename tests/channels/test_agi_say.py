"""What Asterisk is told to say, and in which language it can."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from routing_engine.channels.agi.say import family, saying, voices
from routing_engine.core.model import Spoken

VIENNA, NEW_YORK = ZoneInfo("Europe/Vienna"), ZoneInfo("America/New_York")


def moment(shown: str, form: str) -> tuple[str, ...]:
    """The command for what a clock on the wall shows."""
    return "SAY DATETIME", str(int(datetime.fromisoformat(f"{shown}+00:00").timestamp())), "1#", form, "UTC"


#: Kind, text, language, the site's zone, the command.
SAYINGS = [
    ("digits", "12*#", "en", VIENNA, ("SAY DIGITS", "12*#", "1#")),
    ("number", "-21", "de", VIENNA, ("SAY NUMBER", "-21", "1#")),
    ("letters", "AB 12", "de", VIENNA, ("SAY ALPHA", "AB 12", "1#")),
    ("date", "2027-01-03T16:35:00", "en", None, moment("2027-01-03T16:35", "ABdY")),
    ("time", "2027-01-03T16:35:00", "en_GB", VIENNA, moment("2027-01-03T16:35", "IMp")),
    ("date", "2027-01-03T16:35:00", "de", VIENNA, moment("2027-01-03T16:35", "AdBY")),
    ("time", "2027-01-03T16:35:00", "de-AT", VIENNA, moment("2027-01-03T16:35", "HM")),
    ("date", "2027-01-03", "ja", VIENNA, moment("2027-01-03T00:00", "YBdA")),
    ("time", "2027-07-03T16:35:00Z", "", VIENNA, moment("2027-07-03T18:35", "HM")),
    ("time", "2027-01-03T16:35:00+01:00", "en", NEW_YORK, moment("2027-01-03T10:35", "IMp")),
    ("time", "2027-01-03T16:35:00+05:30", "en", None, moment("2027-01-03T16:35", "IMp")),
]


@pytest.mark.parametrize(("kind", "text", "language", "zone", "command"), SAYINGS)
def test_sayings(kind: str, text: str, language: str, zone: tzinfo | None, command: tuple[str, ...]) -> None:
    assert saying(Spoken(kind, text), "1#", language, zone) == command  # type: ignore[arg-type]


@pytest.mark.parametrize("spoken", [Spoken("date", "tomorrow"), Spoken("speech", "hello"), Spoken("sound", "hello")])
def test_what_asterisk_cannot_say_is_refused(spoken: Spoken) -> None:
    with pytest.raises(ValueError):
        saying(spoken, "", "en", VIENNA)


@pytest.mark.parametrize(
    ("language", "found"), [("de_AT", ("de_AT", "de")), ("en", ("en",)), ("de-AT", ("de-AT",)), ("", ())]
)
def test_the_family_of_a_language_is_what_asterisk_makes_of_it(language: str, found: tuple[str, ...]) -> None:
    assert family(language) == found


@pytest.mark.parametrize(
    ("language", "fallback", "found"),
    [("de_AT", "fr", ("de_AT", "de", "fr", "en")), ("en", "en", ("en",)), ("fr", "de_AT", ("fr", "de_AT", "de", "en"))],
)
def test_the_languages_to_say_something_in(language: str, fallback: str, found: tuple[str, ...]) -> None:
    assert voices(language, fallback) == found
