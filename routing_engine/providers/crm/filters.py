"""What `{value | filter}` may do in a description: escapes for query languages, and changes of form.

A value that comes from a caller or a CRM stands in a query language only behind an escape: that is what keeps it a
value. Missing values (None) pass through every filter but `default`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderRefused

Apply: TypeAlias = Callable[..., Json]


def _iso(value: Json) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def as_words(value: Json) -> str:
    """Return a value as text; a moment as ISO 8601, a list with commas."""
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(as_words, value))
    return as_text(value) if value is None or isinstance(value, (str, int, float, bool)) else str(value)


_SOSL = re.compile(r"[?&|!{}\[\]()^~*:\\\"'+\-]")
_ZOHO = re.compile(r"[(),]")
_SOQL = {"\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LIKE = {"%": r"\%", "_": r"\_"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}\Z", re.ASCII)
_STRICT = re.compile(r"[\w @.+\-]+\Z")


class Unsearchable(ProviderRefused):
    """The value holds what this system's queries cannot carry: no record has it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`apply(value, *arguments)`, a sentence for the reference, and whether its result is safe in a query.

    `arguments` is how many it takes, `fits` whether it can take these.
    """

    apply: Apply
    gives: str
    escapes: bool = False
    arguments: tuple[int, int] = (0, 0)
    fits: Callable[[Sequence[str]], bool] = lambda _: True


def _mapped(table: Mapping[str, str]) -> Apply:
    plain = str.maketrans(dict(table))
    return lambda value: as_words(value).translate(plain)


def _name(value: Json) -> str:
    text = as_words(value)
    if not _NAME.match(text):
        raise Unsearchable("the name of a field or model holds more than letters, digits, _ and .")
    return text


def _strict(value: Json) -> str:
    text = as_words(value)
    if not _STRICT.match(text):
        raise Unsearchable("the value holds signs that this system cannot be asked for")
    return text


def _zoho(value: Json) -> str:
    """Zoho says how brackets and commas are escaped, and nothing of backslashes."""
    text = as_words(value)
    # What its documentation does not say is not tried with a caller's text.
    if "\\" in text:
        raise Unsearchable("the value holds a backslash")
    return _ZOHO.sub(r"\\\g<0>", text)


def _lucene(value: Json) -> str:
    return '"' + re.sub(r'([\\"])', r"\\\1", as_words(value)) + '"'


def _like_digits(value: Json, wildcard: str = "%") -> str:
    digits = [char for char in as_words(value) if char.isascii() and char.isdigit()]
    return wildcard + wildcard.join(digits)


def _last(value: Json, count: str) -> str:
    return as_words(value)[-int(count) :]


def _mask(value: Json, mask: Json) -> str:
    """Put the digits of a value where a mask has `#`; with another count of them it is not such a number."""
    digits = iter([char for char in as_words(value) if char.isascii() and char.isdigit()])
    try:
        found = "".join(next(digits) if char == "#" else char for char in as_words(mask))
    except RuntimeError:
        # RuntimeError: a generator expression turns the end of the digits into one.
        raise Unsearchable("the number has fewer digits than the mask") from None
    if not found or next(digits, ""):
        raise Unsearchable("the number has more digits than the mask")
    return found


def _number(value: Json) -> Json:
    try:
        return int(as_words(value))
    except ValueError:
        try:
            if math.isfinite(found := float(as_words(value))):
                return found
        except ValueError:
            pass
        raise Unsearchable("the value is not a number, and the system wants one") from None


def _default(value: Json, other: Json) -> Json:
    return other if value is None or value == "" else value


def _map(value: Json, *pairs: str) -> Json:
    # A word too many is what all others become: CRMs have lists of words, and refuse every other.
    others = pairs[-1] if len(pairs) % 2 else value
    return dict(zip(pairs[::2], pairs[1::2], strict=False)).get(as_words(value), others)


def _join(value: Json, between: str = ",") -> str:
    return between.join(map(as_words, value)) if isinstance(value, (list, tuple)) else as_words(value)


def _first(value: Json) -> Json:
    return (value[0] if value else None) if isinstance(value, (list, tuple)) else value


def _format(value: Json, pattern: str) -> str:
    return value.strftime(pattern) if isinstance(value, datetime) else as_words(value)


def _scaled(factor: float) -> Apply:
    def scaled(value: Json) -> int:
        number = value.timestamp() if isinstance(value, datetime) else _number(value)
        try:
            return round(number * factor) if isinstance(number, (int, float)) else 0
        except OverflowError:
            raise Unsearchable("the number is larger than any time") from None

    return scaled


def _clock(value: Json) -> str:
    number = _number(value)
    whole = round(number) if isinstance(number, (int, float)) else 0
    return f"{whole // 60:02}:{whole % 60:02}"


def _html(value: Json) -> str:
    return escape(as_words(value)).replace("\n", "<br>")


def _into(value: Json, text: Json) -> str:
    return as_words(text).replace("*", as_words(value))


def _base64(value: Json) -> str:
    return base64.b64encode(as_words(value).encode("utf-8", "replace")).decode()


def _base64url(value: Json) -> str:
    return base64.urlsafe_b64encode(as_words(value).encode("utf-8", "replace")).decode()


def _basic(value: Json, password: Json) -> str:
    return _base64(f"{as_words(value)}:{as_words(password)}")


def _md5(value: Json, *more: Json) -> str:
    whole = "".join(map(as_words, (value, *more)))
    return hashlib.md5(whole.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


#: Every filter, by its name in descriptions.
FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        "text": Filter(as_words, "the value as text, where the text around it is not a query language", True),
        "name": Filter(_name, "a name of a field or model: letters, digits, `_` and `.`, nothing else is asked", True),
        "strict": Filter(_strict, "letters, digits, space and `@ . _ + -`; with anything else nothing is asked", True),
        "soql": Filter(_mapped(_SOQL), "within the quotes of Salesforce's SOQL", True),
        "soql_like": Filter(_mapped(_SOQL | _LIKE), "within the quotes of a SOQL `LIKE`, wildcards as signs", True),
        "sosl": Filter(lambda value: _SOSL.sub(r"\\\g<0>", as_words(value)), "a term of Salesforce's SOSL", True),
        "odata": Filter(_mapped({"'": "''"}), "within the quotes of an OData `$filter`", True),
        "lucene": Filter(_lucene, "a phrase in Lucene's quotes, with them", True),
        "zoho": Filter(_zoho, "a value of Zoho's criteria; with a backslash nothing is asked", True),
        "sql": Filter(_mapped({"'": "''", "\\": r"\\"}), "within single quotes of SQL-like languages", True),
        "like_digits": Filter(_like_digits, "`%2%1%2`: the digits, a wildcard before each", True, (0, 1)),
        "mask": Filter(_mask, "digits where `#` stands: `mask '(###) ###-####'`; nobody with others", False, (1, 1)),
        "last": Filter(_last, "the last N characters: `last 8`", False, (1, 1), lambda words: words[0].isdecimal()),
        "after": Filter(
            lambda value, sign: as_words(value).rpartition(sign)[2],
            "what follows the last such sign: `after '/'`",
            False,
            (1, 1),
            lambda words: bool(words[0]),
        ),
        "append": Filter(lambda value, text: as_words(value) + text, "a text behind it: `append '/x'`", False, (1, 1)),
        "upper": Filter(lambda value: as_words(value).upper(), "upper case"),
        "lower": Filter(lambda value: as_words(value).lower(), "lower case"),
        "capital": Filter(lambda value: as_words(value).capitalize(), "the first letter upper case, the rest lower"),
        "number": Filter(_number, "a number, not a text"),
        "string": Filter(as_words, "a text, not a number"),
        "ms": Filter(_scaled(1000), "seconds as whole milliseconds; a moment as those since 1970"),
        "seconds": Filter(_scaled(1), "seconds as a whole number; a moment as those since 1970"),
        "minutes": Filter(_scaled(1 / 60), "seconds as whole minutes"),
        "clock": Filter(_clock, "seconds as minutes and seconds: `02:11`"),
        "iso": Filter(_iso, "a moment as ISO 8601"),
        "format": Filter(_format, "a moment as `strftime` writes it: `format '%Y-%m-%d'`", False, (1, 1)),
        "map": Filter(
            _map,
            "another word: `map inbound In outbound Out`; others stay, or become one more word at the end",
            False,
            (2, 40),
        ),
        "is": Filter(lambda value, word: as_words(value) == word, "true or false: `is outbound`", False, (1, 1)),
        "first": Filter(_first, "the first of a list: `{found.ids | first}`"),
        "join": Filter(_join, "a list as text, with commas or what is given between", False, (0, 1)),
        "default": Filter(_default, "another value where there is none", False, (1, 1)),
        "json": Filter(lambda value: json.dumps(value, ensure_ascii=False, default=as_words), "JSON text"),
        "html": Filter(_html, "the text for a page: signs of HTML are escaped, lines end with `<br>`", True),
        "into": Filter(_into, "a text with the value where `*` stands: `into '/users(*)'`", False, (1, 1)),
        "base64": Filter(_base64, "Base64", True),
        "base64url": Filter(_base64url, "Base64 with the alphabet for addresses", True),
        "basic": Filter(_basic, "HTTP Basic's user and password: `{auth.user | basic auth.password}`", True, (1, 1)),
        "md5": Filter(_md5, "MD5 in hexadecimal digits; further values are appended before", True, (0, 3)),
    }
)  # fmt: skip
