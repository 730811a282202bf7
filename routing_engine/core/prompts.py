"""Prompts with values in them: what a `SpokenTemplate` of a route comes to for one call."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from routing_engine.core.compare import as_moment, as_number
from routing_engine.core.model import Operand, Sound, Spoken, SpokenTemplate, Template, Value
from routing_engine.core.redact import one_line
from routing_engine.core.templates import render

#: Names of sounds: a path below Asterisk's sounds, or an absolute one, without `..` and without a format.
SOUND = re.compile(r"(?!.*\.\.)/?[A-Za-z0-9_][A-Za-z0-9_.\-/@+]{0,119}\Z", re.ASCII)
LANGUAGE = re.compile(r"[A-Za-z]{2,8}([_\-][A-Za-z0-9]{1,8}){0,3}\Z", re.ASCII)

_DIGITS = re.compile(r"[0-9*#]{1,40}\Z", re.ASCII)
_LETTERS = re.compile(r"[A-Za-z0-9 .+*#/@\-]{1,40}\Z", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)
_SEPARATORS = re.compile(r"[\s./\-()+]+")
_LONGEST_SPEECH = 500
_LONGEST_NUMBER = 2**31 - 1  # SAY NUMBER takes a C int


def check_language(text: str) -> str:
    """Return a language's code without spaces around it. Raises `ValueError` with a sentence for another text."""
    language = text.strip()
    if not LANGUAGE.match(language):
        raise ValueError(f"'{language[:80]}' is not a language")
    return language


def speak(saying: SpokenTemplate, look: Callable[[Operand], Value], now: datetime) -> Sound:
    """Fill a `SpokenTemplate` with values. Raises `ValueError` with a sentence when what comes out cannot be said."""
    text = render(saying.text, look).strip()
    if saying.kind == "sound":
        if not SOUND.match(text) or (text[0] == "/" and not _is_absolute(saying.text)):
            raise ValueError(f"'{text[:80]}' is not the name of a sound")
        return text
    return Spoken(saying.kind, _SAID[saying.kind](text, now))


def _is_absolute(template: Template) -> bool:
    """Return whether the route itself names a place on the disk: a value that did could play somebody's voicemail."""
    first = template.parts[0]
    return isinstance(first, str) and first.lstrip().startswith("/")


def _digits(text: str, now: datetime) -> str:
    digits = _SEPARATORS.sub("", text)
    if not _DIGITS.match(digits):
        raise ValueError(f"'{text[:80]}' is not digits")
    return digits


def _number(text: str, now: datetime) -> str:
    number = as_number(text)
    if number is None or number != number.to_integral_value() or abs(number) > _LONGEST_NUMBER:
        raise ValueError(f"'{text[:80]}' is not a whole number")
    return str(int(number))


def _letters(text: str, now: datetime) -> str:
    if not _LETTERS.match(text):
        raise ValueError(f"'{text[:80]}' cannot be spelled")
    return text


def _moment(text: str, now: datetime) -> str:
    time = _TIME.match(text)
    moment = now.replace(hour=int(time[1]), minute=int(time[2])) if time else as_moment(text, now)
    if moment is None or not 1970 <= moment.year <= 2999:  # SAY DATETIME takes seconds since 1970
        raise ValueError(f"'{text[:80]}' is not a date")
    return moment.isoformat()


def _speech(text: str, now: datetime) -> str:
    said = one_line(text)[:_LONGEST_SPEECH]
    if not said:
        raise ValueError("there is nothing to say")
    return said


_SAID: dict[str, Callable[[str, datetime], str]] = {
    "digits": _digits,
    "number": _number,
    "letters": _letters,
    "date": _moment,
    "time": _moment,
    "speech": _speech,
}
