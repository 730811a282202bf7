"""`routing-engine activate`: let a change that waits have some callers, a share of all, everybody; or take it back."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime

from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.cli.kept import who_commands
from routing_engine.config import activation
from routing_engine.config.in_force import InForce
from routing_engine.config.revisions import Revisions
from routing_engine.config.tell_trial import trial_json, trial_lines
from routing_engine.config.trial_callers import read_callers
from routing_engine.core.redact import visible
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%?\Z", re.ASCII)
_ONE_THING = "write --callers, --share or both, or one of --all, --back and --status"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    callers = "numbers, or names of lists of engine.yaml: their calls have it; a comma between them"
    parser.add_argument("--callers", action="append", metavar="LIST", help=callers)
    parser.add_argument(
        "--share", metavar="PERCENT", help="so many of a hundred callers have it, each at every call: 10%%"
    )
    parser.add_argument("--all", action="store_true", help="put it in force, for everybody")
    parser.add_argument("--back", action="store_true", help="nobody has it any more; what is in force stays")
    parser.add_argument("--status", action="store_true", help="show what waits, who has it, and how its calls do")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, tells_refusal=False)


def run(options: argparse.Namespace) -> int:
    """Do what is asked, and show what is so then; 1 where nothing waits."""
    kept, now = Revisions(options.config), datetime.now(UTC)
    tries = options.callers is not None or options.share is not None
    if tries + options.all + options.back + options.status > 1:
        return misuse(_ONE_THING)
    if tries:
        share = None if options.share is None else _share_of(options.share)
        if share is not None and not 0 <= share <= 100:
            return misuse(f"'{options.share}' is no share: write a number from 0 to 100, such as 10%")
        callers = None if options.callers is None else _callers(options, kept)
        activation.try_out(kept, who_commands(), now, callers, share)
    elif options.all:
        activation.put_in_force(kept, who_commands(), now)
    elif options.back:
        activation.take_back(kept, who_commands(), now)
    return _show(options, kept, kept.standing.read(), tries or options.all or options.back)


def _share_of(text: str) -> float:
    found = _SHARE.match(text.strip())
    return float(found[1]) if found is not None else -1.0


def _callers(options: argparse.Namespace, kept: Revisions) -> tuple[str, ...]:
    """Read callers, with the lists that the folder has. Raises `RevisionError`."""
    try:
        settings = open_store(options.config).load(examples=False).settings
    except ConfigError:  # the folder was broken since: a number needs no list
        return read_callers(options.callers, {}, "")
    return read_callers(options.callers, settings.site.lists, settings.region)


def _show(options: argparse.Namespace, kept: Revisions, found: InForce | None, changed: bool) -> int:
    if options.json:
        print_json(trial_json(kept, found))
        return 0
    for name, text in trial_lines(kept, found):
        print(f"{name:<10} {paint(visible(text), 'bold') if name == 'waits' else visible(text)}")
    if changed:
        print("a running engine does so within two seconds; calls under way end as they began")
    return 0
