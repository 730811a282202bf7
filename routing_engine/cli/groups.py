"""`routing-engine groups`: what each permission group may do with the records of each data model, and who is in it."""

from __future__ import annotations

import argparse

from routing_engine.cli.common import print_json, print_table
from routing_engine.core.model import Json
from routing_engine.engine import open_store
from routing_engine.settings.people import Group, People


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the groups."""
    people = open_store(options.config).load_people().people
    members = {name: _members(people, name) for name in people.groups}
    if options.json:
        print_json({"groups": [_json(one, members[one.name]) for one in people.groups.values()]})
        return 0
    rows = [row for one in people.groups.values() for row in _rows(one, members[one.name])]
    print_table(("group", "data model", "may", "unknown caller", "who"), rows)
    return 0


def _members(people: People, group: str) -> list[str]:
    return [user.key for user in people.users.values() if people.group_of(user).name == group]


def _json(group: Group, members: list[str]) -> Json:
    models: dict[str, Json] = {name: sorted(verbs) for name, verbs in group.models.items()}
    return {"name": group.name, "models": models, "unknown_caller": group.unknown_caller or None, "users": [*members]}


def _rows(group: Group, members: list[str]) -> list[tuple[str, ...]]:
    who = ", ".join(members) or "nobody"
    rows = [(name, ", ".join(sorted(verbs)) or "nothing") for name, verbs in group.models.items()]
    # The name, what is created by itself and the people stand once, on the first line of a group.
    first, *others = rows or [("none", "nothing")]
    return [(group.name, *first, group.unknown_caller or "", who), *(("", *row, "", "") for row in others)]
