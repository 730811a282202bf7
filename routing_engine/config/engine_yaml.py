"""engine.yaml: how the service runs. Every key has a default, and the whole file may be missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import phonenumbers

from routing_engine.config.calendars.read import NAMED_CALENDARS, ZONE, CalendarKeys, Calendars, Texts, make_calendars
from routing_engine.config.folder import FolderTexts, UnreadableFile
from routing_engine.config.number_lists import NAMED_LISTS, ListKeys, make_lists
from routing_engine.core.destinations import KINDS, PROFILES, check_target, dialplan_places
from routing_engine.core.model import Filler, Site
from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.spec import nested, not_yet, read, setting
from routing_engine.settings.speech import SpeechSettings
from routing_engine.settings.stores import CacheSettings, JournalSettings, MirrorFolder
from routing_engine.settings.value_types import (
    ValueType,
    choice,
    flag,
    mapping_of,
    matching,
    number,
    parsed,
    whole,
    word_or,
)
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):([0-9]{1,5})\Z", re.ASCII)
_EXPRESSION = re.compile(r"[A-Z_]+\([A-Za-z0-9_/@.\-]*\{target\}[A-Za-z0-9_/@.\-]*\)\Z", re.ASCII)
_MEANWHILE = "let the dialplan call the engine over fastagi"

#: How Asterisk tells the state of an extension, by dialplan profile.
EXTENSION_STATES: Mapping[str, str] = {
    "plain": "DEVICE_STATE(PJSIP/{target})",
    "freepbx": "EXTENSION_STATE({target}@ext-local)",
}
LookAhead: TypeAlias = Literal["certain", "next", "all"]


# ------------------------------------------------------------------------------------------- types of values


def _region(text: str) -> str:
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"'{text[:80]}' is not a region")
    return text.upper()


def _listener(example: str) -> ValueType[ListenerAddress]:
    def read_address(text: str) -> ListenerAddress:
        found = _ADDRESS.match(text)
        if not found or int(found[2]) > 65535:
            raise ValueError(f"'{text[:80]}' is no address")
        return ListenerAddress(found[1].strip("[]"), int(found[2]))

    return parsed(read_address, "`HOST:PORT`", f"write HOST:PORT, such as {example}", {"type": "string"})


def _place(text: str) -> str:
    try:
        check_target("dialplan", text.replace("{target}", "11"))
    except ValueError:
        raise ValueError(f"'{text[:80]}' is not a place in the dialplan") from None
    return text


_PLACED = [kind for kind, row in KINDS.items() if not row.fixed]
_PLACES = mapping_of(
    parsed(_place, "`context,exten,priority`", "write 'context,exten,priority', with {target}"),
    name=choice(*_PLACED, fault="'{}' has no place in the dialplan"),
).called("mapping, kind to `context,exten,priority`")


# ------------------------------------------------------------------------------------------- sections


@dataclass(frozen=True, slots=True)
class ListenerAddress:
    """Where a listener listens. Port 0 takes any free one."""

    host: str
    port: int


FASTAGI = ListenerAddress("127.0.0.1", 4573)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the engine listens; None is not opened."""

    fastagi: ListenerAddress | None = setting(
        _listener("127.0.0.1:4573"),
        None,
        "where FastAGI listens. `0.0.0.0` and `[::]` are every address. FastAGI has no password: open the port to "
        "your Asterisk only",
        usual="not opened when the section is there",
        example="127.0.0.1:4573",
    )
    metrics: ListenerAddress | None = setting(
        _listener("127.0.0.1:9473"),
        None,
        "where Prometheus finds the engine's figures. It has no password: "
        "open it to your Prometheus only. "
        "[What it tells](metrics.md)",
        usual="not opened",
        example="127.0.0.1:9473",
    )
    ari: str = not_yet(_MEANWHILE)
    http: str = not_yet(_MEANWHILE)


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
            "'{}' tells no state",
            f"write a dialplan function with {{target}}, such as {EXTENSION_STATES['plain']}",
            "a dialplan function with `{target}`",
        ),
        "",
        "what tells the state of an extension, for `device.EXT` and chains",
        usual=f"`{EXTENSION_STATES['plain']}`; in `freepbx` `{EXTENSION_STATES['freepbx']}`",
        example=f"'{EXTENSION_STATES['plain']}'",
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
class ServiceLimits:
    """Bounds of the service: calls at a time, seconds for AGI's first lines."""

    sessions: int = setting(
        whole(1, 1_000_000), 2000, "calls at a time. More are closed at once: the dialplan asks the second engine"
    )
    environment_timeout_s: float = setting(
        number(0.1, 60, "seconds"), 5.0, "how long a connection has to send AGI's first lines"
    )


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All of engine.yaml.

    `region` (ISO 3166) says how national numbers are read; "" reads only numbers with a +. `fallback_language` is where
    sounds come from that are missing in the call's. `timezone` None is the system's. `site` has calendars and lists,
    read from the folder's files; `remarks` are no faults. Relative paths begin in `folder`, the configuration's.
    """

    region: str = setting(
        parsed(_region, "a country's two letters", "write a country's two letters, such as AT, DE or US"),
        "",
        "how numbers without country code are read. Without it only numbers with a `+` are brought into E.164",
        in_force="reload",
        example="AT",
    )
    timezone: ZoneInfo | None = setting(
        ZONE,
        None,
        "the site's time zone, for `call.time`, dates and examples",
        usual="the system's",
        in_force="reload",
        example="Europe/Vienna",
    )
    listeners: Listeners = setting(
        nested(Listeners).called("[mapping](#listeners)"),
        Listeners(FASTAGI),
        "where Asterisk finds the engine",
        usual="FastAGI on `127.0.0.1:4573`",
        in_force="restart",
        filled=True,
    )
    dialplan: Dialplan = setting(
        nested(Dialplan).called("[mapping](#dialplan)"),
        Dialplan(),
        "where each kind of destination begins",
        usual="the profile `plain`",
        in_force="reload",
    )
    fallback_language: str = setting(
        matching(LANGUAGE, "'{}' is not a language", "write a code such as en, de or pt_BR", "a code"),
        "en",
        "where prompts come from that are missing in the call's language",
        in_force="reload",
    )
    calendars: Mapping[str, CalendarKeys] = setting(
        NAMED_CALENDARS.called("mapping, name to [calendar](calendars.md)"),
        {},
        "opening hours, holidays, overrides: `call.calendar` in conditions",
        in_force="reload",
    )
    lists: Mapping[str, ListKeys] = setting(
        NAMED_LISTS.called("mapping, name to [list](lists.md)"),
        {},
        "who is blocked, who is allowed: `list.NAME` in conditions",
        in_force="reload",
    )
    speech: SpeechSettings = setting(
        nested(SpeechSettings).called("[mapping](speech.md#speech)"),
        SpeechSettings(),
        "what speaks the texts of `say`",
        usual="`espeak-ng`, where it is installed",
        in_force="reload",
    )
    defaults: RouteDefaults = setting(
        nested(RouteDefaults).called("[mapping](#defaults)"),
        RouteDefaults(),
        "what routes may leave out",
        usual="see there",
        in_force="reload",
    )
    cache: CacheSettings = setting(
        nested(CacheSettings).called("[mapping](#cache)"),
        CacheSettings(),
        "where the answers of sources with a [`cache`](routes.md#cache) or `stale_for` are kept",
        usual="20000 answers, in memory",
        in_force="restart",
    )
    mirror: MirrorFolder = setting(
        nested(MirrorFolder).called("[mapping](#mirror)"),
        MirrorFolder(),
        "where the indexes of [mirrored](mirror.md) integrations lie",
        usual="`state/mirror` below the configuration folder; `/var/lib/NAME/mirror` for `/etc/NAME`",
        in_force="reload",
    )
    journal: JournalSettings = setting(
        word_or("none", JournalSettings(kept=False), nested(JournalSettings)).called(
            "[mapping](journal.md#journal), or `none`"
        ),
        JournalSettings(),
        "every decision, for `explain` and `calls`",
        usual="kept, with masked numbers",
        in_force="`path`: restart, the others: reload",
    )
    logging: LogSettings = setting(
        nested(LogSettings).called("[mapping](#logging)"),
        LogSettings(),
        "how the log is written",
        usual="see there",
        in_force="`numbers`: reload, the others: restart",
    )
    limits: ServiceLimits = setting(
        nested(ServiceLimits).called("[mapping](#limits)"),
        ServiceLimits(),
        "bounds of the service",
        usual="see there",
        in_force="reload",
    )
    drain_s: float = setting(
        number(0, 3600, "seconds"),
        60.0,
        "how long calls under way have to finish after SIGTERM",
        in_force="reload",
    )
    site: Site = field(default_factory=Site)
    remarks: tuple[Problem, ...] = ()
    folder: Path = Path()


def read_settings(
    text: str, notes: Problems, texts: Texts | None = None, now: datetime | None = None, folder: Path = Path()
) -> EngineSettings | None:
    """Read engine.yaml; None when there is any problem, and `notes` then holds all of them.

    `texts` are all files of the folder by name: calendars and lists are read from some. `now` says which years of
    calendar files are worked out.
    """
    section = read_yaml(text, notes)
    if section is None:
        return None
    written = read(section, EngineSettings, "engine.yaml")
    calendars = make_calendars(written.calendars, texts or {}, written.timezone, now or datetime.now(), notes)
    lists = make_lists(written.lists, texts or {}, written.region, notes)
    if notes.problems:
        return None
    # what they were made of holds the YAML of the whole file: it is not kept
    return replace(
        written, calendars={}, lists={}, site=Site(calendars.by_name, lists), remarks=calendars.remarks, folder=folder
    )


def read_part(text: str, notes: Problems, keys: Collection[str]) -> EngineSettings | None:
    """Read some keys of engine.yaml, whatever else is wrong there; None when it is not YAML at all.

    The others are as if they were left out. Problems of these keys are noted, and what has one is as if left out, too.
    """
    section = read_yaml(text, notes)
    return None if section is None else read(section, EngineSettings, "engine.yaml", only=keys)


def calendars_of(snapshot: FolderTexts, now: datetime) -> Calendars:
    """Return only the calendars of a folder, whatever else is wrong there. Raises `ConfigError` with their problems."""
    if snapshot.missing:
        raise ConfigError([Problem(snapshot.missing, 0, "there is no such folder", "name another with --config")])
    if snapshot.engine is None or isinstance(snapshot.engine[1], UnreadableFile):
        return Calendars()
    notes = Problems(snapshot.engine[0])
    written = read_part(snapshot.engine[1], notes, ("timezone", "calendars")) or EngineSettings()
    found = make_calendars(written.calendars, snapshot.texts, written.timezone, now, notes)
    if notes.problems:
        raise ConfigError(notes.problems)
    return found
