"""A call without a telephone: the same core, the same look-ups, nobody rings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from routing_engine.channels.dry import DryChannel
from routing_engine.config.canned import Canned
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.store import Configuration
from routing_engine.core.model import Caller, Decision, Find, Found, Operand, SourceDown, Value
from routing_engine.core.phone import read_number
from routing_engine.engine import new_call, open_provider, search
from routing_engine.providers.answers.records import page_url
from routing_engine.settings.integration import Integration


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a call would have come to: the decision, the dialplan variables, every sound in order."""

    decision: Decision
    variables: Sequence[tuple[str, str]]
    played: Sequence[str]


@dataclass(frozen=True, slots=True)
class DryCall:
    """A call to try.

    `at` is the moment, None is now; `records` are canned answers by source, None asks the real ones; `states` are what
    only a channel can tell.
    """

    route: str
    caller: str = "anonymous"
    caller_name: str = ""
    called: str = ""
    inputs: Sequence[str] = ()
    language: str = ""
    at: datetime | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Canned] | None = None
    states: Mapping[Operand, Value] = field(default_factory=dict)


class _CannedLookup:
    """Keeps the port `Lookup` with answers from a file."""

    def __init__(self, records: Mapping[str, Canned], integrations: Mapping[str, Integration]) -> None:
        self._records = records
        self._integrations = integrations

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Return the canned answer of the source, with the pages of its records; no record where there is none."""
        answer = self._records.get(ask.source.name, ())
        if isinstance(answer, SourceDown):
            return answer
        model = self._integrations[ask.source.integration].models[ask.source.model]
        return Found(tuple(replace(one, url=one.url or page_url(model.record_url, one.fields)) for one in answer), 0.0)


async def dry_run(configuration: Configuration, wanted: DryCall) -> DryRun:
    """Play a call through without a telephone: the same core, the same look-ups, nobody rings.

    Errors of ours are raised instead of becoming the default.
    """
    every = configuration.integrations if wanted.records is None else {}
    providers = {name: open_provider(found, configuration.settings) for name, found in every.items()}
    canned = None if wanted.records is None else _CannedLookup(wanted.records, configuration.integrations)
    lookup = canned or search(configuration, providers)
    channel = DryChannel(_caller(configuration.settings, wanted), wanted.inputs, wanted.variables, wanted.states)
    try:
        decision = await new_call(channel, lookup, configuration, _raise).run(wanted.route)
    finally:
        for provider in providers.values():
            await provider.close()
    return DryRun(decision, channel.handed_back, channel.played)


def _caller(settings: EngineSettings, wanted: DryCall) -> Caller:
    number = read_number(wanted.caller, settings.region)
    moment = wanted.at or datetime.now().astimezone(settings.timezone)
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=settings.timezone).astimezone(settings.timezone)
    return Caller(number, wanted.called, wanted.caller_name, wanted.language, at, "run-test", number is None)


def _raise(error: Exception) -> None:
    raise error
