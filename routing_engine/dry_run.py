"""One call without a telephone, against the real sources or canned ones: `run-test`, and `/v1/decide` of the API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, tzinfo
from datetime import time as time_of_day

from routing_engine.channels.dry import IsHere
from routing_engine.channels.sounds import is_here
from routing_engine.config.refusal import Refusal
from routing_engine.config.store import Configuration
from routing_engine.core.model import Caller, Destination, Json, TrailStep
from routing_engine.core.ports import Lookup, Provider
from routing_engine.engine import open_provider, search
from routing_engine.rehearsal import DryCall, DryRun, caller_of, rehearse, rehearse_canned

__all__ = ["DryCall", "DryRun", "DryRuns", "dry_run", "dry_run_json"]


async def dry_run(configuration: Configuration, wanted: DryCall) -> DryRun:
    """Play a call through without a telephone: the same core, the same look-ups, nobody rings.

    Errors of ours are raised instead of becoming the default.
    """
    if wanted.records is not None:
        return await rehearse_canned(configuration, wanted, _raise, _here(configuration))
    sources = _Sources(configuration)
    try:
        return await sources.run(wanted)
    finally:
        await sources.close()


class _Sources:
    """The systems of a configuration, with connections of their own, and how many calls use them now."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        settings, integrations = configuration.settings, configuration.integrations
        self._providers: Mapping[str, Provider] = {
            name: open_provider(one, settings) for name, one in integrations.items()
        }
        # No cache and no limits: a test shows what the systems say now, and takes no place of a live call.
        self._lookup: Lookup = search(configuration, self._providers)
        self._calls, self._over = 0, False

    async def run(self, wanted: DryCall) -> DryRun:
        """Play a call through."""
        self._calls += 1
        try:
            here = _here(self.configuration)
            return await rehearse(self.configuration, wanted, self._lookup, time.monotonic, _raise, here)
        finally:
            self._calls -= 1
            if self._over:
                await self.close()

    async def close(self) -> None:
        """Close the connections, as soon as no call uses them."""
        self._over = True
        if not self._calls:
            providers, self._providers = self._providers, {}
            for provider in providers.values():
                await provider.close()


class DryRuns:
    """Dry runs for who asks for many: at most `most` at once, on connections that stay open for the next."""

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self._sources: _Sources | None = None

    async def run(self, configuration: Configuration, wanted: DryCall) -> DryRun:
        """Play a call through once there is a place. Raises as `dry_run` does."""
        async with self._places:
            return await (await self._sources_of(configuration)).run(wanted)

    async def close(self) -> None:
        """Close the connections."""
        before, self._sources = self._sources, None
        if before is not None:
            await before.close()

    async def _sources_of(self, configuration: Configuration) -> _Sources:
        before = self._sources
        if before is not None and before.configuration is configuration:
            return before
        self._sources = found = _Sources(configuration)
        if before is not None:
            await before.close()
        return found


def _here(configuration: Configuration) -> IsHere:
    """Return what tells whether a sound lies on this machine."""
    settings = configuration.settings
    return lambda sound, language: is_here(sound, (language, settings.fallback_language), settings.folder)


def _raise(error: Exception) -> None:
    raise error


# ------------------------------------------------------------------------------------------------- when, and as JSON


def moment_of(when: datetime | time_of_day | None, zone: tzinfo | None) -> datetime | None:
    """Return the moment of a call; a time of day alone is today, by the calendar of the site."""
    if not isinstance(when, time_of_day):
        return when
    today = datetime.now(when.tzinfo or zone).date()
    return datetime.combine(today, when)


def dry_run_json(
    configuration: Configuration, wanted: DryCall, found: DryRun, refusal: Refusal | None
) -> dict[str, Json]:
    """Return a dry run in the shape of the contract for routes, section 4, with what it was based on."""
    caller = caller_of(configuration.settings, wanted)
    taken = assumed(configuration, caller, records=wanted.records is not None)
    return {**decision_json(found), "last_good": _refusal_json(refusal), "assumed": dict(taken)}


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


def decision_json(found: DryRun) -> dict[str, Json]:
    """Return what was decided and how, in the shape of the contract for routes, section 4."""
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


def _place(to: Destination) -> dict[str, Json]:
    return {name: value for name, value in asdict(to).items() if value is not None}


def _ms(step: TrailStep) -> float | None:
    # Nobody compares microseconds, and whole milliseconds would make nothing of most steps.
    return None if step.took_ms is None else round(step.took_ms, 1)


def _refusal_json(refusal: Refusal | None) -> dict[str, Json] | None:
    if refusal is None:
        return None
    return {
        "revision": refusal.revision,
        "since": refusal.since.isoformat(timespec="seconds"),
        "problems": [str(one) for one in refusal.problems],
    }
