"""`routing-engine pbx`: the Asterisks whose calls are followed, and what each must allow."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from routing_engine.cli.common import misuse, print_json
from routing_engine.cli.examination import Finding, show
from routing_engine.engine import open_store
from routing_engine.settings.pbx import Pbx


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("action", metavar="ACTION", choices=["check"], help="check: try it, and name what is missing")
    parser.add_argument("name", metavar="NAME", help="the name of its file in pbxs/")
    parser.add_argument("--asterisk", default="asterisk", metavar="PROGRAM", help="what takes -rx (default: asterisk)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Try a PBX; 1 when somebody must act, 2 when there is none of that name."""
    pbxs = open_store(options.config).load_people().pbxs
    if options.name not in pbxs:
        known = f"there is {', '.join(sorted(pbxs))}" if pbxs else "there is none: write pbxs/NAME.yaml"
        return misuse(f"there is no PBX '{options.name}' in {options.config}; {known}")
    found = asyncio.run(_look_at(pbxs[options.name], options.config, options.asterisk))
    if options.json:
        print_json({"findings": [one.as_json() for one in found]})
    else:
        show(found)
    return 1 if any(one.state == "act" for one in found) else 0


async def _look_at(pbx: Pbx, folder: Path, program: str) -> list[Finding]:
    if pbx.keys.ami is None:
        sentence = f"the engine beside it follows it: the edge '{pbx.keys.edge}'"
        return [Finding("edge", "unknown", sentence, f"call 'routing-engine pbx check {pbx.name}' there")]
    # late: `pbx --help` needs no protocol
    from routing_engine.asterisk.console import AsteriskConsole  # late: with what asks
    from routing_engine.cli.examine_pbx import check_pbx  # late: with what asks

    return [finding async for finding in check_pbx(pbx, folder, AsteriskConsole(program).ask)]
