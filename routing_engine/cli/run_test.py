"""`routing-engine run-test`: where would this call go, and why?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, time
from pathlib import Path
from types import MappingProxyType

from routing_engine.cli.common import add_variables, misuse, paint, pair, print_json
from routing_engine.cli.in_force import load_for_tools
from routing_engine.cli.record import about_of, print_record
from routing_engine.config.canned import live_operand, read_records, state_of
from routing_engine.config.store import Configuration
from routing_engine.core.caller import read_when
from routing_engine.core.destinations import say_destination
from routing_engine.core.model import Decision, Operand, Value
from routing_engine.core.redact import visible
from routing_engine.dry_run import DryCall, DryRun, assumed, dry_run, dry_run_json, moment_of
from routing_engine.rehearsal import caller_of
from routing_engine.settings.integration import FieldInfo
from routing_engine.settings.yaml_reader import Problems, suggest


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("route", metavar="ROUTE")
    parser.add_argument("--caller", default="anonymous", metavar="N", help="the caller's number, or 'anonymous'")
    parser.add_argument(
        "--input",
        nargs="+",
        action="extend",
        default=[],
        type=_keys,
        metavar="D",
        help="what is typed each time; '' is silence",
    )
    parser.add_argument(
        "--caller-name", default="", metavar="TEXT", help="the caller's name, as the telephone sends it"
    )
    parser.add_argument("--called", default="", metavar="DID", help="the number that was dialled")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="when: 2026-12-24T18:00, or 18:00 for today")
    parser.add_argument("--language", default="", help="the channel's language")
    add_variables(parser)
    _add_answers(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, tells_refusal=False)  # it says so itself, with the problems


def _add_answers(parser: argparse.ArgumentParser) -> None:
    """Add what is put in place of the telephone system's answers and the sources'."""
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        type=_state,
        metavar="NAME=VALUE",
        help="a live state: device.200=busy, queue.sales.waiting=3, call.attestation=A, last_agent=200,2026-11-02",
    )
    parser.add_argument(
        "--records", type=Path, metavar="FILE", help="canned answers by source instead of the real ones"
    )


def run(options: argparse.Namespace) -> int:
    """Try the call; 0 when a rule matched, 1 otherwise."""
    configuration, refusal = load_for_tools(options.config)
    for problem in configuration.failing:
        print(problem, file=sys.stderr)
    if options.route not in configuration.routes:
        return misuse(f"there is no route '{options.route}'; {suggest(options.route, configuration.routes)}")
    call = _call(options, configuration)
    if call is None:
        return 1
    caller = caller_of(configuration.settings, call)
    if caller.unread:
        return misuse(f"--caller: '{visible(caller.unread)}' is not a telephone number; write one, or 'anonymous'")
    found = asyncio.run(dry_run(configuration, call))
    if options.json:
        print_json(dry_run_json(configuration, call, found, refusal))
    else:
        _print(found, about_of(configuration, found.decision))
        print("\nTaken for granted")
        for name, value in assumed(configuration, caller, records=call.records is not None):
            print(f"  {name:<15} {value}")
    return 0 if found.decision.reason == "matched" else 1


def _call(options: argparse.Namespace, configuration: Configuration) -> DryCall | None:
    """Return the call to try; None, with the problems printed, when the canned records cannot be read."""
    records = None
    if options.records is not None:
        notes = Problems(str(options.records))
        try:
            text = options.records.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            notes.note(0, f"the file cannot be read: {error}", "write the answers by source: customers: {tier: gold}")
        else:
            records = read_records(text, notes)
            _note_unknown(records, notes, configuration)
        if notes.problems:
            print(*notes.problems, sep="\n", file=sys.stderr)
            return None
    return DryCall(
        options.route,
        options.caller,
        options.caller_name,
        options.called,
        tuple(options.input),
        options.language,
        moment_of(options.at, configuration.settings.timezone),
        dict(options.variable),
        records,
        dict(options.state),
    )


def _note_unknown(records: Iterable[str], notes: Problems, configuration: Configuration) -> None:
    # Of all routes, not of this one: a call may go on with another.
    known = {source.name for route in configuration.routes.values() for source in route.sources}
    for name in records:
        if name not in known:
            notes.note(0, f"no route has the source '{name}'", suggest(name, known))


def _keys(text: str) -> str:
    if set(text) - set("0123456789*#ABCD"):
        raise argparse.ArgumentTypeError(f"'{text}' cannot be typed on a telephone; write digits, * and #")
    return text


def _moment(text: str) -> datetime | time:
    try:
        return read_when(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time; write 2026-12-24T18:00 or 18:00") from error


def _state(text: str) -> tuple[Operand, Value]:
    name, value = pair(text)
    try:
        left = live_operand(name)
        # Only the first comma parts: what follows is a date, and the reader says what it thinks of another one.
        return left, state_of(left, tuple(value.split(",", 1)) if left.scope == "last_agent" else value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _print(found: DryRun, about: Mapping[str, FieldInfo] = MappingProxyType({})) -> None:
    decision = found.decision
    print(paint(where(decision), "good" if decision.reason == "matched" else "bold"))
    for one in decision.chain:
        print(f"  if not taken    {say_destination(one)}")
    if decision.play:
        print(f"  after playing   {', '.join(map(str, decision.play))}")
    for name, value in decision.sets:
        print(f"  setting         {name} = {visible(value)}")
    if decision.record is not None:
        print_record(decision.record, decision.source, about, "; --json has all")
    print("\nTrail")
    for step in decision.trail:
        took = paint(f"  ({step.took_ms:.0f} ms)", "dim") if step.took_ms is not None and step.took_ms >= 1 else ""
        print(f"  {step.step}: {step.outcome}{took}")


def where(decision: Decision) -> str:
    """Return a decision in one line: `queue vip, by rule 'gold customers' of customers (matched)`."""
    place = say_destination(decision.destination) or "nowhere"
    by = f", by rule '{decision.rule}' of {decision.source or 'the route'}" if decision.rule else ""
    return f"{place}{by} ({decision.reason})"
