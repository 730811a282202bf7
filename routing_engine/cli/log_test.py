"""`routing-engine integrations log-test`: one call's entry, shown as the requests that write it, or really written."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

from routing_engine.calls.call import Call, CallContact, Note
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import CallLog, EntryUser, LogEntry, LogsCalls, Rehearses, ShownRequest
from routing_engine.cli.common import misuse
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.core.redact import escaped
from routing_engine.engine import open_provider
from routing_engine.errors import ProviderError
from routing_engine.settings.call_log import CallLogKeys
from routing_engine.settings.integration import Integration

#: Reserved for fiction: a test must not name anybody's number.
_NUMBER, _OURS = "+12025550100", "+12025550199"
_PATIENCE_S = 60.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("--record", default="", metavar="MODEL:ID", help="whom the call was with: contact:101")
    parser.add_argument("--user", default="", metavar="ID", help="who took it, as the system calls them")
    parser.add_argument("--caller", default=_NUMBER, metavar="N", help="the number (default: one of nobody)")
    parser.add_argument("--kind", default="inbound.answered", metavar="KIND", help="inbound.missed, outbound.busy, ...")
    parser.add_argument("--really", action="store_true", help="write one entry, instead of showing the requests")


def run(options: argparse.Namespace, integration: Integration, settings: EngineSettings) -> int:
    """Show the requests, or write the entry; 1 when it was refused."""
    model, _, number = options.record.partition(":")
    if options.record and (model not in integration.models or not number):
        return misuse(
            f"'{options.record}' is no record; write one of {', '.join(integration.models)}, a colon and its id"
        )
    direction, _, outcome = options.kind.partition(".")
    if direction not in ("inbound", "outbound", "internal") or not outcome:
        return misuse(f"no call is '{options.kind}'; write for example --kind inbound.missed")
    entry = _entry(options, integration, settings)
    return asyncio.run(_run(replace(integration, mirror=None), settings, entry, options.really))


def _entry(options: argparse.Namespace, integration: Integration, settings: EngineSettings) -> LogEntry:
    model, _, number = options.record.partition(":")
    direction, _, outcome = options.kind.partition(".")
    found = CallContact("found", integration.name, model, number, fields={"id": number}) if number else None
    began = time.time() - 60
    other, ours = ("from_", "to") if direction == "inbound" else ("to", "from_")
    call = Call(str(uuid.uuid4()), "test", "", direction, began, outcome=outcome, contact=found, state="ended")
    call = replace(call, ended_at=began + 60, duration_s=60.0, **{other: options.caller, ours: _OURS})
    if outcome == "answered":
        call = replace(call, talk_s=50.0)
    call = replace(call, notes=(Note(began + 60, "routing-engine", "A test entry; delete it."),))
    log = integration.log or CallLogKeys()
    link = settings.pages.page_of(call.id) if log.link else ""
    return entry_of(call, log.subject(direction, outcome), settings.timezone, EntryUser(options.user), link)


async def _run(integration: Integration, settings: EngineSettings, entry: LogEntry, really: bool) -> int:
    provider = open_provider(integration, settings)
    try:
        log = provider.call_log() if isinstance(provider, LogsCalls) else None
        if log is None:
            return misuse(f"'{integration.name}' cannot write calls: its provider has no log_call")
        return await _write(log, entry) if really else _show(log, entry)
    except ProviderError as error:
        print(f"refused: {escaped(str(error))}")
        return 1
    finally:
        await provider.close()


async def _write(log: CallLog, entry: LogEntry) -> int:
    async with asyncio.timeout(_PATIENCE_S):
        made = await log.log(entry)
    print(escaped(f"written: {made.id}{f' {made.url}' if made.url else ''}"))
    return 0


def _show(log: CallLog, entry: LogEntry) -> int:
    shown = log.rehearse(entry) if isinstance(log, Rehearses) else ()
    for one in shown:
        print("\n".join(escaped(line) for line in _lines(one)))
    if not shown:
        print("nothing is sent: there is no place for such a call; name a record with --record MODEL:ID")
    return 0 if shown else 1


def _lines(one: ShownRequest) -> Iterator[str]:
    yield f"{one.method} {one.url}"
    yield from (f"  {name}: {value}" for name, value in one.headers.items())
    try:
        body = json.dumps(json.loads(one.body), ensure_ascii=False, indent=2)
    except ValueError:
        body = one.body
    yield from (f"  {line}" for line in body.splitlines())
