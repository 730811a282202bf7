"""The sections of engine.yaml that belong to no room: dialplan, what routes may leave out, log, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from routing_engine.core.destinations import KINDS, PROFILES, check_target, dialplan_places
from routing_engine.core.model import Filler
from routing_engine.core.prompts import SOUND
from routing_engine.core.reserved_variables import is_reserved
from routing_engine.settings.spec import nested, setting
from routing_engine.settings.value_types import (
    ValueType,
    choice,
    flag,
    list_of,
    mapping_of,
    matching,
    number,
    parsed,
    whole,
    word_or,
)
from routing_engine.settings.yaml_reader import Section

# One function with one place for the target: more would be a dialplan in YAML, and a way to run anything.
_EXPRESSION = re.compile(r"[A-Z_]+\([A-Za-z0-9_/@.\-]*\{target\}[A-Za-z0-9_/@.\-]*\)\Z", re.ASCII)

#: How Asterisk tells the state of an extension, by dialplan profile.
EXTENSION_STATES: Mapping[str, str] = {
    "plain": "DEVICE_STATE(PJSIP/{target})",
    "freepbx": "EXTENSION_STATE({target}@ext-local)",
}
LookAhead: TypeAlias = Literal["certain", "next", "all"]


# ------------------------------------------------------------------------------------------- types of values


def _place(text: str) -> str:
    try:
        check_target("dialplan", text.replace("{target}", "11").replace("{dialled}", "11"))
    except ValueError:
        raise ValueError(f"'{text[:80]}' is not a place in the dialplan") from None
    return text


def _variable_name(text: str) -> str:
    if not _VARIABLES.match(text):
        raise ValueError(f"'{text[:80]}' is not the name of a channel variable")
    if is_reserved(text.removesuffix("*").rstrip("_")) or is_reserved(text.removesuffix("*")):
        raise ValueError(f"'{text[:80]}' belongs to Asterisk, FreePBX or the engine and cannot be set")
    return text


def _prefix(text: str) -> str:
    prefix = text.replace(" ", "")
    if not _INTERNATIONAL.match(prefix):
        raise ValueError(f"'{text[:80]}' is not how a number begins")
    return prefix


_VARIABLES = re.compile(r"[A-Z][A-Z0-9_]{0,59}\*?\Z", re.ASCII)
_VARIABLE_NAME = parsed(_variable_name, "name, or beginning and `*`", "write your own, such as TICKET or CRM_*")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{0,14}\Z", re.ASCII)
_PREFIX = parsed(_prefix, "beginning of a number", "write + and the country code, such as '+43' or '+43 664'")
_PLACED = [kind for kind, row in KINDS.items() if not row.fixed]
_PLACES = mapping_of(
    parsed(_place, "`context,exten,priority`", "write 'context,exten,priority', with {target}"),
    name=choice(*_PLACED, fault="'{}' has no place in the dialplan"),
).called("mapping, kind to `context,exten,priority`")


# ------------------------------------------------------------------------------------------- sections


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Where each kind of destination begins in Asterisk's dialplan, and how it tells the state of an extension.

    `destinations` are the operator's own places by kind, with `{target}`; `extension_state` "" is the profile's.
    """

    profile: str = setting(choice(*PROFILES), "plain", "the table of [destinations](destinations.md#kinds)")
    destinations: Mapping[str, str] = setting(
        _PLACES,
        {},
        "[a table of your own](destinations.md#a-table-of-your-own)",
        usual="the profile's",
        example="{queue: 'my-queues,q{target},1'}",
    )
    extension_state: str = setting(
        matching(
            _EXPRESSION,
            "'{}' does not ask for a state",
            f"write a dialplan function with {{target}}, such as {EXTENSION_STATES['plain']}",
            "a dialplan function with `{target}`",
        ),
        "",
        "the function that has the state of an extension, for `device.EXT` and chains",
        usual=f"`{EXTENSION_STATES['plain']}`; in `freepbx` `{EXTENSION_STATES['freepbx']}`",
        example=f"'{EXTENSION_STATES['plain']}'",
    )

    variables: tuple[str, ...] | None = setting(
        list_of(_VARIABLE_NAME),
        None,
        "the channel variables that [`set`](routes.md#set) may name, where you want to say it yourself; a `*` at the "
        "end stands for any rest",
        usual="all that neither Asterisk nor FreePBX nor the engine reads",
        example="[CRM_*, TICKET]",
    )

    @property
    def places(self) -> Mapping[str, str]:
        """`context,exten,priority` by destination kind."""
        return {**dialplan_places(self.profile), **self.destinations}

    @property
    def state(self) -> str:
        """The dialplan function that tells the state of an extension."""
        return self.extension_state or EXTENSION_STATES[self.profile]


@dataclass(frozen=True, slots=True)
class FillerKeys:
    """`filler` as it is written. `silent` is the word `none`; what is None is left out."""

    silent: bool = False
    after_s: float | None = setting(
        number(0, 60, "seconds"), None, "how long a look-up may last before it begins", usual="0.7"
    )
    music: str = setting(
        matching(SOUND, "'{}' is not a music class", "name a class of musiconhold.conf, such as default").called(
            "a class of `musiconhold.conf`"
        ),
        "",
        "music on hold",
        usual="`default`",
    )
    ringing: bool = setting(flag(), False, "a ringing tone")
    sound: str = setting(
        matching(SOUND, "'{}' is not the name of a sound", "write letters, digits, '.', '-', '_' and '/'").called(
            "a sound"
        ),
        "",
        "one sound, over and over, cut when the answer is there",
    )

    def check(self, section: Section, what: str) -> None:
        """Note that a caller cannot hear two things at once."""
        if (self.music != "") + self.ringing + (self.sound != "") > 1:
            section.notes.note(section.line, "'filler' can be only one of music, ringing and sound", "keep one of them")

    def over(self, usual: Filler) -> Filler:
        """Return the filler; what is left out is as `usual`."""
        after_s = usual.after_s if self.after_s is None else self.after_s
        # `none` is said of the filler, not of the moment: `after_s` stays for whoever inherits it.
        if self.silent:
            return Filler(after_s, "none", "")
        if self.ringing:
            return Filler(after_s, "ringing", "")
        if self.music or self.sound:
            return Filler(after_s, "music" if self.music else "sound", self.music or self.sound)
        return Filler(after_s, usual.kind, usual.name)


#: `filler` of engine.yaml and of a route.
FILLER = word_or("none", FillerKeys(silent=True), nested(FillerKeys))
LOOK_AHEAD: ValueType[LookAhead] = choice("certain", "next", "all")


@dataclass(frozen=True, slots=True)
class RouteDefaults:
    """What routes may leave out. `timeout_s` bounds one source; None leaves it to the call's `deadline_s`."""

    deadline_s: float = setting(number(0.1, 60, "seconds"), 3.0, "how long all look-ups of one call may take")
    timeout_s: float | None = setting(
        number(0.05, 60, "seconds"),
        None,
        "how long one source may take",
        usual="what is left of `deadline_s`",
        example="2",
    )
    filler: FillerKeys = setting(
        FILLER.called("as [in a route](routes.md#filler)"),
        FillerKeys(),
        "what the caller hears while a look-up lasts",
        usual="music on hold `default` after 0.7 s",
        example="{after_s: 0.7, music: default}",
    )
    look_ahead: LookAhead = setting(
        LOOK_AHEAD.called("`certain`, `next` or `all`, as [in a route](routes.md#look_ahead)"),
        "certain",
        "which look-ups begin before their turn",
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log is written: `auto` is text on a terminal and JSON elsewhere; numbers are masked unless `plain`."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        choice("debug", "info", "warning", "error"), "info", "`debug` adds the trail to each call"
    )
    format: Literal["auto", "json", "text"] = setting(
        choice("auto", "json", "text"), "auto", "`auto` is text on a terminal, JSON elsewhere"
    )
    numbers: Literal["masked", "plain"] = setting(
        choice("masked", "plain"), "masked", "`masked` leaves the last three digits: `...567`"
    )


@dataclass(frozen=True, slots=True)
class ExternalKeys:
    """Which numbers outside a value of a record or of the call may dial; None is any."""

    allow: tuple[str, ...] | None = setting(
        list_of(_PREFIX),
        None,
        "how numbers begin, in E.164, that a value (`external: '{mobile}'`) may dial. What a route writes itself is "
        "not narrowed",
        usual="any number",
        example="['+43', '+49']",
    )


@dataclass(frozen=True, slots=True)
class NumberKeys:
    """How the carrier writes numbers; `plus` "" leaves it to be seen from each number."""

    plus: Literal["", "expected", "missing"] = setting(
        choice("expected", "missing"),
        "",
        "how the carrier writes international numbers: `expected` with their `+`, so that digits without one are "
        "national; `missing` as country code and digits (`4366412345`)",
        usual="digits that begin with the region's own country code, or cannot be read otherwise, are international",
        example="missing",
    )


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Bounds of the service: calls at a time, seconds for AGI's first lines."""

    sessions: int = setting(
        whole(1, 1_000_000), 2000, "calls at a time. More are closed at once: the dialplan asks the second engine"
    )
    environment_timeout_s: float = setting(
        number(0.1, 60, "seconds"), 5.0, "how long a connection has to send AGI's first lines"
    )
