"""`routing-engine database`: where calls and decisions are kept, and the form of the tables, forward and back."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from routing_engine.cli.common import misuse, print_json, step_down
from routing_engine.config.engine_yaml import load_part
from routing_engine.errors import StorageError
from routing_engine.settings.environment import variable_of
from routing_engine.settings.stores import database_place
from routing_engine.storage.place import DatabasePlace

#: What is counted, by the name of its table.
_COUNTED = ("calls", "decisions")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--file", type=Path, metavar="FILE", help="a file of SQLite, such as a copy")
    parser.add_argument("--update", action="store_true", help="bring the tables up to date, as a start would")
    parser.add_argument("--back", type=int, metavar="N", help="bring the tables back to the form N")
    parser.add_argument("--yes", action="store_true", help="delete what the older form has no place for")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the database, or change its form; 1 where it cannot be used."""
    place = _place(options)
    try:
        if options.back is not None:
            return _take_back(place, options.back, options.yes)
        if options.update:
            _update(place)
        return _show(place, options.json)
    except StorageError as error:
        raise StorageError(f"the database cannot be used: {error}") from None


def _place(options: argparse.Namespace) -> DatabasePlace:
    if options.file is not None:
        place = DatabasePlace(options.file)
    else:
        settings, _ = load_part(options.config, ("database", "journal"), partial(variable_of, options.config))
        place = database_place(settings.database, options.config, settings.journal.path)
    if place.path is not None:
        step_down(place.path, place.path.parent)
    return place


def _update(place: DatabasePlace) -> None:
    from routing_engine.storage.connector import Connector  # late: SQLAlchemy

    with Connector(place).connected():
        pass


def _take_back(place: DatabasePlace, schema: int, sure: bool) -> int:
    # late: SQLAlchemy
    from routing_engine.storage.connector import Connector
    from routing_engine.storage.migrations import MIGRATIONS, take_back

    if not 0 < schema < len(MIGRATIONS):
        return misuse(f"--back takes 1 to {len(MIGRATIONS) - 1}: the form of this version is {len(MIGRATIONS)}")
    lost = ", ".join(one.loses for one in MIGRATIONS[schema:] if one.loses)
    if lost and not sure:
        return misuse(f"the form {schema} has no place for {lost}: stop the service, copy the database, then add --yes")
    with Connector(place, write=False).connected():  # makes nothing where nothing is
        pass
    with Connector(place).connected() as connection:
        take_back(connection, schema)
    print(f"{place.name} has the form {schema} now: install the older version before anything starts")
    return 0


def _show(place: DatabasePlace, as_json: bool) -> int:
    # late: SQLAlchemy
    from sqlalchemy import text

    from routing_engine.storage.connector import Connector
    from routing_engine.storage.migrations import schema_of

    with Connector(place, write=False).transaction() as connection:
        schema = schema_of(connection)
        counts = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in _COUNTED}  # noqa: S608
    if as_json:
        print_json({"database": place.name, "schema": schema, **counts})
    else:
        for name, value in {"database": place.name, "form": schema, **counts}.items():
            print(f"{name:<10} {value}")
    return 0
