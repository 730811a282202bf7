"""What commands do in the calls' database of a folder, and whose deed it is there."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from routing_engine.cli.common import step_down
from routing_engine.config.engine_yaml import load_part
from routing_engine.errors import ConfigError
from routing_engine.settings.environment import variable_of
from routing_engine.settings.paths import audit_folder
from routing_engine.settings.stores import database_place

if TYPE_CHECKING:  # late: SQLAlchemy
    from sqlalchemy import Connection

T = TypeVar("T")


def in_database(options: argparse.Namespace, work: Callable[[Connection], T], write: bool) -> T:
    """Do a work in the database, from engine.yaml alone. Raises `StorageError`, and `ConfigError` for its own keys."""
    settings, problems = load_part(options.config, ("database", "journal"), partial(variable_of, options.config))
    if problems:
        raise ConfigError(problems)
    place = database_place(settings.database, options.config, settings.journal.path)
    if place.path is not None:
        step_down(place.path, place.path.parent)
    from routing_engine.storage.connector import Connector  # late: SQLAlchemy

    connector = Connector(place, write=write)
    try:
        with connector.transaction() as connection:
            return work(connection)
    finally:
        connector.close()


def note_deed(options: argparse.Namespace, what: str, about: str) -> None:
    """Note what a command has done in the log of deeds; say so where that cannot be written."""
    from routing_engine.storage.deed_log import DeedLog  # late: with what writes

    try:
        DeedLog(audit_folder(options.config)).add(who_commands(), what, about)
    except OSError as error:
        print(f"attention: the audit does not have this: {error.filename}: {error.strerror}", file=sys.stderr)


def who_commands() -> str:
    """Return who calls a command, as the audit has it."""
    try:
        return f"command of {getpass.getuser()}"
    except (KeyError, OSError):  # a container may have no names
        return f"command of {os.getuid()}"
