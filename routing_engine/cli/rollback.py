"""`routing-engine rollback`: the folder holds an older revision again; what it held is kept."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from routing_engine.cli.common import print_json
from routing_engine.cli.kept import who_commands
from routing_engine.config.activation import hold
from routing_engine.config.changes import said
from routing_engine.config.put_back import put_back, revision_before
from routing_engine.config.revisions import Revision, Revisions
from routing_engine.config.tell_revisions import changes_json
from routing_engine.config.tell_trial import trial_json
from routing_engine.core.redact import visible
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    what = "the revision, or the beginning of its number (default: what was in force before)"
    parser.add_argument("revision", metavar="REV", nargs="?", default="", help=what)
    hold = "leave the folder as it is; the older revision is in force until the folder changes"
    parser.add_argument("--hold", action="store_true", help=hold)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, configures=True, tells_refusal=False)


def run(options: argparse.Namespace) -> int:
    """Put a revision back into the folder; 1 where that cannot be done."""
    kept = Revisions(options.config)
    target = kept.find(options.revision) if options.revision else revision_before(kept)
    if options.hold:
        return _hold(options, kept, target)
    done = put_back(kept, target, who_commands(), datetime.now(UTC))
    if options.json:
        print_json({"revision": done.now, "before": done.before, "changes": changes_json(done.changed)})
    else:
        print(f"{options.config} holds revision {done.now} again: {visible(said(done.changed)) or 'nothing changed'}")
        print(f"what it held is kept: 'routing-engine rollback {done.before}' brings it back")
        print("a running engine takes it within two seconds; calls under way end as they began")
    return _warn(options)


def _hold(options: argparse.Namespace, kept: Revisions, target: Revision) -> int:
    found = hold(kept, target, who_commands(), datetime.now(UTC))
    if options.json:
        print_json(trial_json(kept, found))
    else:
        print(f"revision {target.number} is in force until {options.config} changes, which is left as it is")
        print("'routing-engine activate --all' puts in force what the folder holds")
        print("a running engine does so within two seconds; calls under way end as they began")
    return 0


def _warn(options: argparse.Namespace) -> int:
    """Say what is wrong with the folder, where what was fine then cannot be used today."""
    try:
        open_store(options.config).load(needs_routes=True)
    except ConfigError as error:
        print(*error.problems, "attention: the folder cannot be used as it is now", sep="\n", file=sys.stderr)
        return 1
    return 0
