"""`routing-engine audit`: what came into force and who did what; `verify` finds lines that were changed."""

from __future__ import annotations

import argparse
import sys

from routing_engine.cli.common import add_command, misuse, paint, print_json, print_table, row_count
from routing_engine.core.redact import visible
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import Deed, DeedLog

_NONE = "nothing is in the log yet: 'routing-engine serve' begins it"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own: verify."""
    parser.add_argument("--who", default="", metavar="NAME", help="what this one did")
    parser.add_argument("--revision", default="", metavar="REV", help="what happened with this revision")
    parser.add_argument("--limit", type=row_count, default=50, metavar="COUNT", help="at most so many (default: 50)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    verify = add_command(actions, "verify", "look whether every line is as it was written; 1 where one is not")
    known = "a line that you noted elsewhere, as the engine's log has it (audit.added): it must be there"
    verify.add_argument("--known", action="append", default=[], metavar="NUMBER:HASH", help=known)
    verify.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    verify.set_defaults(run=run_verify)


def run(options: argparse.Namespace) -> int:
    """List who did what, the newest first."""
    every = reversed(DeedLog(audit_folder(options.config)).deeds())
    found = [one for one in every if options.who in ("", one.who) and one.revision.startswith(options.revision)]
    found = found[: options.limit]
    if options.json:
        print_json({"deeds": [deed_json(one) for one in found]})
        return 0
    if not found:
        print(_NONE)
        return 0
    rows = [
        (str(one.number), f"{one.at.astimezone():%Y-%m-%d %H:%M:%S}", one.who or "?", one.what, one.revision, one.about)
        for one in found
    ]
    print_table(("line", "at", "who", "what", "revision", "about"), [tuple(map(visible, row)) for row in rows])
    return 0


def deed_json(deed: Deed) -> dict[str, str | int]:
    """Return a line for programs."""
    return {
        "number": deed.number,
        "at": deed.at.isoformat(timespec="milliseconds"),
        "who": deed.who,
        "what": deed.what,
        "about": deed.about,
        "revision": deed.revision,
        "address": deed.address,
        "hash": deed.hash,
    }


def run_verify(options: argparse.Namespace) -> int:
    """Look at every line; 1 where one was changed, removed, added or moved."""
    log = DeedLog(audit_folder(options.config))
    faults, deeds = log.faults(), log.deeds()
    there = {f"{one.number}:{one.hash}" for one in deeds}
    for known in options.known:
        if known.count(":") != 1:
            return misuse(f"'{known[:80]}' is not NUMBER:HASH; the engine's log has both in 'audit.added'")
        if known not in there:
            faults.append(f"line {visible(known.partition(':')[0])} is not the one that you noted")
    last = f"{deeds[-1].number}:{deeds[-1].hash}" if deeds else None
    if options.json:
        print_json({"lines": len(deeds), "last": last, "faults": [*faults]})
    elif not faults:
        print(paint(f"{len(deeds)} lines, each as it was written; the last is {last}" if deeds else _NONE, "good"))
    for fault in faults if not options.json else ():
        print(f"{log.path}: {fault}", file=sys.stderr)
    return 1 if faults else 0
