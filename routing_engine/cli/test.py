"""`routing-engine test`: the examples that stand beside the rules, and the rules that none of them proves."""

from __future__ import annotations

import argparse

from routing_engine.cli.common import Commands, add_command, misuse, paint, print_json
from routing_engine.errors import Problem
from routing_engine.marked import suggest
from routing_engine.service import open_store


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "test", "run the routes' examples; report rules that no example proves")
    parser.add_argument("routes", nargs="*", metavar="ROUTE", help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load the folder, which runs every example: a broken one is a problem like any other, and gives 1."""
    found = open_store(options.config).load()
    unknown = [name for name in options.routes if name not in found.routes]
    if unknown:
        return misuse(f"there is no route '{unknown[0]}'; {suggest(unknown[0], found.routes)}")
    names = options.routes or list(found.routes)
    remarks = [one for one in found.remarks if any(one.file == f"routes/{name}.yaml" for name in names)]
    if options.json:
        print_json({name: [example.name for example in found.examples[name]] for name in names})
        return 0
    for name in names:
        for example in found.examples[name]:
            print(f"{paint('holds', 'good')}  {name}: {example.name}")
    _print_remarks(remarks)
    count = sum(len(found.examples[name]) for name in names)
    print(f"{count} examples hold")
    return 0


def _print_remarks(remarks: list[Problem]) -> None:
    for remark in remarks:
        print(paint(str(remark), "dim"))
