"""What `doctor` and `check --asterisk` look at: one function for each question, and the table of all of them.

To add a question, write a function that yields a `Finding` for each thing that it looked at, and put it into a table.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from textwrap import indent
from typing import Literal, TypeAlias

from routing_engine.cli.common import paint
from routing_engine.config.in_force import TrialRevision
from routing_engine.config.refusal import find_refusal
from routing_engine.config.revisions import Revisions
from routing_engine.config.store import Configuration
from routing_engine.config.tell_trial import say_trial
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError, Problem, StorageError
from routing_engine.settings.paths import state_folder
from routing_engine.settings.stores import database_place, journal_place
from routing_engine.storage.place import DatabasePlace

State: TypeAlias = Literal["fine", "act", "unknown"]
_MARKS = {"fine": ("fine", "good"), "act": ("ACT ", "bad"), "unknown": ("?   ", "dim")}
#: No machine of ours has an older clock.
_BUILT = 2026
_CONNECT_S = 2.0
#: A system that takes longer helps no caller, and there may be many to look at.
_ANSWER_S = 10.0
_LATE = "who runs the system: make it quicker; or who writes the routes: a longer 'timeout_s', or a mirror"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` says who must do what; with `unknown` it could not be looked at."""

    about: str
    state: State
    sentence: str
    remedy: str = ""

    def as_json(self) -> Mapping[str, str]:
        """Return it for programs."""
        return asdict(self)


class Folder:
    """A configuration folder, read once for all questions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def read(self) -> tuple[Configuration | None, tuple[Problem, ...]]:
        """The configuration, or what is wrong with it."""
        try:
            return open_store(self.path).load(needs_routes=True), ()
        except ConfigError as error:
            return None, error.problems

    @property
    def configuration(self) -> Configuration | None:
        """The configuration; None where the folder cannot be used."""
        return self.read[0]


Look: TypeAlias = Callable[[Folder], Iterator[Finding]]


def look_at_folder(folder: Folder) -> Iterator[Finding]:
    """Can the folder be used?"""
    configuration, problems = folder.read
    if configuration is None:
        yield Finding(
            "folder",
            "act",
            f"{folder.path}: {problems[0]}",
            f"who writes the routes: {len(problems)} to mend, see check",
        )
    else:
        yield Finding("folder", "fine", f"{folder.path}: {len(configuration.routes)} routes can be used")


def look_at_revision(folder: Folder) -> Iterator[Finding]:
    """Is what the folder says in force?"""
    if refusal := find_refusal(folder.path):
        yield Finding("revision", "act", str(refusal), "who writes the routes: mend what 'routing-engine check' names")
    elif (trial := _waiting(folder.path)) is not None:
        state: State = "act" if trial.stage == "back" else "fine"
        yield Finding(
            "revision", state, say_trial(trial), "who writes the routes: see 'routing-engine activate --status'"
        )
    elif folder.configuration is not None:
        yield Finding("revision", "fine", f"{folder.configuration.revision}, and no engine has refused it")
    else:
        yield Finding("revision", "unknown", "what is in force is not known while the folder cannot be read")


def _waiting(folder: Path) -> TrialRevision | None:
    found = Revisions(folder).standing.read()
    return None if found is None else found.candidate


def look_at_engine(folder: Folder) -> Iterator[Finding]:
    """Does the engine of this folder listen?"""
    listeners = folder.configuration.settings.listeners if folder.configuration else None
    listener = None if listeners is None else listeners.fastagi or listeners.http
    if listener is None or not listener.port:
        yield Finding("engine", "unknown", "where it listens is not known: engine.yaml names no port")
    else:
        yield listens("engine", listener.host, listener.port)


def listens(about: str, host: str, port: int) -> Finding:
    """Return whether somebody listens there."""
    where = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # a listener's address, not ours
    try:
        with closing(socket.create_connection((where, port), _CONNECT_S)):
            return Finding(about, "fine", f"somebody listens on {host}:{port}")
    except OSError as error:
        why = error.strerror or error
        remedy = "the administrator here: start it with 'systemctl start routing-engine', or read its log"
        return Finding(about, "act", f"nobody answers on {host}:{port} ({why})", remedy)


def look_at_integrations(folder: Folder) -> Iterator[Finding]:
    """Does each system answer, and in time for a call?"""
    if folder.configuration is None:
        yield Finding("integrations", "unknown", "they are not known while the folder cannot be read")
        return
    from routing_engine.cli.connection import check_connection, deadline_of  # late: `check` asks nobody

    for name, integration in folder.configuration.integrations.items():
        deadline_s = deadline_of(folder.configuration, name)
        result = check_connection(integration, folder.configuration.settings, deadline_s, _ANSWER_S)
        remedy = result.remedy if not result.fine else _LATE if result.late else ""
        yield Finding(f"integration {name}", "act" if remedy else "fine", f"{result.sentence}; {result.timing}", remedy)


def look_at_disk(folder: Folder) -> Iterator[Finding]:
    """May the state, the database and the journal be written?"""
    state = state_folder(folder.path)
    settings = folder.configuration.settings if folder.configuration else None
    yield _writable("state", state)
    if settings is None:
        yield Finding("database", "unknown", "where it is is not known while the folder cannot be read")
        return
    yield _examined("database", database_place(settings.database, folder.path, settings.journal.path))
    if not settings.journal.kept:
        yield Finding("journal", "fine", "none is kept: engine.yaml says so")
    elif settings.journal.path:
        yield _examined("journal", journal_place(settings.journal, settings.database, folder.path))


def _examined(about: str, place: DatabasePlace) -> Finding:
    if place.path is not None:
        return _writable(about, place.path)
    from routing_engine.storage.connector import open_engine, translate_errors  # late: SQLAlchemy

    try:
        with translate_errors(), open_engine(place).connect():
            return Finding(about, "fine", f"{place.name} answers")
    except StorageError as error:
        return Finding(about, "act", f"{place.name}: {error}", "the administrator of the database: see what it says")


def _writable(about: str, path: Path) -> Finding:
    there = path if path.exists() else next(one for one in path.absolute().parents if one.exists())
    if os.access(there, os.W_OK):
        return Finding(about, "fine", f"{path} can be written by this user")
    remedy = f"the administrator here: chown or chmod {there}, or call this as the engine's user"
    return Finding(about, "act", f"{path} cannot be written by this user", remedy)


def look_at_clock(_: Folder) -> Iterator[Finding]:
    """Is the clock right? Calendars, tokens and certificates need it."""
    now = datetime.now().astimezone()
    shown = f"{now:%Y-%m-%d %H:%M:%S %Z}"
    if now.year < _BUILT:
        yield Finding("clock", "act", f"it shows {shown}", "the administrator here: set it, and keep it set (NTP)")
    elif Path("/run/systemd/timesync/synchronized").exists():
        yield Finding("clock", "fine", f"{shown}, kept by systemd-timesyncd")
    else:
        yield Finding("clock", "unknown", f"{shown}; who keeps it right could not be seen: compare it")


#: What is asked about the engine's side, in this order.
ENGINE: tuple[Look, ...] = (
    look_at_folder,
    look_at_revision,
    look_at_engine,
    look_at_disk,
    look_at_clock,
    look_at_integrations,
)


def show(found: Iterable[Finding]) -> None:
    """Print findings, one a line, and below who must do what."""
    for one in found:
        mark, colour = _MARKS[one.state]
        print(f"{paint(mark, colour)}  {one.about}: {one.sentence}")
        if one.remedy:
            print(indent(one.remedy, "      "))  # it may be lines of a file
