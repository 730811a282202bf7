"""Numbers as the journal keeps them: plain, masked, or as a keyed hash; also where they stand within a text."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from routing_engine.core.phone import Number, read_number
from routing_engine.core.redact import mask_number
from routing_engine.settings.stores import Mode

ANONYMOUS, FORGOTTEN = "anonymous", "(forgotten)"
#: As many digits may be somebody's number. Fewer are an extension, a year, a small sum.
_FEWEST = 7

# Between the digits of a number, also as an address writes it.
_BETWEEN = r"(?:[\s\-\u2010-\u2015./()]|%20|%2D|%28|%29){0,3}"
_DIGITS = re.compile(r"\d+")
#: What has fewer digits than these holds no number: `_TOKEN` takes ten times as long to say so.
_THREE = re.compile(r"\d\D*\d\D*\d")
_ESCAPED = re.compile("%2[0-9BD]")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
#: Dates and addresses of machines look like numbers and are none: they stay.
_TOKEN = re.compile(
    r"(?P<kept>(?<!\d)(?:"
    r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[+-]\d\d:\d\d)?)?"
    r"|[0-3]\d\.[01]\d\.(?:19|20)\d\d"
    rf"|{_OCTET}(?:\.{_OCTET}){{3}}(?!\.?\d)"
    r")(?!\d))"
    rf"|(?P<number>(?:\+|%2B)?\(?\d(?:{_BETWEEN}\d){{2,}})"
)


class Privacy:
    """How numbers are kept. `key` "" has no keyed hash; `region` says how numbers without country code are read."""

    def __init__(self, mode: Mode, key: str = "", region: str = "") -> None:
        self.mode: Mode = mode
        self._key = key.encode()
        self._region = region
        self._hash: Callable[[str], str] = lru_cache(maxsize=4096)(self._hashed)
        #: Tells one key from another without telling the key; "" without a key.
        self.key_id = self._hashed("which key")[1:9] if key else ""

    def shown(self, number: Number | None) -> str:
        """Return what stands for the caller."""
        return ANONYMOUS if number is None else self._in_place_of(number.e164)

    def token(self, number: Number | None) -> str:
        """Return what a number is found by that is not kept plain; "" without a key."""
        return "" if number is None or not self._key else self._hash(number.e164)

    def text(self, text: str, own: Number | None) -> str:
        """Return a text with the caller's number, and whatever else looks like a number, as the setting says."""
        return text if self.mode == "plain" else _swap(text, own, self._in_place_of, self._anybodys)

    def own(self, text: str, own: Number | None) -> str:
        """Return an id or a link, whose digits count: the caller's number as the setting says, and others with a +."""
        return text if self.mode == "plain" else _swap(text, own, self._in_place_of, self._anybodys, marked=True)

    def tokens(self, number: Number) -> tuple[str, ...]:
        """Return what a number may have become within texts; nothing without a key."""
        spellings = {number.e164, number.e164.lstrip("+"), number.national, "00" + number.e164.lstrip("+")}
        return tuple(sorted(map(self._hash, spellings))) if self._key else ()

    def _in_place_of(self, e164: str) -> str:
        if self.mode == "plain":
            return e164
        return self._hash(e164) if self.mode == "hashed" else mask_number(e164)

    def _anybodys(self, digits: str) -> str:
        if self.mode == "masked":
            return mask_number(digits)
        number = read_number(digits, self._region)
        return self._hash(number.e164 if number is not None else digits)

    def _hashed(self, e164: str) -> str:
        return "#" + hmac.new(self._key, e164.encode(), hashlib.sha256).hexdigest()[:16]


def may_hold_number(text: str) -> bool:
    """Return whether a text has as many digits as the shortest number; False says that every setting keeps it."""
    return _THREE.search(text) is not None


def without(text: str, number: Number) -> str:
    """Return a text in which a number, in whatever spelling, is forgotten. An extension's few digits stay."""
    if len(_core(number)) < _FEWEST:
        return text
    return _swap(text, number, lambda _: FORGOTTEN) if _core(number)[-_FEWEST:] in _digits(text) else text


def _swap(
    text: str,
    number: Number | None,
    form: Callable[[str], str],
    others: Callable[[str], str] | None = None,
    marked: bool = False,
) -> str:
    """Put something in the place of a number, and of whatever else looks like one where `others` is given.

    `marked` takes others only where a + says that they are numbers.
    """
    if not _THREE.search(text):
        return text
    core = _core(number) if number is not None else ""
    if not _may_swap(_digits(text), core, others is not None, marked, "+" in text or "%2B" in text):
        return text

    def put(found: re.Match[str]) -> str:
        if found["kept"]:
            return found[0]
        digits = _digits(found[0])
        if number is not None and _is(core, digits):
            return form(number.e164)
        plus = "+" if found[0].startswith(("+", "%2B")) else ""
        anybodys = len(digits) > 4 if plus else len(digits) >= _FEWEST and not marked
        return others(plus + digits) if others is not None and anybodys else found[0]

    return _TOKEN.sub(put, text)


def _may_swap(digits: str, core: str, others: bool, marked: bool, plus: bool) -> bool:
    """Return whether anything of a text can be put in the place of, by all its digits alone: `_TOKEN` is slow."""
    if core and core[-_FEWEST:] in digits:
        return True
    return others and ((plus and len(digits) > 4) or (len(digits) >= _FEWEST and not marked))


def _is(core: str, digits: str) -> bool:
    """Return whether digits are a number: country code, 00 or 0 may stand before it, its first digits may lack."""
    if len(core) < _FEWEST:
        return digits == core
    return core in digits or (len(digits) >= _FEWEST and core.endswith(digits))


@lru_cache(maxsize=4096)
def _core(number: Number) -> str:
    """Return the digits that every spelling of a number ends with."""
    one, other = number.e164.lstrip("+"), number.national
    length = next((n for n in range(min(len(one), len(other)), 0, -1) if one[-n:] == other[-n:]), 0)
    return one[-length:] if length else one


def _digits(text: str) -> str:
    found = "".join(_DIGITS.findall(_ESCAPED.sub("", text) if "%" in text else text))
    return found if found.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in found)
