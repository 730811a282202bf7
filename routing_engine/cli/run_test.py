"""`routing-engine run-test`: where would this call go, and why?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, time, tzinfo
from pathlib import Path
from types import MappingProxyType

from routing_engine.cli.common import add_variables, misuse, paint, pair, print_json
from routing_engine.cli.in_force import load_for_tools
from routing_engine.cli.record import about_of, print_record
from routing_engine.config.canned import live_operand, read_records, state_of
from routing_engine.config.last_good import Refusal
from routing_engine.config.store import Configuration
from routing_engine.core.caller import read_moment
from routing_engine.core.destinations import say_destination
from routing_engine.core.model import Caller, Decision, Destination, Json, Operand, TrailStep, Value
from routing_engine.core.redact import visible
from routing_engine.dry_run import DryCall, DryRun, dry_run
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
    taken = assumed(configuration, caller, records=call.records is not None)
    if options.json:
        print_json({**as_json(found), "last_good": _as_json(refusal), "assumed": dict(taken)})
    else:
        _print(found, about_of(configuration, found.decision))
        print("\nTaken for granted")
        for name, value in taken:
            print(f"  {name:<15} {value}")
    return 0 if found.decision.reason == "matched" else 1


def assumed(configuration: Configuration, caller: Caller, records: bool) -> list[tuple[str, str]]:
    """Return what the test took for granted: who calls as it was read, where and when, each calendar, whom it asked."""
    settings = configuration.settings
    number = caller.number.e164 if caller.number is not None else "hidden"
    states = ((name, found.state(caller.at)) for name, found in settings.site.calendars.items() if name)
    return [
        ("caller", number),
        ("country", settings.region or "none: a number without + is taken as it is"),
        ("time", f"{caller.at:%a %Y-%m-%d %H:%M %Z}"),
        *((f"calendar {name}", state) for name, state in states),
        ("sources", "the answers of --records" if records else "asked just now"),
    ]


def _as_json(refusal: Refusal | None) -> dict[str, Json] | None:
    if refusal is None:
        return None
    return {
        "revision": refusal.revision,
        "since": refusal.since.isoformat(timespec="seconds"),
        "problems": [str(one) for one in refusal.problems],
    }


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
        _at(options.at, configuration.settings.timezone),
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
        # A time of day stays one here: which day is today, only the site's zone can say, and that is not read yet.
        return time.fromisoformat(text) if len(text) <= 8 else read_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time; write 2026-12-24T18:00 or 18:00") from error


def _at(moment: datetime | time | None, zone: tzinfo | None) -> datetime | None:
    """Return the moment of the call; a time of day alone is today, by the calendar of the site."""
    if not isinstance(moment, time):
        return moment
    today = datetime.now(moment.tzinfo or zone).date()
    return datetime.combine(today, moment)


def _place(to: Destination) -> dict[str, Json]:
    return {name: value for name, value in asdict(to).items() if value is not None}


def _state(text: str) -> tuple[Operand, Value]:
    name, value = pair(text)
    try:
        left = live_operand(name)
        # Only the first comma parts: what follows is a date, and the reader says what it thinks of another one.
        return left, state_of(left, tuple(value.split(",", 1)) if left.scope == "last_agent" else value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def as_json(found: DryRun) -> dict[str, Json]:
    """Return a dry run in the shape of the contract, section 4."""
    decision = found.decision
    to, record = decision.destination, decision.record
    return {
        "route": decision.route,
        "revision": decision.revision,
        "reason": decision.reason,
        "rule": decision.rule or None,
        "destination": None if to is None else _place(to),
        "chain": [_place(one) for one in decision.chain],
        "play": [str(sound) for sound in decision.play],
        "source": decision.source or None,
        "record": None if record is None else dict(record.fields),
        "record_url": record.url if record is not None and record.url else None,
        "variables": dict(found.variables),
        "trail": [{"step": one.step, "outcome": one.outcome, "took_ms": _ms(one)} for one in decision.trail],
        "played": list(found.played),
    }


def _ms(step: TrailStep) -> float | None:
    # Nobody compares microseconds, and whole milliseconds would make nothing of most steps.
    return None if step.took_ms is None else round(step.took_ms, 1)


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
