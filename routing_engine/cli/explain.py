"""`routing-engine explain`: one call as a person tells it: the decision, and the call to its end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence

from routing_engine.calls.as_json import call_json
from routing_engine.calls.call import Call
from routing_engine.cli.common import paint, print_json
from routing_engine.cli.followed import ids_of, masked, tell_followed, with_id
from routing_engine.cli.journal import (
    KEPT_MASKED,
    JournalPlace,
    add_options,
    as_json,
    exit_on_journal_error,
    find_journal,
    where,
)
from routing_engine.core.destinations import say_destination
from routing_engine.core.model import Json
from routing_engine.journal.stored_call import StoredCall, StoredStep, mask_call

_NOT_PLAYED = "could not be played: "


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "call_id", metavar="CALL_ID", help="the call's id: call_id in the log, uniqueid in Asterisk, or ours"
    )
    add_options(parser)
    parser.set_defaults(run=exit_on_journal_error(run))


def run(options: argparse.Namespace) -> int:
    """Tell every call that has this id; 1 when there is none."""
    place = find_journal(options)
    followed = with_id(place.calls, options.call_id)
    calls = _decisions(place, {options.call_id}.union(*map(ids_of, followed)), bool(followed))
    if not options.plain:
        calls = [mask_call(call, place.region) for call in calls]
        followed = [masked(call) for call in followed]
    if options.json:
        print_json(_for_programs(calls, followed))
    else:
        told = [*map(tell, calls), *(tell_followed(call, place.zone) for call in followed)]
        print("\n\n".join(told), end="\n" if told else "")
    if options.plain and any(call.numbers != "plain" for call in calls):
        print(KEPT_MASKED, file=sys.stderr)
    if not (calls or followed):
        print("the journal has no such call; 'routing-engine calls --since 1h' lists the last ones", file=sys.stderr)
    return 0 if calls or followed else 1


def _decisions(place: JournalPlace, call_ids: Collection[str], followed: bool) -> list[StoredCall]:
    """Return what the journal has of these ids, the oldest first."""
    from routing_engine.journal import reader  # late: SQLAlchemy

    if followed and place.left_out:
        return []
    with reader.open_to_read(place.database) as connection:
        found = [call for call_id in call_ids for call in reader.find_call(connection, call_id)]
    return sorted(found, key=lambda call: (call.at, call.id))


def _for_programs(calls: Sequence[StoredCall], followed: Sequence[Call]) -> list[dict[str, Json]]:
    """Return a decision each, with the call that it was made for; and the calls that nobody decided."""
    of_id = {call_id: one for one in followed for call_id in ids_of(one)}
    decided = [{**as_json(call), "call": _json_of(of_id.get(call.call_id))} for call in calls]
    mine = {id(of_id[call.call_id]) for call in calls if call.call_id in of_id}
    return [*decided, *({"call": _json_of(one)} for one in followed if id(one) not in mine)]


def _json_of(call: Call | None) -> Json:
    return None if call is None else call_json(call)


def tell(call: StoredCall) -> str:
    """Return a call in some lines."""
    dialled = f" dialled {call.called}" if call.called else " called"
    language = f", language {call.language}" if call.language else ""
    lines = [
        paint(f"{_outcome(call)}", "good" if call.reason == "matched" else "bold"),
        f"  call      {call.call_id}, {call.at:%Y-%m-%d %H:%M:%S%z}",
        f"  caller    {call.caller}{dialled}{language}",
        f"  route     {call.route}" + (f", revision {call.revision}" if call.revision else ""),
        *_details(call),
        f"  took      {_times(call)}",
    ]
    if call.trail:
        lines += ["", "Trail", *map(_step, call.trail)]
    return "\n".join(lines)


def _outcome(call: StoredCall) -> str:
    if call.ended == "abandoned":
        return f"abandoned: {call.why}"
    by = f", by rule '{call.rule}' of {call.source or 'the route'}" if call.rule else ""
    engine = "; the engine decided, not the route" if call.ended == "fallback" else ""
    return f"{where(call)}{by} ({call.reason}){engine}"


def _times(call: StoredCall) -> str:
    heard = f"; {call.waited_ms:.0f} ms of it waiting for look-ups" if call.waited_ms >= 1 else ""
    silence = f"; at the longest {call.silence_ms:.0f} ms of silence" if call.silence_ms >= 1 else ""
    return f"{call.took_ms:.0f} ms{heard}{silence}"


def _details(call: StoredCall) -> list[str]:
    """Return the lines that not every call has."""
    # What the dialplan was told to try next; whether it did, the engine does not see.
    lines = [f"  then      {say_destination(one)}, if not taken" for one in call.chain]
    if call.source:
        lines.append(f"  source    {call.source}")
    if call.record_id or call.record_url or call.record_fields:
        # Live answers are the rule; only what is not live is worth a word.
        origin = f" ({call.record_origin})" if call.record_origin != "live" else ""
        lines.append(f"  record    {' '.join(filter(None, (call.record_id, call.record_url))) or 'without id'}{origin}")
        lines.append(f"  fields    {', '.join(call.record_fields)}")
    if call.played:
        outcomes = (step.outcome for step in call.trail if step.outcome.startswith(_NOT_PLAYED))
        missing = {sound for one in outcomes for sound in one.removeprefix(_NOT_PLAYED).split(", ")}
        told = (f"{one} (not heard: Asterisk has no such sound)" if one in missing else one for one in call.played)
        lines.append(f"  played    {', '.join(told)}")
    if call.sets:
        lines.append(f"  set       {', '.join(call.sets)}")
    return lines


def _step(step: StoredStep) -> str:
    # What took no time of its own would fill the lines with `0 ms`.
    took = paint(f"  ({step.took_ms:.0f} ms)", "dim") if step.took_ms is not None and step.took_ms >= 1 else ""
    return f"  {step.step}: {step.outcome}{took}"
