"""`routing-engine test`: the examples that stand beside the rules, and the rules that none of them proves."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.config.examples import Example
from routing_engine.engine import open_store
from routing_engine.errors import Problem
from routing_engine.settings.yaml_reader import suggest


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("routes", nargs="*", metavar="ROUTE", help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the examples; 1 when one fails."""
    # Loading plays the examples: what fails is among the results here, and would refuse a reload.
    found = open_store(options.config).load(examples=False)
    unknown = [name for name in options.routes if name not in found.routes]
    if unknown:
        return misuse(f"there is no route '{unknown[0]}'; {suggest(unknown[0], found.routes)}")
    names = options.routes or list(found.routes)
    remarks = [one for one in found.remarks if _route_of(one) in names]
    results = [_result(name, example, found.failing) for name in names for example in found.examples[name]]
    if options.json:
        print_json({"examples": [*map(asdict, results)], "remarks": [*map(asdict, remarks)]})
    else:
        _print(results, remarks)
    return int(any(one.failures for one in results))


def _route_of(problem: Problem) -> str:
    return Path(problem.file).stem if problem.file.startswith("routes/") else ""


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """One example, as `--json` prints it: it holds where there are no `failures`."""

    route: str
    name: str
    failures: list[str]


def _result(route: str, example: Example, failing: Iterable[Problem]) -> ExampleResult:
    failures = [str(one) for one in failing if _route_of(one) == route and one.line == example.line]
    return ExampleResult(route, example.name, failures)


def _print(results: list[ExampleResult], remarks: list[Problem]) -> None:
    for one in results:
        word = paint("FAILS", "bad") if one.failures else paint("holds", "good")
        print(f"{word}  {one.route}: {one.name}", *one.failures, sep="\n       ")
    for remark in remarks:
        print(paint(f"{remark} (a remark)", "dim"))
    failed = sum(bool(one.failures) for one in results)
    holds = len(results) - failed
    said = f"{holds} example holds" if holds == 1 else f"{holds} examples hold"
    print(f"{said}, {failed} {'fails' if failed == 1 else 'fail'}" if failed else said)
