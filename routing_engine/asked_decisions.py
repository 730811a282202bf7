"""Decisions that programs ask for over HTTP: played through as `run-test` does it, beside the calls.

They have connections of their own and take no place of a live call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

from routing_engine.calls.as_json import JsonObject
from routing_engine.config.refusal import find_refusal
from routing_engine.config.store import Configuration
from routing_engine.core.redact import visible
from routing_engine.dry_run import DryCall, DryRuns, dry_run_json, moment_of
from routing_engine.rehearsal import caller_of
from routing_engine.settings.yaml_reader import suggest
from routing_engine.web.decide import AskedCall
from routing_engine.web.requests import ApiError, bad_value

#: So many are worked out at a time, on connections of their own: live calls find their places free.
MOST_AT_ONCE = 4
#: So many may wait for that; who comes then is told to come again.
MOST_WAITING = 40


class AskedDecisions:
    """Answers `/v1/decide`. `configuration` gives what is in force. `close` it at the end."""

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        self._configuration = configuration
        self._runs = DryRuns(MOST_AT_ONCE)
        self._asked = 0

    async def decide(self, asked: AskedCall) -> JsonObject:
        """Return what a call would come to, as `run-test --json` prints it. Raises `ApiError`."""
        if self._asked >= MOST_AT_ONCE + MOST_WAITING:
            raise ApiError(429, "too_many_at_once", "too many ask at once", "try again", {"Retry-After": "1"})
        self._asked += 1
        try:
            return await self._decide(asked, self._configuration())
        finally:
            self._asked -= 1

    async def close(self) -> None:
        """Close the connections."""
        await self._runs.close()

    async def _decide(self, asked: AskedCall, configuration: Configuration) -> JsonObject:
        call = _dry_call(asked, configuration)
        found = await self._runs.run(configuration, call)
        # Why the folder is not in force, where it is not: a note on the disk.
        refusal = await asyncio.to_thread(find_refusal, configuration.settings.folder)
        told = dry_run_json(configuration, call, found, refusal)
        # Fields of records may be dates: as the command prints them.
        return cast(JsonObject, json.loads(json.dumps(told, default=str)))


def _dry_call(asked: AskedCall, configuration: Configuration) -> DryCall:
    if asked.route not in configuration.routes:
        sentence = f"there is no route '{asked.route}'"
        raise ApiError(404, "unknown_route", sentence, suggest(asked.route, configuration.routes))
    at = moment_of(asked.at, configuration.settings.timezone)
    variables = dict(asked.variables)
    call = DryCall(asked.route, asked.caller, "", asked.called, tuple(asked.inputs), "", at, variables)
    unread = caller_of(configuration.settings, call).unread
    if unread:
        raise bad_value("caller", f"'{visible(unread)}' is not a telephone number", "write one, or 'anonymous'")
    return call
