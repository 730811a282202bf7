"""`routing-engine forget`: remove a number from all that the engine keeps, with a receipt."""

from __future__ import annotations

import argparse
import secrets
import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.cli.journal import JournalPlace, add_options, exit_on_journal_error, find_journal
from routing_engine.config.engine_yaml import load_part
from routing_engine.core.phone import Number, read_number
from routing_engine.core.redact import mask_number
from routing_engine.errors import StorageError
from routing_engine.journal.privacy import without
from routing_engine.lookup.cache_file import forget_on_disk
from routing_engine.mirror.index_writer import forget_in_mirrors
from routing_engine.settings.paths import state_folder
from routing_engine.settings.yaml_reader import Problems, read_yaml
from routing_engine.storage.forget_note import leave_note, note_path, wait_for_receipt

if TYPE_CHECKING:  # late: SQLAlchemy
    from sqlalchemy import Connection

    from routing_engine.storage.place import DatabasePlace


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """What was done in one place: what was found, by its name on the receipt; what was not done, in sentences."""

    place: str
    found: Mapping[str, int]
    complete: bool = True
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal. `number` is masked; `dry_run` says that nothing was removed."""

    id: str
    at: str
    number: str
    dry_run: bool
    parts: Sequence[ReceiptLine] = field(default_factory=tuple)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("number", metavar="NUMBER", help="the number, as people write it")
    parser.add_argument("--dry-run", action="store_true", help="count only, remove nothing")
    parser.add_argument(
        "--wait", type=float, default=4.0, metavar="S", help="seconds that a running engine has to answer (default: 4)"
    )
    add_options(parser, plain=False)
    parser.set_defaults(run=exit_on_journal_error(run))


def run(options: argparse.Namespace) -> int:
    """Forget the number everywhere; 1 when something of it may be left."""
    place = replace(find_journal(options, key=True), patience_s=options.wait)
    number = read_number(options.number, place.region)
    if number is None:
        return misuse(f"'{options.number}' is not a telephone number")
    # Every place is tried, whatever became of the one before.
    tried = [_part(name, place, number, options.dry_run) for name in PLACES]
    parts = [part for part in tried if part.found or part.notes]
    now = datetime.now(place.zone) if place.zone is not None else datetime.now().astimezone()
    # The receipt is kept, and must not hold what was to be forgotten.
    masked = mask_number(number.e164)
    receipt = Receipt(secrets.token_hex(8), now.isoformat(timespec="seconds"), masked, options.dry_run, parts)
    if options.json:
        print_json(asdict(receipt))
    else:
        _print(receipt)
    return 0 if all(part.complete for part in parts) else 1


def _part(name: str, place: JournalPlace, number: Number, dry_run: bool) -> ReceiptLine:
    """Forget in one place; one that fails does not keep the number in the others."""
    try:
        return PLACES[name](place, number, dry_run)
    except StorageError as error:
        return ReceiptLine(name, {}, False, (f"nothing was removed: {error}",))


def from_journal(place: JournalPlace, number: Number, dry_run: bool) -> ReceiptLine:
    """Forget a number in the journal. Raises `StorageError`."""
    from routing_engine.journal import forget  # late: SQLAlchemy

    if place.left_out:
        return ReceiptLine("journal", {}, notes=("none is kept",))
    found = (forget.find_traces if dry_run else forget.forget)(place.place, number, place.privacy)
    notes = list(found.notes)
    if found.perhaps:
        notes.append(
            f"{found.perhaps} of them show only {mask_number(number.e164)}, so calls of others may be among them; "
            "with journal.key every call is found by its number"
        )
    if found.unsearched:
        notes.append(f"{found.unsearched} calls are hashed with another key and could not be searched: use that key")
    counts = {"calls": found.deleted + found.perhaps, "mentions in other calls": found.cleaned}
    return ReceiptLine("journal", counts, not found.notes and not found.unsearched, notes)


def from_calls(place: JournalPlace, number: Number, dry_run: bool) -> ReceiptLine:
    """Forget a number in the calls that were followed. Raises `StorageError`."""
    from routing_engine.storage.calls_forget import forget_calls  # late: SQLAlchemy

    if place.calls.path is not None and not place.calls.path.exists():
        return ReceiptLine("calls", {}, notes=("none are kept",))
    found = forget_calls(place.calls, number.e164, lambda text: without(text, number), _drop(place.calls), dry_run)
    return ReceiptLine(
        "calls", {"calls": found.deleted, "mentions in other calls": found.cleaned}, not found.notes, found.notes
    )


def _drop(place: DatabasePlace) -> Callable[[Connection, Sequence[str]], None]:
    """Return what deletes the jobs of calls, where those are kept."""
    # late: SQLAlchemy, procrastinate
    from sqlalchemy import inspect

    from routing_engine.delivery.outbox_table import forget_calls
    from routing_engine.storage import spool_table

    def drop(connection: Connection, call_ids: Sequence[str]) -> None:
        forget_calls(connection, call_ids)
        spool_table.forget_calls(connection, call_ids)
        if place.path is None and inspect(connection).has_table("procrastinate_jobs"):
            from routing_engine.delivery.postgres_queue import PostgresQueue

            PostgresQueue(place.url).forget(connection, call_ids)

    return drop


def from_cache(place: JournalPlace, number: Number, dry_run: bool) -> ReceiptLine:
    """Forget a number in the answers that are kept: in the memory of a running engine, and in its file."""
    try:
        # Before the engine hears of it: what lies on the disk may be gone from there a moment later.
        found = forget_on_disk(place.cache, number.e164, True) if place.cache is not None else 0
        dropped = None if dry_run else _tell_engine(place, number)
        if place.cache is not None and not dry_run:
            found = max(found, forget_on_disk(place.cache, number.e164, False))
    except (OSError, sqlite3.Error) as error:
        return ReceiptLine("cache", {}, False, (f"not done: {error}",))
    counts = {"answers on disk": found}
    if dry_run:
        return ReceiptLine("cache", counts)
    if dropped is not None:
        return ReceiptLine(
            "cache", {"answers in memory": dropped, **counts}, notes=("the running engine confirmed it",)
        )
    if place.engine is None or not place.engine.port:
        why = "whether an engine runs is not known: engine.yaml names no port; none has answered"
        return ReceiptLine("cache", counts, False, (why, _waits(place)))
    where = f"{place.engine.host}:{place.engine.port}"
    if not _listens(place):
        _take_back(place)
        # What only a memory holds is gone with its engine.
        return ReceiptLine("cache", counts, notes=(f"no engine was reached: nobody listens on {where}",))
    notes = (
        f"an engine listens, and did not answer in {place.patience_s:g} s: what it has in memory is not forgotten yet",
        _waits(place),
    )
    return ReceiptLine("cache", counts, False, notes)


def _waits(place: JournalPlace) -> str:
    return f"{_note(place)} waits for it: it forgets the number as soon as it can, or at its next start"


def _note(place: JournalPlace) -> Path:
    return note_path(state_folder(place.folder))


def _tell_engine(place: JournalPlace, number: Number) -> int | None:
    """Ask a running engine to forget a number; return how many answers it dropped, None when none did."""
    leave_note(_note(place), number.e164)
    return wait_for_receipt(_note(place), place.patience_s)


def _take_back(place: JournalPlace) -> None:
    """Remove a note that there is nobody to take: it holds the number, too."""
    _note(place).unlink(missing_ok=True)


def _listens(place: JournalPlace) -> bool:
    """Return whether anybody listens where the engine of this folder would."""
    if place.engine is None:
        return False
    try:
        with socket.create_connection((place.engine.host, place.engine.port), timeout=2):
            return True
    except OSError:
        return False


def from_mirrors(place: JournalPlace, number: Number, dry_run: bool) -> ReceiptLine:
    """Forget a number in the indexes of mirrored systems."""
    try:
        count = forget_in_mirrors(place.mirror, number.e164, dry_run)
    except (OSError, sqlite3.Error) as error:
        return ReceiptLine("mirror", {}, False, (f"not done: {error}",))
    note = "the next pull brings back what the mirrored system still has: delete it there first"
    return ReceiptLine("mirror", {"records": count}, notes=(note,) if count else ())


def elsewhere(place: JournalPlace, _: Number, __: bool) -> ReceiptLine:
    """Say which engines have the same calls: each has a folder, and a key to its journal, of its own."""
    # Read by itself: what is broken in a file of another thing does not matter here, nor a secret that is not set.
    hub = load_part(place.folder, ("hub",), lambda _: None)[0].hub
    notes = [f"the hub {hub.address} has what this edge told it: call it there, too"] if hub else []
    notes += [note for file in sorted((place.folder / "pbxs").glob("*.yaml")) if (note := _edge_of(file))]
    return ReceiptLine("elsewhere", {}, notes=notes)


def _edge_of(file: Path) -> str:
    """Return a sentence on the edge that follows a PBX; "" where this engine follows it itself."""
    try:
        section = read_yaml(file.read_text(errors="replace"), Problems(file.name))
    except OSError:
        section = None
    if section is None:
        return f"whether an edge keeps the calls of '{file.stem}', too, is not known: its file cannot be read"
    edge = section.text("edge")
    return f"the edge '{edge}' keeps the calls of '{file.stem}', too: call it there, with its folder" if edge else ""


#: Every place that keeps numbers. Each removes one there and says what it did; a `StorageError` is a place that failed.
PLACES: Mapping[str, Callable[[JournalPlace, Number, bool], ReceiptLine]] = {
    "journal": from_journal,
    "cache": from_cache,
    # Behind the engine's memory, which would write its calls again.
    "calls": from_calls,
    "mirror": from_mirrors,
    "elsewhere": elsewhere,
}


def _print(receipt: Receipt) -> None:
    complete = all(part.complete for part in receipt.parts)
    word = "would be forgotten" if receipt.dry_run else "is forgotten" if complete else "is not wholly forgotten"
    print(paint(f"{receipt.number} {word}", "good" if complete else "bad"))
    print(f"  receipt   {receipt.id}, {receipt.at}")
    for part in receipt.parts:
        counts = [", ".join(f"{count} {what}" for what, count in part.found.items())] if part.found else []
        for number, line in enumerate([*counts, *part.notes]):
            print(f"  {'' if number else part.place:<10}{line}")
