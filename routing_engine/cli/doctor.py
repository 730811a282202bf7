"""`routing-engine doctor`: whether all is well, and who must do what where it is not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from routing_engine.asterisk.console import AsteriskConsole
from routing_engine.cli.common import print_json
from routing_engine.cli.examination import ENGINE, Finding, Folder, show
from routing_engine.cli.examine_asterisk import look_at_asterisk
from routing_engine.cli.examine_hub import look_at_hub


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--asterisk", default="asterisk", metavar="PROGRAM", help="what takes -rx (default: asterisk)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, tells_refusal=False)


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 when somebody must act."""
    found = list(examine(options))
    if options.json:
        print_json({"findings": [one.as_json() for one in found]})
    else:
        show(found)
    return 1 if any(one.state == "act" for one in found) else 0


def examine(options: argparse.Namespace) -> Iterator[Finding]:
    """Yield all that was found."""
    folder = Folder(options.config)
    for look in ENGINE:
        yield from look(folder)
    yield from look_at_hub(folder)
    yield from look_at_asterisk(folder, AsteriskConsole(options.asterisk))
