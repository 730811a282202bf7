"""`routing-engine check`: every problem of every file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sized
from dataclasses import asdict
from pathlib import Path

from routing_engine.cli.common import paint, print_json
from routing_engine.cli.examination import Finding, Folder, show
from routing_engine.config.lint.strays import strays
from routing_engine.config.store import Configuration
from routing_engine.core.model import Json
from routing_engine.engine import file_findings, open_store, unspoken
from routing_engine.errors import ConfigError, Problem


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--asterisk", action="store_true", help="look into Asterisk as well, as doctor does")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the folder, and the tables that calls read; 1 when one cannot be used. Remarks are no faults."""
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    summary, revision = "", ""
    verdict = "each call that asks there finds the source down"
    try:
        # An example that fails is a problem, and hides no remark.
        found = open_store(options.config).load(examples=False, needs_routes=True)
        files = file_findings(found).values()
        # Two integrations may read one file.
        faults = {fault for one in files for fault in one.faults}
        problems, revision = tuple(sorted({*faults, *_in_databases(found), *found.failing})), found.revision
        verdict = "this configuration cannot be used" if found.failing else verdict
        of_files = dict.fromkeys(remark for one in files for remark in one.remarks)
        remarks = (*found.remarks, *unspoken(found), *of_files, *strays(options.config))
        summary = f"{_count(found.routes, 'route')}, {_count(found.integrations, 'integration')}, revision {revision}"
    except ConfigError as error:
        problems = error.problems
        verdict = "this configuration cannot be used"
    findings = _in_asterisk(options)
    if options.json:
        told = [one.as_json() for one in findings] if options.asterisk else None
        found_there: dict[str, Json] = {"problems": [*map(asdict, problems)], "remarks": [*map(asdict, remarks)]}
        print_json({**found_there, "revision": revision, "findings": told})
    else:
        _print(problems, remarks, verdict if problems else summary)
        show(findings)
    return 1 if problems or any(one.state == "act" for one in findings) else 0


def _in_databases(found: Configuration) -> Iterator[Problem]:
    """Yield what queries name that is not in their SQLite file. Servers are not asked."""
    every = {name: one for name, one in found.integrations.items() if one.provider == "sql" and not one.unusable}
    if not every:
        return
    from routing_engine.cli.connection import check_connection  # late: few sites have such a file
    from routing_engine.providers.sql.settings import SqlSettings

    for name, one in every.items():
        if isinstance(one.settings, SqlSettings) and isinstance(one.settings.place, Path):
            result = check_connection(one, found.settings)
            if not result.fine:
                yield Problem(f"integrations/{name}.yaml", 0, result.sentence, result.remedy.rstrip("."))


def _in_asterisk(options: argparse.Namespace) -> list[Finding]:
    if not options.asterisk:
        return []
    from routing_engine.asterisk.console import AsteriskConsole  # late: only who asks for it needs it
    from routing_engine.cli.examine_asterisk import look_at_asterisk

    return list(look_at_asterisk(Folder(options.config), AsteriskConsole()))


def _print(problems: tuple[Problem, ...], remarks: tuple[Problem, ...], verdict: str) -> None:
    for problem in problems:
        print(problem)
    for remark in remarks:
        print(paint(f"{remark} (a remark)", "dim"))
    if problems:
        print(paint(f"{_count(problems, 'problem')}: {verdict}", "bad"))
    else:
        print(paint(f"fine: {verdict}", "good"))


def _count(found: Sized, word: str) -> str:
    number = len(found)
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
