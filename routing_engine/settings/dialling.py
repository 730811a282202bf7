"""The keys `dial`, `numbers` and `sip` of a PBX: who is put through, what trunks show, phones in the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from routing_engine.settings.spec import required, setting
from routing_engine.settings.value_types import choice, mapping_of, matching, number, one_or_more, parsed, period, text

#: Makers whose phones answer by themselves when a header asks them to; what each needs is `dialling.auto_answer`'s.
Maker: TypeAlias = Literal["aastra", "audiocodes", "fanvil", "gigaset", "grandstream", "polycom", "snom", "yealink"]
MAKERS: tuple[Maker, ...] = get_args(Maker)
#: What the shipped dialplan looks at.
CALLER_ID_VARIABLE = "ROUTING_ENGINE_CALLER_ID"

_CONTEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,78}\Z", re.ASCII)
_VARIABLE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]{0,78}\Z", re.ASCII)
_EXTENSIONS = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.\-*]{0,79}\Z", re.ASCII)
_PREFIX = re.compile(r"[0-9*#]{1,8}\Z", re.ASCII)
_SERVER = re.compile(r"wss?://[A-Za-z0-9.\-_\[\]:]+(?:/[!-~]*)?\Z", re.ASCII)
_AUTH = re.compile(r"[A-Za-z0-9_.\-]{1,80}\Z", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers in E.164 from `first` to `last`, both of them too, all as long as these."""

    first: str
    last: str

    def holds(self, number: str) -> bool:
        """Return whether a number in E.164 is one of them."""
        # Of one length, digits compare as numbers do.
        return len(number) == len(self.first) and self.first <= number <= self.last


def read_range(text: str) -> NumberRange:
    """Read `+4312345601`, or `+4312345600..+4312345699`. Raises `ValueError`."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    last = last if dots else first
    if not (_NUMBER.match(first) and _NUMBER.match(last)):
        raise ValueError(f"'{text[:80]}' is no number, and no range of numbers")
    if len(first) != len(last) or first > last:
        raise ValueError(f"'{text[:80]}' does not go from a number to a higher one of the same length")
    return NumberRange(first, last)


def may_show(ranges: Iterable[NumberRange], number: str) -> bool:
    """Return whether a trunk may show a number."""
    return any(one.holds(number) for one in ranges)


@dataclass(frozen=True, slots=True)
class DialKeys:
    """How a user is put through to a number."""

    context: str = required(
        matching(_CONTEXT, "'{}' is not a context", "write for example from-internal", "context"),
        "",
        "the context of the dialplan where a call goes on once the user has answered, and where transfers go",
        example="from-internal",
    )
    caller_id_variable: str = setting(
        matching(_VARIABLE, "'{}' is not a variable", f"write for example {CALLER_ID_VARIABLE}", "variable"),
        CALLER_ID_VARIABLE,
        "the channel variable with the caller ID that is to be shown; the dialplan sets it",
    )
    numbers_as: Literal["e164", "national"] = setting(
        choice("e164", "national"),
        "e164",
        "how the dialplan wants the numbers of others: `+436641234567`, or as a phone here dials them, `06641234567`",
    )
    prefix: str = setting(
        matching(_PREFIX, "'{}' is no prefix", "write for example '9'", "digits"),
        "",
        "what stands in front of the numbers of others, in quotes",
        example="'9'",
    )
    ring_s: float = setting(number(5, 300, "seconds"), 30.0, "how long the user's phone rings", example="20")
    auto_answer: Mapping[str, tuple[str, ...]] = setting(
        mapping_of(
            one_or_more(
                matching(_EXTENSIONS, "'{}' is not an extension", "write for example 201, or 2*", "extension, `2*`")
            ),
            "'{}' of 'auto_answer'",
            choice(*MAKERS, fault="no maker '{}' is known"),
        ).called("mapping, maker to its extensions"),
        {},
        "phones that answer a click by themselves: they listen without being touched, so their owners must know",
        usual="none",
        example="{yealink: ['201', '21*']}",
    )


#: The values of `numbers`.
NUMBERS = one_or_more(
    parsed(
        read_range,
        "number, or `FIRST..LAST`",
        "write '+4312345601', or '+4312345600..+4312345699'",
        {"type": "string"},
    ),
    ("'numbers' names no number", "write for example numbers: ['+4312345600..+4312345699']"),
)


# --------------------------------------------------------------------------------- telephones in the page


def _server(address: str) -> str:
    if not _SERVER.match(address):
        raise ValueError(f"'{address[:80]}' is not the address of a server over WebSocket")
    return address


def _auth(pattern: str) -> str:
    if pattern.count("{extension}") != 1 or not _AUTH.match(pattern.replace("{extension}", "x")):
        raise ValueError(f"'{pattern[:80]}' does not say where the extension stands")
    return pattern


@dataclass(frozen=True, slots=True)
class SipKeys:
    """How a telephone in the page reaches the PBX, with a password that lives for one session."""

    server: str = required(
        parsed(_server, "ws or wss address", "write for example wss://pbx.example.com:8089/ws", {"type": "string"}),
        "",
        "where the telephone in the page connects",
        example="wss://pbx.example.com:8089/ws",
    )
    realm: str = setting(text(), "asterisk", "`default_realm` of `pjsip.conf`")
    phones: tuple[str, ...] = setting(
        one_or_more(
            matching(_EXTENSIONS, "'{}' is not an extension", "write for example *-web", "extension, `*` for any part")
        ),
        ("*-web",),
        "the extensions that are telephones in the page",
        usual="`*-web`",
        example="['*-web']",
    )
    auth: str = setting(
        parsed(_auth, "text with `{extension}`", "write for example {extension}", {"type": "string"}),
        "{extension}",
        "what `auth` of the endpoint in `pjsip.conf` names",
    )
    lasts: float = setting(period(), 12 * 3600.0, "how long a password lives at most", usual="`12h`", example="8h")
