"""The guide's Check Connection: asks a system something cheap, and says who must act when it is not fine."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.store import Configuration
from routing_engine.core.model import Json
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Checks, Provider, Query, Remarks
from routing_engine.engine import open_provider
from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderSkipped,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.settings.integration import Integration

#: Nobody has it: 555-0100 to 555-0199 are kept free for fiction.
_NOBODY = "+12025550143"
_PATIENCE_S = 30.0

Who = Literal["nobody", "administrator", "vendor", "network", "developer"]

_REMEDIES: Mapping[Who, str] = {
    "nobody": "Nobody has to do anything.",
    "administrator": "The administrator here must act: look at integrations/{name}.yaml and its credentials.",
    "vendor": "The administrator of the other system must act: rights, scopes, the app's settings, or a quota.",
    "network": "Who runs the network or the other system must act: it cannot be reached from this machine.",
    "developer": "Who wrote the other side, or the description of it, must act: its answers have an unknown shape.",
}
_FILE_REMEDY = "The administrator here must act"
_WAIT = "Nobody has to act: the system asked for a pause. Try again in {wait_s:.0f} seconds."


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """What a check found."""

    name: str
    fine: bool
    who: Who
    sentence: str
    remedy: str
    took_ms: float
    #: How long a call waits for it, in seconds; None where no route asks it.
    deadline_s: float | None = None

    @property
    def late(self) -> bool:
        """Whether a call would have gone on without this answer."""
        return self.deadline_s is not None and self.took_ms > self.deadline_s * 1000

    @property
    def timing(self) -> str:
        """How long it took, against the deadline."""
        took = f"it took {self.took_ms:.0f} ms"
        if self.deadline_s is None:
            return f"{took}; no route asks it"
        limit = f"a call waits {self.deadline_s * 1000:.0f} ms at most"
        return f"{took}, too long: {limit}" if self.late else f"{took}; {limit}"

    def as_json(self) -> Mapping[str, Json]:
        """Return it for programs."""
        names = ("name", "fine", "who", "sentence", "remedy", "took_ms", "deadline_s", "late")
        return {key: getattr(self, key) for key in names}


def check_connection(
    integration: Integration, settings: EngineSettings, deadline_s: float | None = None
) -> ConnectionCheck:
    """Ask the system itself, also where calls ask a mirror of it, and compare the time with what a call has."""
    with contextlib.redirect_stdout(sys.stderr):  # what is logged meanwhile is no part of the result
        return replace(asyncio.run(_check(replace(integration, mirror=None), settings)), deadline_s=deadline_s)


def deadline_of(configuration: Configuration, integration: str) -> float | None:
    """Return the shortest time in seconds that a route gives an integration; None where no route asks it."""
    usual = configuration.settings.defaults.timeout_s
    every = (
        min(filter(None, (source.timeout_s, usual, route.deadline_s)))
        for route in configuration.routes.values()
        for source in route.sources
        if source.integration == integration
    )
    return min(every, default=None)


async def _check(integration: Integration, settings: EngineSettings) -> ConnectionCheck:
    began = time.monotonic()
    provider = open_provider(integration, settings)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            fine, who, sentence, remedy = True, *_fine(await ask(provider, integration))
            if isinstance(provider, Remarks) and (remarks := await provider.remarks()):
                who, remedy = "administrator", f"{_FILE_REMEDY}: {remarks[0].remedy}."
                sentence = "; ".join([sentence, *(f"{one.file}: {one.sentence}" for one in remarks)])
    except ProviderError as error:
        fine, who, sentence, remedy = False, *_fault(error)
    except TimeoutError:
        late = f"{integration.name}: no answer within {_PATIENCE_S:g} seconds"
        fine, who, sentence, remedy = False, *_fault(ProviderUnreachable(late))
    finally:
        await provider.close()
    took_ms = round((time.monotonic() - began) * 1000, 1)
    return ConnectionCheck(integration.name, fine, who, sentence, remedy.replace("{name}", integration.name), took_ms)


async def ask(provider: Provider, integration: Integration) -> str:
    """Return what was seen: the provider's own check, else a look-up of a number that nobody has."""
    if isinstance(provider, Checks):
        return await provider.check()
    number = read_number(_NOBODY, "")
    assert number is not None, "it is a number"
    name, model = next((one for one in integration.models.items() if one[1].attempts), (None, None))
    if name is None or model is None:
        return "it was not asked: none of its models is searched by the caller"
    found = await provider.find(Query(name, "", number.e164, True, number, model.forms[0]))
    return f"it answered a look-up in '{name}' by a number that nobody has with {len(found)} records"


def _fine(sentence: str) -> tuple[Who, str, str]:
    return "nobody", sentence, _REMEDIES["nobody"]


def _fault(error: ProviderError) -> tuple[Who, str, str]:
    if isinstance(error, ProviderThrottled):
        return "nobody", str(error), _WAIT.format(wait_s=max(1.0, error.retry_after_s))
    who: Who = "administrator"
    if isinstance(error, ProviderUnreachable | ProviderSkipped):
        who = "network"
    elif isinstance(error, ProviderMisread):
        who = "developer"
    elif isinstance(error, ProviderRefused) and error.theirs:
        who = "vendor"
    if isinstance(error, ProviderRefused) and error.remedy:
        return who, str(error), f"{_FILE_REMEDY}: {error.remedy}."
    return who, str(error), _REMEDIES[who]
