"""`routing-engine reload`: the running engine reads the folder now, and says what came of it."""

from __future__ import annotations

import argparse
import sys

from routing_engine.cli.common import print_json
from routing_engine.config.refusal import find_refusal
from routing_engine.config.revisions import Revisions
from routing_engine.settings.paths import state_folder
from routing_engine.storage.forget_note import leave_note, reload_path, wait_for_receipt

#: A folder of ten thousand routes takes some ten seconds.
_PATIENCE_S = 30.0
_NOBODY = "no engine has answered: it is not running, or not as a user that may read the note; start it, or see doctor"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, tells_refusal=False)


def run(options: argparse.Namespace) -> int:
    """Ask for a reload; 1 when the folder cannot be used, or no engine answers."""
    note = reload_path(state_folder(options.config))
    leave_note(note, "now")
    taken = wait_for_receipt(note, _PATIENCE_S)
    if taken is None:
        note.unlink(missing_ok=True)
        print(f"routing-engine: {_NOBODY}", file=sys.stderr)
        return 1
    found, refusal = Revisions(options.config).standing.read(), find_refusal(options.config)
    number = "" if found is None else found.revision
    problems = [] if refusal is None or taken else [str(one) for one in refusal.problems]
    if options.json:
        print_json({"taken": bool(taken), "revision": number, "problems": problems})
    elif taken:
        print(f"the folder is read: revision {number} is in force")
    else:
        print(*problems, f"the folder cannot be used: revision {number} stays in force", sep="\n", file=sys.stderr)
    return 0 if taken else 1
