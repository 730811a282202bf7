"""What the commands that ask the journal share: where it lies, moments as people write them, a call as JSON."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial
from pathlib import Path

from routing_engine.cli.common import step_down
from routing_engine.config.engine_yaml import load_part
from routing_engine.core.destinations import say_destination
from routing_engine.core.model import Json
from routing_engine.errors import ConfigError, StorageError
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.stored_call import StoredCall
from routing_engine.settings.environment import variable_of
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.stores import JournalSettings, cache_path, database_place, journal_place, mirror_folder
from routing_engine.storage.place import DatabasePlace

#: What `--plain` cannot show, and why.
KEPT_MASKED = (
    "numbers stay masked where they were kept so: 'journal: {numbers: ...}' of engine.yaml said it when the call came"
)
_AGO = re.compile(r"([0-9]{1,6})([smhdw])\Z", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """A journal as engine.yaml describes it, and where calls are that were followed. `zone` None is the machine's.

    `folder` is the configuration's; `cache` is the file of the kept answers, None when they are in memory only.
    `patience_s` is how long a running engine has to answer, `engine` where it listens. `mirror` is
    the folder of the mirrors' indexes.
    """

    place: DatabasePlace
    calls: DatabasePlace
    settings: JournalSettings
    region: str
    zone: tzinfo | None
    folder: Path = Path()
    cache: Path | None = None
    patience_s: float = 4.0
    mirror: Path = Path("state/mirror")
    engine: ListenerAddress | None = None

    @property
    def database(self) -> DatabasePlace:
        """The database to ask. Raises `StorageError` where no journal is kept and none is left of before."""
        if self.left_out:
            raise StorageError("engine.yaml says 'journal: none': no call is kept")
        return self.place

    @property
    def left_out(self) -> bool:
        """Whether no journal is kept, and none is left of before."""
        return not self.settings.kept and self.place.path is not None and not os.path.exists(self.place.path)

    @property
    def privacy(self) -> Privacy:
        """How numbers are kept in it."""
        return Privacy(self.settings.numbers, self.settings.key, self.region)


def add_options(parser: argparse.ArgumentParser, plain: bool = True) -> None:
    """Add the options that every question to the journal takes."""
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="a file of SQLite (default: the database that engine.yaml names)"
    )
    if plain:
        parser.add_argument("--plain", action="store_true", help="numbers as they are kept, not masked")
    parser.add_argument("--json", action="store_true", help="for programs")


def find_journal(options: argparse.Namespace, key: bool = False) -> JournalPlace:
    """Find the journal from engine.yaml alone: a broken route, or a CRM's secret that is not set, does not matter here.

    With `key` its key must be there, too. Raises `ConfigError` or `StorageError`.
    """
    keys = ("region", "timezone", "database", "journal", "cache", "mirror")
    settings, problems = load_part(options.config, keys, partial(variable_of, options.config))
    if key and problems:
        raise ConfigError(problems)
    # By itself: a secret of the listener that is not set here does not matter.
    listening, _ = load_part(options.config, ("listeners",), partial(variable_of, options.config))
    if options.journal is None and not options.config.is_dir():
        raise StorageError(f"there is no folder {options.config}; name it with --config, or the file with --journal")
    place = journal_place(settings.journal, settings.database, options.config)
    calls = database_place(settings.database, options.config, settings.journal.path)
    if options.journal is not None:
        place = DatabasePlace(options.journal)
    if place.path is not None:
        step_down(place.path, place.path.parent)
    return JournalPlace(
        place=place,
        calls=place if options.journal is not None else calls,
        settings=settings.journal,
        region=settings.region,
        zone=settings.timezone,
        folder=options.config,
        cache=cache_path(settings.cache, options.config),
        mirror=mirror_folder(settings.mirror, options.config),
        engine=listening.listeners.fastagi,
    )


def exit_on_journal_error(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let a command end with 1 and a sentence where the journal does not work."""

    def command(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except StorageError as error:
            print(f"routing-engine: the journal cannot be used: {error}", file=sys.stderr)
            return 1

    return command


def read_moment(text: str, now: datetime, zone: tzinfo | None, end: bool = False) -> datetime:
    """Read `2h`, `30m`, `7d`, `10:30` (today), `2026-11-20`, `2026-11-20T10:30`; a day alone begins, or ends, the day.

    What names no zone is in the site's. Raises `ValueError`.
    """
    try:
        ago = _AGO.match(text)
        if ago:
            return now.astimezone(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        if len(text) <= 8 and ":" in text:
            found = datetime.combine(now.date(), time.fromisoformat(text))
        else:
            found = datetime.fromisoformat(text)
        if end and len(text) <= 10 and ":" not in text:
            found += timedelta(days=1)
        return (found if found.tzinfo is not None or zone is None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is not a time; write 2h, 7d, 10:30, 2026-11-20 or 2026-11-20T10:30") from None


def as_json(call: StoredCall) -> dict[str, Json]:
    """Return a call for programs: names as `run-test --json` has them where they are the same."""
    return {
        "id": call.id,
        "call_id": call.call_id,
        "at": call.at.isoformat(timespec="milliseconds"),
        "took_ms": round(call.took_ms, 1),
        "waited_ms": round(call.waited_ms, 1),
        "silence_ms": round(call.silence_ms, 1),
        "ended": call.ended,
        "caller": call.caller,
        "called": call.called,
        "language": call.language,
        "route": call.route,
        "revision": call.revision,
        "reason": call.reason or None,
        "rule": call.rule or None,
        "source": call.source or None,
        "destination": None if call.destination is None else _place(asdict(call.destination)),
        "chain": [_place(asdict(one)) for one in call.chain],
        "play": list(call.played),
        "sets": list(call.sets),
        "record_id": call.record_id or None,
        "record_url": call.record_url or None,
        "record_origin": call.record_origin or None,
        "record_fields": list(call.record_fields),
        "why": call.why or None,
        "trail": [asdict(step) for step in call.trail],
    }


def _place(one: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in one.items() if value is not None}


def where(call: StoredCall) -> str:
    """Return where a call went: `queue vip, priority 10`."""
    if call.ended == "abandoned":
        return "abandoned"
    return say_destination(call.destination) or "nowhere"
