"""engine.yaml: how the service runs. Every key has a default, and the whole file may be missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, cast
from zoneinfo import ZoneInfo

import phonenumbers

from routing_engine.config.calendars.read import Texts, read_calendars, read_zone
from routing_engine.config.not_yet import refuse_later
from routing_engine.config.number_lists import read_lists
from routing_engine.config.route.context import LookAhead, read_filler, read_look_ahead
from routing_engine.core.destinations import KINDS, PROFILES, check_target
from routing_engine.core.model import Filler, Site
from routing_engine.core.prompts import LANGUAGE
from routing_engine.errors import Problem
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, suggest

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):([0-9]{1,5})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListenerAddress:
    """Where a listener listens. Port 0 takes any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RouteDefaults:
    """What routes may leave out. `timeout_s` bounds one source; None leaves it to the call's `deadline_s`."""

    deadline_s: float = 3.0
    timeout_s: float | None = None
    filler: Filler = field(default_factory=Filler)
    look_ahead: LookAhead = "certain"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log is written: `auto` is text on a terminal and JSON elsewhere; numbers are masked unless `plain`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"
    numbers: Literal["masked", "plain"] = "masked"


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Bounds of the service: calls at a time, seconds for AGI's first lines."""

    sessions: int = 2000
    environment_timeout_s: float = 5.0


#: How Asterisk tells the state of an extension, by dialplan profile.
EXTENSION_STATES: Mapping[str, str] = {
    "plain": "DEVICE_STATE(PJSIP/{target})",
    "freepbx": "EXTENSION_STATE({target}@ext-local)",
}
_EXPRESSION = re.compile(r"[A-Z_]+\([A-Za-z0-9_/@.\-]*\{target\}[A-Za-z0-9_/@.\-]*\)\Z", re.ASCII)

_BOUNDED = "none: deadline_s alone bounds it"
#: Every listener there is, with an example of its address.
LISTENERS: Mapping[str, str] = {"fastagi": "127.0.0.1:4573", "metrics": "127.0.0.1:9473"}
FASTAGI = ListenerAddress("127.0.0.1", 4573)


#: Reads a room's own keys from engine.yaml's section (None: there is no such file), gives its settings.
ReadRoom: TypeAlias = Callable[[Section | None], object]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All of engine.yaml.

    `region` (ISO 3166) says how national numbers are read; "" reads only numbers with a +. `listeners` are by name;
    one that is not there is not opened. `places` is the dialplan's `context,exten,priority` by destination kind, with
    `{target}`; `extension_state` is the dialplan function that tells a device's state. `fallback_language` is where
    sounds come from that are missing in the call's. `timezone` None is the system's. `site` has calendars and lists,
    `rooms` the settings of other rooms by name, `remarks` are no faults.
    """

    region: str = ""
    listeners: Mapping[str, ListenerAddress] = field(default_factory=lambda: {"fastagi": FASTAGI})
    profile: str = "plain"
    places: Mapping[str, str] = field(default_factory=lambda: PROFILES["plain"])
    extension_state: str = EXTENSION_STATES["plain"]
    fallback_language: str = "en"
    defaults: RouteDefaults = RouteDefaults()
    timezone: ZoneInfo | None = None
    site: Site = field(default_factory=Site)
    rooms: Mapping[str, object] = field(default_factory=dict)
    remarks: tuple[Problem, ...] = ()
    logging: LogSettings = LogSettings()
    limits: ServiceLimits = ServiceLimits()
    drain_s: float = 60.0


def read_settings(
    text: str,
    notes: Problems,
    texts: Texts | None = None,
    now: datetime | None = None,
    rooms: Mapping[str, ReadRoom] | None = None,
) -> EngineSettings | None:
    """Read engine.yaml; None when there is any problem, and `notes` then holds all of them.

    `texts` are all files of the folder by name: calendars and lists are read from some. `now` says which years of
    calendar files are worked out. `rooms` read what belongs to other rooms of the engine.
    """
    section = read_yaml(text, notes)
    if section is None:
        return None
    refuse_later(section, "engine")
    profile, places, extension_state = _read_dialplan(section)
    region, timezone = _read_region(section), read_zone(section)
    calendars = read_calendars(section, texts or {}, timezone, now or datetime.now())
    settings = EngineSettings(
        region=region,
        listeners=_read_listeners(section),
        profile=profile,
        places=places,
        extension_state=extension_state,
        fallback_language=_read_fallback_language(section),
        defaults=_read_defaults(section),
        timezone=timezone,
        site=Site(calendars.by_name, read_lists(section, texts or {}, region)),
        remarks=calendars.remarks,
        rooms={name: read(section) for name, read in (rooms or {}).items()},
        logging=_read_logging(section),
        limits=_read_limits(section),
        drain_s=section.number("drain_s", 60, 0, 3600),
    )
    section.close("engine.yaml")
    return None if notes.problems else settings


def _read_region(section: Section) -> str:
    region = section.text("region").upper()
    if region and region not in phonenumbers.SUPPORTED_REGIONS:
        section.note("region", f"'{region[:80]}' is no region", "write a country's two letters, such as AT, DE or US")
    return region


def _read_listeners(section: Section) -> Mapping[str, ListenerAddress]:
    listeners = section.section("listeners")
    if "listeners" not in section.names():
        return {"fastagi": FASTAGI}
    if listeners is None:
        return {}
    refuse_later(listeners, "listeners")
    found = {name: _read_address(listeners, name) for name in LISTENERS if listeners.has(name)}
    listeners.close("'listeners'")
    return {name: address for name, address in found.items() if address is not None}


def _read_address(listeners: Section, name: str) -> ListenerAddress | None:
    text = listeners.text(name)
    found = _ADDRESS.match(text)
    if not found or int(found[2]) > 65535:
        listeners.note(name, f"'{text[:80]}' is no address", f"write HOST:PORT, such as {LISTENERS[name]}")
        return None
    return ListenerAddress(found[1].strip("[]"), int(found[2]))


def _read_fallback_language(section: Section) -> str:
    language = section.text("fallback_language", "en")
    if not LANGUAGE.match(language):
        section.note("fallback_language", f"'{language[:80]}' is no language", "write a code such as en, de or pt_BR")
    return language


def _read_dialplan(section: Section) -> tuple[str, Mapping[str, str], str]:
    dialplan = section.section("dialplan")
    if dialplan is None:
        return "plain", PROFILES["plain"], EXTENSION_STATES["plain"]
    profile = dialplan.choice("profile", tuple(PROFILES), "plain")
    own = dialplan.section("destinations")
    places = {**PROFILES[profile], **(_read_places(own) if own is not None else {})}
    state = _read_extension_state(dialplan, profile)
    dialplan.close("'dialplan'")
    return profile, places, state


def _read_extension_state(dialplan: Section, profile: str) -> str:
    state = dialplan.text("extension_state", EXTENSION_STATES[profile])
    if not _EXPRESSION.match(state):
        remedy = f"write a dialplan function with {{target}}, such as {EXTENSION_STATES['plain']}"
        dialplan.note("extension_state", f"'{state[:80]}' tells no state", remedy)
    return state


def _read_places(own: Section) -> Mapping[str, str]:
    kinds = [kind for kind, row in KINDS.items() if not row.fixed]
    for name in own.names():
        if name not in kinds:
            own.take(name)
            own.note(name, f"'{name}' has no place in the dialplan", suggest(name, kinds))
    return {kind: _read_place(own, kind) for kind in kinds if own.has(kind)}


def _read_place(own: Section, kind: str) -> str:
    place = own.text(kind)
    try:
        check_target("dialplan", place.replace("{target}", "11"))
    except ValueError:
        own.note(kind, f"'{place[:80]}' is no place in the dialplan", "write 'context,exten,priority', with {target}")
    return place


def _read_defaults(section: Section) -> RouteDefaults:
    defaults = section.section("defaults")
    if defaults is None:
        return RouteDefaults()
    found = RouteDefaults(
        deadline_s=defaults.number("deadline_s", 3, 0.1, 60),
        timeout_s=defaults.number("timeout_s", 3, 0.05, 60, _BOUNDED) if defaults.has("timeout_s") else None,
        filler=read_filler(defaults, Filler()),
        look_ahead=read_look_ahead(defaults, "certain"),
    )
    defaults.close("'defaults'")
    return found


def _read_logging(section: Section) -> LogSettings:
    logging = section.section("logging")
    if logging is None:
        return LogSettings()
    levels = ("debug", "info", "warning", "error")
    found = LogSettings(
        level=cast(Literal["debug", "info", "warning", "error"], logging.choice("level", levels, "info")),
        format=cast(Literal["auto", "json", "text"], logging.choice("format", ("auto", "json", "text"), "auto")),
        numbers=cast(Literal["masked", "plain"], logging.choice("numbers", ("masked", "plain"), "masked")),
    )
    logging.close("'logging'")
    return found


def _read_limits(section: Section) -> ServiceLimits:
    limits = section.section("limits")
    if limits is None:
        return ServiceLimits()
    found = ServiceLimits(
        sessions=limits.whole("sessions", 2000, 1, 1_000_000),
        environment_timeout_s=limits.number("environment_timeout_s", 5, 0.1, 60),
    )
    limits.close("'limits'")
    return found
