"""`routing-engine calls`: one a line, the newest first; to their end where a PBX is followed, decisions elsewhere."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from routing_engine.calls.call import CallOutcome, Direction
from routing_engine.calls.requests import CallQuery
from routing_engine.cli.common import misuse, print_table, row_count
from routing_engine.cli.followed import find_followed, hint, list_followed
from routing_engine.cli.journal import (
    KEPT_MASKED,
    JournalPlace,
    add_options,
    as_json,
    exit_on_journal_error,
    find_journal,
    read_moment,
    where,
)
from routing_engine.core.model import Reason
from routing_engine.core.phone import read_number
from routing_engine.journal.stored_call import CallFilter, StoredCall, mask_call

#: Columns of the table; the last is as long as it likes.
_HEAD = ("arrived", "call", "caller", "dialled", "route", "reason", "took", "went to")
_WIDEST = 28


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--route", default="", metavar="R", help="only calls of this route")
    parser.add_argument("--since", default="", metavar="TIME", help="arrived then or later: 2h, 7d, 10:30, 2026-11-20")
    parser.add_argument("--until", default="", metavar="TIME", help="arrived before then; a day alone is included")
    parser.add_argument(
        "--reason", default="", choices=(*get_args(Reason), "abandoned"), metavar="REASON", help="only with this reason"
    )
    parser.add_argument("--rule", default="", metavar="RULE", help="only calls decided by this rule")
    parser.add_argument("--caller", default="", metavar="N", help="only calls of this number")
    parser.add_argument("--user", default=None, metavar="USER", help="only calls that rang at this user's")
    parser.add_argument("--outcome", default=None, choices=get_args(CallOutcome), metavar="OUTCOME", help="only these")
    parser.add_argument("--direction", default=None, choices=get_args(Direction), metavar="WAY", help="only these")
    parser.add_argument(
        "--decisions", action="store_true", help="what the engine decided, also where PBXs are followed"
    )
    parser.add_argument("--limit", type=row_count, default=50, metavar="COUNT", help="at most so many (default: 50)")
    add_options(parser)
    parser.set_defaults(run=exit_on_journal_error(run))


def run(options: argparse.Namespace) -> int:
    """List the calls that fit."""
    from routing_engine.journal import reader  # late: SQLAlchemy

    place = find_journal(options, key=bool(options.caller))
    try:
        wanted = _wanted(options, place)
    except ValueError as error:
        return misuse(str(error))
    if not (options.decisions or wanted.route or wanted.reason or wanted.rule):
        followed = find_followed(place.calls, _query(options, wanted))
        if followed is not None:
            calls_followed, more = followed
            list_followed(calls_followed, options, place)
            hint(calls_followed, more, options.limit)
            return 0
    with reader.open_to_read(place.database) as connection:
        calls = reader.list_calls(connection, wanted, place.privacy)
    more, calls = len(calls) > options.limit, calls[: options.limit]
    if not options.plain:
        calls = [mask_call(call, place.region) for call in calls]
    if options.json:
        for call in calls:
            # A line each, for `jq` and for files that grow: no list that must be closed.
            print(json.dumps(as_json(call), ensure_ascii=False))
    else:
        _print(calls)
    _hint(options, calls, more)
    return 0


def _wanted(options: argparse.Namespace, place: JournalPlace) -> CallFilter:
    # `--since 1h` and `today` mean the site's clock, wherever the command runs.
    now = datetime.now(place.zone) if place.zone is not None else datetime.now().astimezone()
    since = read_moment(options.since, now, place.zone) if options.since else None
    until = read_moment(options.until, now, place.zone, end=True) if options.until else None
    caller = read_number(options.caller, place.region) if options.caller else None
    if options.caller and caller is None:
        raise ValueError(f"'{options.caller}' is not a telephone number")
    return CallFilter(
        # One more than is shown: so it is known whether there are others, without counting them.
        options.route,
        options.reason,
        options.rule,
        _ms(since),
        _ms(until),
        caller,
        limit=options.limit + 1,
    )


def _query(options: argparse.Namespace, wanted: CallFilter) -> CallQuery:
    return CallQuery(
        None if wanted.since_ms is None else wanted.since_ms / 1000,
        None if wanted.until_ms is None else wanted.until_ms / 1000,
        options.user,
        None if wanted.caller is None else wanted.caller.e164,
        options.outcome,
        options.direction,
        limit=options.limit,
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _print(calls: Sequence[StoredCall]) -> None:
    if calls:
        print_table(_HEAD, [_row(call) for call in calls], _WIDEST)


def _row(call: StoredCall) -> tuple[str, ...]:
    to = f"{where(call)}, by rule '{call.rule}'" if call.rule else where(call)
    at, took = f"{call.at:%Y-%m-%d %H:%M:%S}", f"{call.took_ms:.0f} ms"
    return at, call.call_id, call.caller, call.called, call.route, call.reason or call.ended, took, to


def _hint(options: argparse.Namespace, calls: Sequence[StoredCall], more: bool) -> None:
    if not calls:
        print("the journal has no such call", file=sys.stderr)
    if more:
        print(f"these are the newest {options.limit}; --limit shows more", file=sys.stderr)
    if options.plain and any(call.numbers != "plain" for call in calls):
        print(KEPT_MASKED, file=sys.stderr)
    if options.caller and any(call.numbers == "masked" for call in calls):
        print("masked numbers show three digits: some of these may be of other callers", file=sys.stderr)
