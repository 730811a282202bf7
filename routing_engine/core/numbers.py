"""Phone numbers: one form in, the spellings to search by out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

#: What Asterisk and carriers write instead of a number that the caller withholds.
HIDDEN_WORDS = frozenset(
    {"", "anonymous", "unknown", "restricted", "private", "withheld", "unavailable", "<unknown>", "asterisk"}
)
_SEPARATORS = re.compile(r"[\s\-./()\u00a0]+")
_DIALLED = re.compile(r"\+?[0-9]{1,20}\Z", re.ASCII)
#: Without + or trunk prefix no public number is that short; libphonenumber would make `+43217` of extension 217.
_EXTENSION = re.compile(r"[1-9][0-9]{0,5}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number in the spellings that systems search by.

    `received` is the number as it arrived, `digits` the same without separators (a leading + stays), `e164` is
    `+436641234567`, `national` is `06641234567`. A number that is no public one (an extension such as `100`)
    has its digits in all of them.
    """

    received: str
    digits: str
    e164: str
    national: str

    def form(self, name: str) -> str:
        """Give the spelling that `number_form` names: `e164`, `national`, `digits` (no +) or `as_received`."""
        if name == "as_received":
            return self.received
        if name == "digits":
            return self.e164.lstrip("+")
        return self.national if name == "national" else self.e164


@lru_cache(maxsize=4096)
def read_number(text: str, region: str) -> Number | None:
    """Read a number as people, CRMs and carriers write it; None for one that is hidden or no number at all.

    `region` (ISO 3166, `AT`) says how a number without country code is read. Formats follow libphonenumber.
    """
    received = text.strip()
    if received.lower() in HIDDEN_WORDS:
        return None
    digits = _SEPARATORS.sub("", received.replace("(0)", "") if received.startswith("+") else received)
    if not _DIALLED.match(digits):
        return None
    if _EXTENSION.match(digits):
        return Number(received, digits, digits, digits)
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return Number(received, digits, digits, digits)
    if not phonenumbers.is_possible_number(parsed):
        return Number(received, digits, digits, digits)
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return Number(received, digits, e164, re.sub(r"[^0-9]", "", national))


@lru_cache(maxsize=4096)
def country_of(number: Number) -> str:
    """Give the country of a public number (ISO 3166, `AT`); "" for an extension and numbers of no country."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number.e164, None)) or ""
    except phonenumbers.NumberParseException:
        return ""


def same_number(one: Number | None, other: Number | None) -> bool:
    """Tell whether two numbers are the same line: equal in E.164, never by their last digits."""
    return one is not None and other is not None and one.e164 == other.e164


def mask_number(text: str) -> str:
    """Give a number for a log line: the last three digits stay, `...567`; short ones vanish whole."""
    return "..." + text[-3:] if len(text) > 5 else "..."
