"""`routing-engine revisions`: what was in force, since when, by whom and why; `show` one, with its differences."""

from __future__ import annotations

import argparse

from routing_engine.calls.as_json import JsonObject
from routing_engine.cli.common import add_command, paint, print_json, print_table, row_count
from routing_engine.config.revisions import Revisions
from routing_engine.config.tell_revisions import list_json, whole_json
from routing_engine.core.caller import read_moment
from routing_engine.core.redact import visible

_NONE = "no revision is kept yet: 'routing-engine serve' keeps what it takes"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own: show."""
    parser.add_argument("--limit", type=row_count, default=20, metavar="COUNT", help="at most so many (default: 20)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    show = add_command(actions, "show", "show one revision: its files, and what it changed")
    show.add_argument("revision", metavar="REV", help="its number, or the beginning of that")
    show.add_argument("--diff", action="store_true", help="line by line, against the revision before it")
    show.add_argument("--against", metavar="REV", help="compare with this one instead")
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    show.set_defaults(run=show_one)


def run(options: argparse.Namespace) -> int:
    """List the revisions, the newest first."""
    told = list_json(Revisions(options.config), options.limit)
    if options.json:
        print_json({"revisions": told})
    elif not told:
        print(_NONE)
    else:
        rows = [(one["revision"], _when(one), one["state"], one["who"] or "?", one["what"]) for one in told]
        head = ("revision", "since", "state", "by", "what changed")
        print_table(head, [tuple(visible(str(cell)) for cell in row) for row in rows])
    return 0


def show_one(options: argparse.Namespace) -> int:
    """Show one revision."""
    kept = Revisions(options.config)
    found = kept.find(options.revision)
    told = whole_json(kept, found, kept.find(options.against) if options.against else kept.before(found.number))
    if options.json:
        print_json(told)
    elif options.diff:
        for line in str(told["diff"]).splitlines():
            colour = {"+": "good", "-": "bad", "@": "dim"}.get(line[:1], "")
            print(paint(visible(line, len(line)), colour) if colour else visible(line, len(line)))
    else:
        _tell(told)
        print("files", *(visible(name) for name in sorted(found.files)), sep="\n  ")
    return 0


def _tell(told: JsonObject) -> None:
    against = f" (against {told['against']})" if told["against"] else ""
    lines = {
        "revision": told["revision"],
        "state": f"{told['state']}, {_when(told)}",
        "by": told["who"],
        "why": told["why"],
        "commit": told["commit"],
        "changed": f"{told['what']}{against}" if told["what"] else "",
    }
    for name, value in lines.items():
        if value:
            print(f"{name:<9} {visible(str(value))}")


def _when(told: JsonObject) -> str:
    return f"{read_moment(str(told['at'])).astimezone():%Y-%m-%d %H:%M}"
