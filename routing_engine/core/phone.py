"""Phone numbers: read as people write them, compared in E.164, written in the formats that systems search by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import unquote

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

#: What Asterisk and carriers write instead of a number that the caller withholds.
WITHHELD_WORDS = frozenset(
    """anonymous|restricted|private|withheld|private caller|private number|blocked|no caller id|p|anonym|unterdrückt
    anonyme|masqué|numéro masqué|anonimo|privato|anónimo|oculto|privado|número oculto|anoniem|zastrzeżony""".replace(
        "\n    ", "|"
    ).split("|")
)
#: Words in the place of a number: those, and what says that nobody knows it. `O` and `P` are how analogue lines say it.
HIDDEN_WORDS = WITHHELD_WORDS | frozenset(
    """|unknown|unavailable|<unknown>|asterisk|unknown caller|out of area|not available|not provided|unavail|o|null|none
    n/a|-|undefined|invalid|unbekannt|inconnu|sconosciuto|desconocido|onbekend|nieznany""".replace("\n    ", "|").split(
        "|"
    )
)
#: How many of a number's last digits may be searched by: fewer are shared by too many, more has no number (E.164).
LAST_FEWEST, LAST_MOST = 6, 15
#: The formats that a number is written in. `digits` is E.164 without its +, `significant` the national number without
#: trunk prefix (`2125550147`), `international` and `local` are as people of the country write it (`+1 212-555-0147`,
#: `(212) 555-0147`), `received` is as the number arrived, `last_8` are its last eight digits.
WHOLE_FORMATS = ("e164", "digits", "national", "significant", "international", "local")
PHONE_FORMATS = (*WHOLE_FORMATS, "received", *(f"last_{count}" for count in range(LAST_FEWEST, LAST_MOST + 1)))

_LAST = re.compile(r"last[_ ]?(0|[1-9][0-9]{0,3})\Z")
#: How a carrier writes international numbers: with their +, or as country code and digits. "" is not known.
Plus: TypeAlias = Literal["", "expected", "missing"]
#: What gateways and services send for a caller who hides: any count of zeros, ANONYMOUS or UNAVAILABLE on a keypad.
#: CRMs hold the zeros where no number was known; nobody is found by them.
_PLACEHOLDER = re.compile(r"\+?(?:0+|266696687|86282452253)\Z", re.ASCII)
#: Zeros behind a country code, as `+1 000-000-0000`: nobody's number.
_NOTHING_BEHIND = re.compile(r"\+[1-9][0-9]{0,2}0{7,}\Z", re.ASCII)
_ZEROS = "0000000"
#: The two of them that look like a number of some country.
_SPELLED = frozenset(("+266696687", "+86282452253"))
#: Long enough for no extension, and nothing in it that somebody has written for people.
_PLAIN = re.compile(r"\+[1-9][0-9]{7,14}\Z", re.ASCII)
#: Argentina's 9 behind +54 marks a mobile, Mexico's 1 behind +52 did so until 2019. Neither belongs to the line:
#: carriers and CRMs mix both ways of writing it.
_MOBILE_MARK = re.compile(r"(\+54)9([0-9]{10})\Z|(\+52)1([0-9]{10})\Z", re.ASCII)
#: What a spreadsheet puts around digits so that they stay a text: `'0664...` and `="0664..."`.
_AS_TEXT = re.compile(r"""\s*(?:'\s*(.*?)'?|=\s*"(.*?)")\s*\Z""", re.S)
_SEPARATORS = re.compile(r"[\s\-./()\u00a0]+")
_DIALLED = re.compile(r"\+?[0-9]{1,20}\Z", re.ASCII)
#: Without + or trunk prefix no public number is that short; libphonenumber would make `+43217` of extension 217.
_EXTENSION = re.compile(r"[1-9][0-9]{0,5}\Z", re.ASCII)
#: Country codes whose numbers keep the zero that people put in brackets: +39 (0)6 is Rome, dialled with its 0.
_KEEPS_ZERO = re.compile(r"\+\s*39")

# What people put around a number in a record. `(DW 12)` is an extension behind the line: the line is what counts.
_SCHEME = re.compile(r"\s*(?:tel|callto)\s*:\s*", re.I)
#: What programs that take a number for an amount make of it: `436641234567.0`.
_AS_AMOUNT = re.compile(r"\s*([1-9][0-9]{6,14})\.0\s*\Z", re.ASCII)
#: Between two numbers of which each is whole: `01 5550123 / 0664 1234567`, but not within `0664 / 1234567`.
_OR = re.compile(r"\s+(?:/|&|oder|or|und|and|bzw\.?|et|ou|o|y|e)\s+(?=[+0])", re.I)
_WHOLE = re.compile(r"\s*[+0](?:[^0-9]*[0-9]){6}")
_BEHIND = re.compile(
    r"[\s\-/.(]*(?:ext(?:ension|n)?|x|dw|durchwahl|kl(?:appe)?|nst|nebenstelle|poste|int(?:erno)?|#)"
    r"[\s.:=\-]*[0-9]{1,7}\s*\)?\s*\Z",
    re.I | re.ASCII,
)
_ADDRESS = re.compile(r"<?(?:tel|sips?|callto):", re.I)
#: `"Anna" <sip:+12155550142@carrier.example>`: the name stands in front, the address in the brackets.
_NAMED = re.compile(r"(?:\"[^\"]*\"\s*|[^<>\"]+)<([^<>]+)>")
_LOCAL = re.compile(r";\s*phone-context\s*=", re.I)  # RFC 3966: a number of somewhere else's numbering
_BETWEEN = re.compile(r"[;|\r\n]+")
_ROUNDED = re.compile(r"\s*[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+\s*\Z", re.I | re.ASCII)
_LONGEST_TEXT, _LONGEST_PIECE = 1000, 80
_SHORTEST_FOREIGN, _MARKED = 9, 14
_LOOKS_LIKE = {"\u2212": "-", "\uff0b": "+", "\uff08": "(", "\uff09": ")", "\uff0f": "/", "\uff0e": ".", "\u00b7": "."}


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number in the spellings that systems search by.

    `received` is the number as it arrived, `digits` the same without separators (a leading + stays), `e164` is
    `+436641234567`, `national` is `06641234567`. A number that is not public (an extension such as `100`) has its
    digits in all of them.
    """

    received: str
    digits: str
    e164: str
    national: str

    @property
    def line(self) -> str:
        """What tells lines apart: E.164 without what two ways of writing one line differ in."""
        return _line(self.e164)

    def form(self, name: str) -> str:
        """Return the number in one of `PHONE_FORMATS`; "" for the last digits of one that has fewer than six."""
        known = {"e164": self.e164, "national": self.national, "received": self.received}.get(name)
        if known is not None:  # libphonenumber need not be asked
            return known
        count = last_digits(name)
        if not count:
            return spellings(self)[name]
        digits = self.e164.lstrip("+")
        return digits[-count:] if len(digits) >= LAST_FEWEST else ""


def phone_format(words: str) -> str:
    """Return the format that YAML or a query names, also as `as_received`, `last 8`, `last8`; "" when it is not one."""
    count = last_digits(words)
    name = f"last_{count}" if count else "received" if words == "as_received" else words
    return name if name in PHONE_FORMATS else ""


def last_digits(form: str) -> int:
    """Return the N of the format `last_N`, also one that is not allowed; 0 for every other format."""
    found = _LAST.match(form)
    return int(found[1]) if found else 0


@lru_cache(maxsize=4096)
def read_number(text: str, region: str, plus: Plus = "") -> Number | None:
    """Read a number as people, CRMs and carriers write it; None for one that is hidden or not a number at all.

    `region` (ISO 3166, `AT`) says how a number without country code is read, `plus` how the one who wrote it writes
    international numbers. Formats follow libphonenumber.
    """
    received = text.strip()
    digits = _dialled(received)
    if digits is None:
        return None
    parsed = _parse(digits, region, plus)
    if parsed is None:
        return Number(received, digits, digits, digits)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return Number(received, digits, _e164(parsed), re.sub(r"[^0-9]", "", national))


def read_line(text: str, region: str) -> str | None:
    """Return the `line` of `read_number` alone: made for long tables, many times faster for what is E.164 already."""
    digits = _dialled(text.strip())
    if digits is None:
        return None
    parsed = None if _is_e164(digits) else _parse(digits, region)
    return _line(digits if parsed is None else _e164(parsed))


def plain_line(text: str) -> str | None:
    """Return what `read_line` does of a text that is E.164 and nothing else; None where that must look closer.

    For lists of a million numbers: a fifth of its time, and the text itself is the line.
    """
    if not _PLAIN.match(text) or text.endswith(_ZEROS) or text in _SPELLED:
        return None
    return _line(text) if _is_e164(text) else None


def _line(e164: str) -> str:
    return e164[:3] + e164[4:] if len(e164) == _MARKED and _MOBILE_MARK.match(e164) else e164


def _dialled(received: str) -> str | None:
    """Return the digits of a text, with the + that they begin with; None when it is not a number."""
    if received.startswith("+") and not _KEEPS_ZERO.match(received):
        received = received.replace("(0)", "")
    digits = _SEPARATORS.sub("", received)
    return digits if _DIALLED.match(digits) and not _is_nobody(digits) else None


def _parse(digits: str, region: str, plus: Plus = "") -> phonenumbers.PhoneNumber | None:
    """Return the public number; None for an extension and for what no numbering plan knows."""
    if _EXTENSION.match(digits):
        return None
    national = _possible(digits, region)
    if digits[0] in "+0" or plus == "expected":
        return national
    return _without_plus(digits, region, plus, national is None) or national


def _possible(digits: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None


def _without_plus(digits: str, region: str, plus: Plus, unread: bool) -> phonenumbers.PhoneNumber | None:
    """Return the number that digits are as country code and number; None where they are not meant so.

    Carriers, tables and CRMs leave the + out. libphonenumber takes such digits for a national number wherever the plan
    allows one that begins so, in Germany for nearly every mobile. Digits that begin with the region's own country code,
    and those that cannot be read otherwise, are international when that makes a *valid* number; those of a carrier that
    always leaves the + out, whatever they begin with.
    """
    own = str(phonenumbers.country_code_for_region(region)) if region else ""
    if plus != "missing" and not (own and (unread or digits.startswith(own))):
        return None
    found = _possible(f"+{digits}", "")
    return found if found is not None and phonenumbers.is_valid_number(found) else None


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    return f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


def _is_e164(digits: str) -> bool:
    """Return whether libphonenumber would leave the number as it is; False also where only it can tell."""
    if digits[0] != "+":
        return False
    for end in (2, 3, 4):
        trunk = _trunk_prefix(digits[1:end])
        if trunk is not None:
            return len(digits) > end + 2 and not trunk.match(digits, end)
    return False


@lru_cache(maxsize=2048)
def _trunk_prefix(country: str) -> re.Pattern[str] | None:
    """Return what libphonenumber takes off behind a country code, such as 0; None when there is no such country."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(country)) if country[:1] not in ("", "0") else None
    if not regions:
        return None
    found = PhoneMetadata.metadata_for_region_or_calling_code(int(country), regions[0])
    return re.compile((found and found.national_prefix_for_parsing) or r"(?!)")


# ---------------------------------------------------------------------------------------- numbers in a record


def lines_in(text: str, region: str) -> tuple[str, ...]:
    """Return the `Number.line` of every number in a text of a record, in its order; none for what cannot be read.

    Several numbers have `;`, `,`, `|` or a line break between them; whole ones also `/` or a word such as `or`. Read
    are also `tel:` before a number, an extension behind it (`ext. 12`, `x12`, `DW 12`: the line itself counts), and
    digits, spaces and dashes of all of Unicode.
    """
    return tuple(line for piece in _pieces(text) if (line := read_line(piece, region)))


def holds_line(text: str, number: Number, region: str) -> bool:
    """Return whether a text of a record holds a number: the same line, never the same last digits.

    Written without its + it is the same line too: `12155550142`, which is read as a national number elsewhere.
    """
    if number.line in lines_in(text, region):
        return True
    digits = number.e164.lstrip("+")
    # Digits of another country without their + look like a national number; found by the whole one, they are that.
    return len(digits) >= _SHORTEST_FOREIGN and any(_dialled(piece) == digits for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """Return each number of a text, as it is written but in ASCII and without what stands around it."""
    if len(text) > _LONGEST_TEXT or _LOCAL.search(text) or is_rounded(text):
        return
    for part in _BETWEEN.split(_parted(plain_text(text))):
        first, *others = [_bare(piece) for piece in part.split(",")]
        yield first
        # A comma is also a pause before an extension: `+43 1 2345678,,12` is not the extension 12 of our own PBX.
        short = _EXTENSION.match(first.strip())
        yield from (other for other in others if short or not _EXTENSION.match(other.strip()))


def _parted(text: str) -> str:
    """Return a text with `;` where words or strokes stand between numbers that are whole."""
    parts = _OR.split(text)
    # The digits of an extension make no number whole: `+2622696 / 01234 ext. 12` is one line.
    whole = len(parts) > 1 and all(_WHOLE.match(_BEHIND.sub("", part, count=1)) for part in parts)
    return ";".join(parts) if whole else text


def _bare(piece: str) -> str:
    if len(piece) > _LONGEST_PIECE:
        return ""
    piece = without_text_mark(piece)
    amount = _AS_AMOUNT.match(piece)
    return amount[1] if amount else _BEHIND.sub("", _SCHEME.sub("", piece, count=1), count=1)


def without_text_mark(text: str) -> str:
    """Return a text without what a spreadsheet puts around digits so that they stay a text: `'0664`, `="0664"`."""
    found = _AS_TEXT.match(text)
    return text if found is None else found[1] if found[1] is not None else found[2]


def user_part(text: str) -> str:
    """Return the number of a SIP address or a `tel:` link as carriers send it, without parameters and host.

    `+12155550142;verstat=TN-Validation-Passed` and `sip:+12155550142@carrier.example` are `+12155550142` (RFC 3261
    section 19.1.1, RFC 3966); Asterisk leaves the parameters in unless `ignore_uri_user_options` is set.
    """
    if text.isascii() and (text.isalnum() or text[1:].isdigit()):
        return text  # nearly all are a number and nothing else
    named = _NAMED.match(text.strip())
    bare = _ADDRESS.sub("", (named[1] if named else plain_text(text)).strip(), count=1)
    user, at, _ = bare.partition(";")[0].partition("@")
    # RFC 3261 lets a password stand behind the user.
    return unquote(user.partition(":")[0] if at else user).strip(" ,<>")


def is_rounded(text: str) -> bool:
    """Return whether a spreadsheet has made a power of ten of a number, `4,36641E+11`: its digits are lost."""
    return _ROUNDED.match(text) is not None


def is_placeholder(text: str) -> bool:
    """Return whether a text is what is sent for a caller who hides: zeros, or such a word on a keypad."""
    return _is_nobody(_SEPARATORS.sub("", text))


def _is_nobody(digits: str) -> bool:
    if _PLACEHOLDER.match(digits):
        return True
    if not _NOTHING_BEHIND.match(digits):
        return False
    try:
        return phonenumbers.parse(digits).national_number == 0
    except phonenumbers.NumberParseException:
        return True


def plain_text(text: str) -> str:
    """Return a text with the digits, spaces, dashes and brackets of ASCII; marks that nobody sees are left out."""
    return text if text.isascii() else "".join(map(_plain, text))


def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if kind == "Cf":
        return ""
    if kind[0] == "Z":
        return " "
    return "-" if kind == "Pd" else _LOOKS_LIKE.get(char, char)


# ---------------------------------------------------------------------------------------------------- the rest


@lru_cache(maxsize=4096)
def country_of(number: Number) -> str:
    """Return the country of a public number (ISO 3166, `AT`); "" for an extension and numbers of no country."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number.e164, None)) or ""
    except phonenumbers.NumberParseException:
        return ""


def dialled_from(text: str, region: str) -> str:
    """Return a number with a + as it is dialled in a region: `06641234567` in AT, `00436641234567` in DE.

    Any other text, and any where there is no region, stays as it is.
    """
    parsed = _parse(text, region) if region and text.startswith("+") else None
    if parsed is None:
        return text
    return re.sub(r"[^0-9]", "", phonenumbers.format_out_of_country_calling_number(parsed, region)) or text


def same_number(one: Number | None, other: Number | None) -> bool:
    """Return whether two numbers are the same line, never by their last digits."""
    return one is not None and other is not None and one.line == other.line


@lru_cache(maxsize=4096)
def spellings(number: Number) -> Mapping[str, str]:
    """Return a number in each of `WHOLE_FORMATS`, and its calling code as `country` (`1`).

    A number that is not a public one has its digits in all of them, and no country.
    """
    digits = number.e164.lstrip("+")
    found = {"e164": number.e164, "digits": digits, "national": number.national}
    try:
        parsed = phonenumbers.parse(number.e164, None)
    except phonenumbers.NumberParseException:
        return found | dict.fromkeys(("significant", "international", "local"), digits) | {"country": ""}
    return found | {
        "significant": phonenumbers.national_significant_number(parsed),
        "international": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        "local": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL),
        "country": str(parsed.country_code),
    }


#: The names of `spellings`, which a description may send.
SPELLINGS = (*WHOLE_FORMATS, "country")


def number_text(region: str, text: str) -> str:
    """Return a number in E.164 where it reads as one, and any other text as it is."""
    found = read_number(text, region)
    return found.e164 if found is not None else text
