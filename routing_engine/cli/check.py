"""`routing-engine check`: every problem of every file."""

from __future__ import annotations

import argparse
from collections.abc import Sized
from dataclasses import asdict

from routing_engine.cli.common import Commands, add_command, paint, print_json
from routing_engine.engine import open_store, unspoken
from routing_engine.errors import ConfigError, Problem


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "check", "print every problem of every file: file:line: sentence; remedy")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the folder; 1 when it cannot be used. Remarks are no faults."""
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    summary, revision = "", ""
    try:
        found = open_store(options.config).load(needs_routes=True)
        remarks, revision = (*found.remarks, *unspoken(found)), found.revision
        summary = f"{_count(found.routes, 'route')}, {_count(found.integrations, 'integration')}, revision {revision}"
    except ConfigError as error:
        problems = error.problems
    if options.json:
        print_json({"problems": [*map(asdict, problems)], "remarks": [*map(asdict, remarks)], "revision": revision})
    else:
        _print(problems, remarks, summary)
    return 1 if problems else 0


def _print(problems: tuple[Problem, ...], remarks: tuple[Problem, ...], summary: str) -> None:
    for problem in problems:
        print(problem)
    for remark in remarks:
        print(paint(f"{remark} (a remark)", "dim"))
    if problems:
        print(paint(f"{_count(problems, 'problem')}: this configuration cannot be used", "bad"))
    else:
        print(paint(f"fine: {summary}", "good"))


def _count(found: Sized, word: str) -> str:
    number = len(found)
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
