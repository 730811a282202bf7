"""engine.yaml: how the service runs. Every key has a default, and the whole file may be missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers

from routing_engine.certificates import CertificateFiles
from routing_engine.config.calendars.read import (
    NAMED_CALENDARS,
    CalendarKeys,
    Calendars,
    Texts,
    make_calendars,
)
from routing_engine.config.engine_sections import (
    Dialplan,
    ExternalKeys,
    LogSettings,
    NumberKeys,
    RouteDefaults,
    ServiceLimits,
)
from routing_engine.config.folder import FolderTexts, UnreadableFile, read_engine_file
from routing_engine.config.number_lists import NAMED_LISTS, KeptLists, NumberListKeys, make_lists
from routing_engine.connections import THIS_MACHINE, is_loopback
from routing_engine.core.destinations import dialplan_places, places_in
from routing_engine.core.model import Site
from routing_engine.core.prompts import LANGUAGE
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.api import API_KEYS, ProgramKeys
from routing_engine.settings.hub import IN_THE_CLEAR as LINE_IN_THE_CLEAR
from routing_engine.settings.hub import HubKeys
from routing_engine.settings.listeners import (
    FASTAGI,
    FREEPBX_FASTAGI,
    IN_THE_CLEAR,
    OPEN_TO_ALL,
    SEEN_BY_ALL,
    TAKEN_BY_FREEPBX,
    Listeners,
)
from routing_engine.settings.log_in import LogInKeys
from routing_engine.settings.pages import PagesKeys
from routing_engine.settings.revisions import AT_ONCE, GUARDED, ActivationKeys, RevisionKeys
from routing_engine.settings.spec import nested, read, setting
from routing_engine.settings.speech import SpeechSettings
from routing_engine.settings.stores import DATABASE, CacheSettings, JournalSettings, MirrorFolder
from routing_engine.settings.value_types import ZONE, list_of, matching, number, parsed, text, whole, word_or
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml


def _region(text: str) -> str:
    # `at` and `AT` are the same country to everybody but a computer.
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"'{text[:80]}' is not a region")
    return text.upper()


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
    numbers: NumberKeys = setting(
        nested(NumberKeys).called("[mapping](#numbers)"),
        NumberKeys(),
        "how the carrier writes the numbers of callers, and the numbers that they dialled",
        usual="as each number shows",
        in_force="reload",
    )
    external: ExternalKeys = setting(
        nested(ExternalKeys).called("[mapping](#external)"),
        ExternalKeys(),
        "which numbers outside a value may dial",
        usual="any",
        in_force="reload",
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
        usual="FastAGI on `127.0.0.1:4573`; in the profile `freepbx` on `127.0.0.1:4583`",
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
    lists: Mapping[str, NumberListKeys] = setting(
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
    database: str = setting(
        DATABASE.called("[a file, or a PostgreSQL](#database)"),
        "",
        "where calls, deliveries and the journal are kept",
        usual="`state/calls.db` below the configuration folder; `/var/lib/NAME/calls.db` for `/etc/NAME`",
        in_force="restart",
        filled=True,
        example="'postgresql://routing@db.example.com/calls'",
    )
    hub: HubKeys | None = setting(
        nested(HubKeys).called("[mapping](#hub)"),
        None,
        "the engine elsewhere that keeps the calls which this one follows: this one is an "
        "[edge](../how-to/edge-and-hub.md)",
        usual="none: this engine keeps them itself",
        in_force="restart",
        example="{address: 'https://calls.example.com', key: '${EDGE_KEY}'}",
    )
    keep_days: int = setting(
        whole(1, 36_500, "days"),
        365,
        "calls that are older are deleted; decisions as `journal` says",
        in_force="reload",
    )
    match_order: tuple[str, ...] = setting(
        list_of(text("integration")),
        (),
        "where the other party of a [followed](pbxs.md) call is looked for by number, in this order, and nowhere else",
        usual="every integration, by its name",
        in_force="reload",
        example="[crm, erp]",
    )
    api_keys: Mapping[str, ProgramKeys] = setting(
        API_KEYS.called("mapping, name to [key](api.md#keys)"),
        {},
        "programs that may use the listener `http`, and what each may do",
        in_force="reload",
        example="{website: {key: '${WEBSITE_KEY}', may: [calls.read]}}",
    )
    pages: PagesKeys = setting(
        nested(PagesKeys).called("[mapping](#pages)"),
        PagesKeys(),
        "what the [page of calls](../how-to/take-calls.md) may do",
        usual="see there",
        in_force="reload",
    )
    log_in: LogInKeys = setting(
        nested(LogInKeys).called("[mapping](#log_in)"),
        LogInKeys(),
        "how [people](pbxs.md#usersyaml) log in to the pages",
        usual="with a password",
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
    activation: ActivationKeys = setting(
        word_or("at_once", AT_ONCE, word_or("guarded", GUARDED, nested(ActivationKeys))).called(
            "`at_once`, `guarded`, or a [mapping](#activation)"
        ),
        AT_ONCE,
        "whether a changed folder is in force at once, or waits until [`activate`](cli.md#activate) gives it callers",
        usual="`at_once`",
        in_force="reload",
        example="guarded",
    )
    revisions: RevisionKeys = setting(
        nested(RevisionKeys).called("[mapping](#revisions)"),
        RevisionKeys(),
        "how many of the configurations that were in force are kept",
        usual="100",
        in_force="reload",
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
    #: Where each kind of destination begins: the dialplan's places, for numbers as they are dialled in `region`.
    places: Mapping[str, str] = field(default_factory=lambda: dialplan_places("plain"))
    remarks: tuple[Problem, ...] = ()
    folder: Path = Path()

    def check(self, section: Section, what: str) -> None:
        """Refuse an edge that would answer for calls itself: they are all with its hub."""
        if self.hub is not None and self.listeners.http is not None:
            sentence = "'hub' and the listener 'http' do not go together: programs and people ask the hub"
            section.note("hub", sentence, "remove http from listeners, or hub")


def read_settings(
    text: str,
    notes: Problems,
    texts: Texts | None = None,
    now: datetime | None = None,
    folder: Path = Path(),
    lenient: bool = False,
    kept: KeptLists | None = None,
) -> EngineSettings | None:
    """Read engine.yaml; None when there is any problem, and `notes` then holds all of them.

    `texts` are all files of the folder by name: calendars and lists are read from some. `now` says which years of
    calendar files are worked out. `lenient`: what needs a secret that is gone is down, and a remark says so. `kept` has
    the lists as they were read the last time.
    """
    section = read_yaml(text, notes)
    if section is None:
        return None
    written = read(section, EngineSettings, "engine.yaml")
    gone = notes.gone if lenient else []
    if gone:
        notes.problems[:] = [one for one in notes.problems if one not in gone]
        written = _without_secrets(section, written)
    calendars = make_calendars(written.calendars, texts or {}, written.timezone, now or datetime.now(), notes)
    lists = make_lists(written.lists, texts or {}, written.region, notes, kept)
    # Whole or not at all: a list that was read by half would let callers through.
    if notes.problems:
        return None
    written = _with_usual_listeners(section, written)
    remarks = (*notes.remarks, *calendars.remarks, *_remarks(section, written, notes.file, gone, folder))
    site = Site(calendars.by_name, lists, written.dialplan.variables, written.external.allow, written.region)
    places = places_in(written.dialplan.places, written.region)
    # what they were made of holds the YAML of the whole file: it is not kept
    return replace(written, calendars={}, lists={}, site=site, places=places, remarks=remarks, folder=folder)


def _remarks(
    section: Section, written: EngineSettings, file: str, gone: Sequence[Problem], folder: Path
) -> Iterator[Problem]:
    yield from (Problem(one.file, one.line, f"{one.sentence}: what needs it is down", one.remedy) for one in gone)
    yield from _taken_ports(written, file)
    if written.hub is not None and written.hub.is_plain:
        yield Problem(file, section.line_of("hub"), *LINE_IN_THE_CLEAR)
    yield from _open_doors(section, written, file)
    yield from _unusable(section, written, file, folder)


def _without_secrets(section: Section, written: EngineSettings) -> EngineSettings:
    """Return settings that do without secrets that are gone: nothing is more open, or kept plainer, for that."""
    fastagi, journal = written.listeners.fastagi, written.journal
    lines = section.section("listeners") if section.has("listeners") else None
    agi = lines.value("fastagi") if lines is not None else None
    guarded = agi is not None and agi.is_mapping and (keys := agi.section()) is not None and keys.has("secret")
    if fastagi is not None and guarded and not fastagi.secret and fastagi.allow is None:
        # The word would have kept others out; without it this machine alone is heard.
        fastagi = replace(fastagi, allow=THIS_MACHINE)
    if journal.numbers == "hashed" and not journal.key:
        journal = replace(journal, numbers="masked")
    return replace(written, listeners=replace(written.listeners, fastagi=fastagi), journal=journal)


def _taken_ports(written: EngineSettings, file: str) -> list[Problem]:
    address = written.listeners.fastagi
    if written.dialplan.profile != "freepbx" or address is None or address.port != FASTAGI.port:
        return []
    return [Problem(file, 0, *TAKEN_BY_FREEPBX)]


def _open_doors(section: Section, written: EngineSettings, file: str) -> Iterator[Problem]:
    """Yield a remark for every listener that others reach, and that does not say who may."""
    lines = section.section("listeners") if section.has("listeners") else None
    for name, address, told in (
        ("fastagi", written.listeners.fastagi, OPEN_TO_ALL),
        ("metrics", written.listeners.metrics, SEEN_BY_ALL),
        ("http", written.listeners.http, IN_THE_CLEAR),
    ):
        guarded = address is None or address.secret or address.tls is not None or is_loopback(address.host)
        if address is not None and address.allow is None and not guarded:
            yield Problem(file, section.line if lines is None else lines.line_of(name), *told)


def _unusable(section: Section, written: EngineSettings, file: str, folder: Path) -> Iterator[Problem]:
    """Yield a remark for a certificate that cannot be used: calls go on without it, so it is no problem."""
    http = written.listeners.http
    if http is not None and http.tls is not None:
        fault = CertificateFiles(folder / http.tls.certificate, folder / http.tls.key).fault
        if fault:
            sentence = f"the certificate of the listener 'http' cannot be used ({fault}): nobody can connect to it"
            remedy = "give PEM files that belong together, the key without a password; the engine's user reads both"
            yield Problem(file, section.line_of("listeners"), sentence, remedy)


def read_part(text: str, notes: Problems, keys: Collection[str]) -> EngineSettings | None:
    """Read some keys of engine.yaml, whatever else is wrong there; None when it is not YAML at all.

    The others are as if they were left out. Problems of these keys are noted, and what has one is as if left out, too.
    """
    section = read_yaml(text, notes)
    if section is None:
        return None
    return _with_usual_listeners(section, read(section, EngineSettings, "engine.yaml", only=keys))


def _with_usual_listeners(section: Section, written: EngineSettings) -> EngineSettings:
    """Return the settings with the listeners that their profile usually has, where none are written."""
    if written.dialplan.profile == "freepbx" and not section.has("listeners"):
        return replace(written, listeners=Listeners(FREEPBX_FASTAGI))
    return written


def load_part(
    folder: Path, keys: Collection[str], environment: Callable[[str], str | None]
) -> tuple[EngineSettings, list[Problem]]:
    """Read some keys of the engine.yaml of a folder; return them and their problems, whatever else is wrong.

    A folder without the file, or no folder at all, has the defaults. Raises `ConfigError` when the file cannot be read
    or is not YAML.
    """
    # Without the file, and even without the folder, the defaults hold: as for the service itself.
    file = read_engine_file(folder)
    if file is None:
        return EngineSettings(folder=folder), []
    name, text = file
    if isinstance(text, UnreadableFile):
        raise ConfigError([Problem(name, 0, text.why, text.remedy)])
    notes = Problems(name, environment, folder)
    found = read_part(text, notes, keys)
    if found is None:
        raise ConfigError(notes.problems)
    return replace(found, folder=folder), notes.problems


def calendars_of(snapshot: FolderTexts, now: datetime) -> Calendars:
    """Return only the calendars of a folder, whatever else is wrong there. Raises `ConfigError` with their problems."""
    if snapshot.missing:
        raise ConfigError([Problem(snapshot.missing, 0, "there is no such folder", "name another with --config")])
    if snapshot.engine is None:
        return Calendars()
    notes = Problems(snapshot.engine[0])
    if isinstance(snapshot.engine[1], UnreadableFile):
        # Not "no calendars": somebody would believe that nothing is closed.
        raise ConfigError([Problem(snapshot.engine[0], 0, snapshot.engine[1].why, snapshot.engine[1].remedy)])
    written = read_part(snapshot.engine[1], notes, ("timezone", "calendars")) or EngineSettings()
    found = make_calendars(written.calendars, snapshot.texts, written.timezone, now, notes)
    if notes.problems:
        raise ConfigError(notes.problems)
    return found
