"""`routing-engine users`: who takes calls; `password` for the pages, `match` with a CRM, `audit` of who did what."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from functools import partial
from typing import TypeVar

from routing_engine.cli.common import add_command, misuse, print_json, print_table
from routing_engine.cli.kept import in_database, note_deed, who_commands
from routing_engine.core.model import Json
from routing_engine.core.redact import escaped
from routing_engine.engine import open_store
from routing_engine.errors import StorageError
from routing_engine.settings.people import People

T = TypeVar("T")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own: password, match, audit."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=show)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    password = add_command(actions, "password", "give a person a password for the pages; whoever is logged in is out")
    password.add_argument("name", metavar="NAME", help="the key in users.yaml")
    password.add_argument("--stdin", action="store_true", help="read it from standard input instead of asking")
    password.add_argument("--remove", action="store_true", help="the person has none any more")
    password.set_defaults(run=set_one)
    match = add_command(actions, "match", "find who is who in an integration: by e-mail, then by extension")
    match.add_argument("integration", metavar="INTEGRATION", help="its name")
    match.add_argument("--write", action="store_true", help="write what is clear into users.yaml, without asking")
    match.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    match.set_defaults(run=_match)
    audit = add_command(actions, "audit", "list who did what, the newest first")
    audit.add_argument("--who", default="", metavar="NAME", help="a key in users.yaml, or 'key NAME' of engine.yaml")
    audit.add_argument("--limit", type=int, default=100, metavar="COUNT", help="at most so many (default: 100)")
    audit.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    audit.set_defaults(run=show_audit)


def show(options: argparse.Namespace) -> int:
    """List the people."""
    people = open_store(options.config).load_people().people
    try:
        from routing_engine.storage.people_table import users_with_password  # late: SQLAlchemy

        known: set[str] = in_database(options, users_with_password, write=False)
    except StorageError:
        known = set()  # nobody has one where there is no database yet
    if options.json:
        print_json({"users": _json(people, known)})
        return 0
    if not people.users:
        print("there is nobody: write users.yaml")
        return 0
    rows = [
        (
            one.key,
            one.name,
            one.role,
            people.group_of(one).name,
            ", ".join(one.phones),
            "yes" if one.key in known else "no",
        )
        for one in people.users.values()
    ]
    print_table(("key", "name", "role", "group", "phones", "password"), rows)
    return 0


def _json(people: People, known: set[str]) -> list[Json]:
    return [
        {
            "key": one.key,
            "name": one.name,
            "email": one.email or None,
            "role": one.role,
            "group": people.group_of(one).name,
            "phones": [*one.phones],
            "crm": dict(one.crm),
            "password": one.key in known,
        }
        for one in people.users.values()
    ]


def set_one(options: argparse.Namespace) -> int:
    """Set or remove a password; 1 when it cannot be taken, 2 when there is no such person."""
    from routing_engine.storage.people_table import set_password  # late: SQLAlchemy
    from routing_engine.web.passwords import fault_of, hash_of  # late: argon2

    people = open_store(options.config).load_people().people
    user = people.users.get(options.name)
    if user is None and not options.remove:
        return misuse(f"there is no '{options.name}' in users.yaml; known are: {', '.join(people.users) or 'nobody'}")
    hashed = None
    if user is not None and not options.remove:
        password = _asked(options.name, options.stdin)
        if fault := fault_of(password, user.key, user.name, user.email):
            print(f"routing-engine: {fault}", file=sys.stderr)
            return 1
        hashed = hash_of(password)
    work = partial(set_password, user=options.name, hashed=hashed, now=time.time(), by=who_commands())
    try:
        in_database(options, work, write=True)
    except StorageError as error:
        print(f"routing-engine: {error}", file=sys.stderr)
        return 1
    note_deed(options, "password removed" if hashed is None else "password set", options.name)
    done = "has no password any more" if hashed is None else "has a new password"
    print(f"{options.name} {done}, and is logged out everywhere")
    return 0


def _asked(name: str, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"New password of {name}: ")
    if getpass.getpass("Once more: ") != first:
        print("routing-engine: these are two different passwords", file=sys.stderr)
        raise SystemExit(1)
    return first


def _match(options: argparse.Namespace) -> int:
    from routing_engine.cli.match_users import run  # late: what asks a CRM

    return run(options)


def show_audit(options: argparse.Namespace) -> int:
    """List who did what."""
    from routing_engine.calls.as_json import moment  # late: with what asks
    from routing_engine.storage.people_table import audit_entries  # late: SQLAlchemy

    try:
        read = partial(audit_entries, who=options.who, since=0.0, most=options.limit)
        entries = in_database(options, read, write=False)
    except StorageError as error:
        print(f"routing-engine: {error}", file=sys.stderr)
        return 1
    rows = [(moment(one.at) or "", one.who or "?", one.what, one.about, one.address) for one in entries]
    if options.json:
        names = ("at", "who", "what", "about", "address")
        print_json({"entries": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        print_table(("at", "who", "what", "about", "from"), [tuple(map(escaped, row)) for row in rows])
    return 0
