"""The guide's Check Connection: asks a system something cheap, and says who must act when it is not fine."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import NamedTuple
from urllib.parse import quote

from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.store import Configuration
from routing_engine.core.model import Json, Record
from routing_engine.core.phone import Number, read_number
from routing_engine.core.ports import Checks, Provider, Query, Remarks
from routing_engine.engine import open_provider
from routing_engine.errors import (
    ProviderError,
    ProviderThrottled,
    ProviderUnreachable,
    Who,
)
from routing_engine.providers.net.looks_on import HttpExchange, tapped
from routing_engine.settings.integration import Integration

#: Nobody has it: 555-0100 to 555-0199 are kept free for fiction.
_NOBODY = "+12025550143"
_PATIENCE_S = 30.0

_MUST_ACT: Mapping[Who, str] = {
    "nobody": "Nobody has to act",
    "administrator": "The administrator here must act",
    "vendor": "Who runs the other system, or its administrator, must act",
    "network": "Who runs the network or the other system must act",
    "developer": "Who wrote the other side, or the description of it, must act",
}
_REMEDIES: Mapping[Who, str] = {
    "nobody": "Nobody has to do anything.",
    "administrator": f"{_MUST_ACT['administrator']}: look at integrations/{{name}}.yaml and its credentials.",
    "vendor": f"{_MUST_ACT['vendor']}: rights, scopes, the app's settings, or a quota.",
    "network": f"{_MUST_ACT['network']}: it cannot be reached from this machine.",
    "developer": f"{_MUST_ACT['developer']}: its answers have an unknown shape.",
}
_FILE_REMEDY = _MUST_ACT["administrator"]
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
    integration: Integration,
    settings: EngineSettings,
    deadline_s: float | None = None,
    patience_s: float = _PATIENCE_S,
) -> ConnectionCheck:
    """Ask the system itself, also where calls ask a mirror of it, and compare the time with what a call has.

    `patience_s` is how long it is waited for.
    """
    with contextlib.redirect_stdout(sys.stderr):  # what is logged meanwhile is no part of the result
        return replace(
            asyncio.run(_check(replace(integration, mirror=None), settings, patience_s)), deadline_s=deadline_s
        )


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


async def _check(integration: Integration, settings: EngineSettings, patience_s: float) -> ConnectionCheck:
    began = time.monotonic()
    provider = open_provider(integration, settings)
    try:
        async with asyncio.timeout(patience_s):
            fine, who, sentence, remedy = True, *_fine(await ask(provider, integration))
            if isinstance(provider, Remarks) and (remarks := await provider.remarks()):
                who, remedy = "administrator", f"{_FILE_REMEDY}: {remarks[0].remedy}."
                sentence = "; ".join([sentence, *(f"{one.file}: {one.sentence}" for one in remarks)])
    except ProviderError as error:
        fine, who, sentence, remedy = False, *_fault(error)
    except TimeoutError:
        late = f"{integration.name}: no answer within {patience_s:g} seconds"
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
    remedy = f"{_MUST_ACT[error.who]}: {error.remedy}." if error.remedy else _REMEDIES[error.who]
    if error.who == "vendor" and isinstance(error, ProviderUnreachable):
        remedy = f"{_MUST_ACT['vendor']}: it answers, and does not work now."
    return error.who, str(error), remedy


# --------------------------------------------------------------------------------------------- one look-up, shown

#: Parameters that hold a secret, whatever the integration says of it.
_SECRET_NAME = re.compile(r"key|token|secret|pass|auth|sign", re.IGNORECASE)
#: Part of a path that no person has written: a hook's token.
_SECRET_PART = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_\-]{12,}\Z")
_SHOWN_BYTES = 300


class TriedLookup(NamedTuple):
    """What a look-up did, line by line: each request with its answer, then a line for each model; and its records."""

    lines: list[str]
    records: list[tuple[str, Record]]


def try_lookup(integration: Integration, settings: EngineSettings, number: Number) -> TriedLookup:
    """Return what a look-up of a number does, and the records of each model."""
    tried = TriedLookup([], [])
    with contextlib.redirect_stdout(sys.stderr), tapped(lambda one: tried.lines.extend(_exchange(one, integration))):
        said = asyncio.run(_try(replace(integration, mirror=None), settings, number, tried.records))
    tried.lines.extend(said)
    return tried


async def _try(
    integration: Integration, settings: EngineSettings, number: Number, records: list[tuple[str, Record]]
) -> list[str]:
    provider = open_provider(integration, settings)
    lines = []
    try:
        for name, model in integration.models.items():
            if not model.attempts:
                continue
            began = time.monotonic()
            query = Query(name, "", number.form(model.forms[0]), True, number, model.forms[0])
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    found = await provider.find(query)
                said = f"{len(found)} {'record' if len(found) == 1 else 'records'}"
                records += [(name, record) for record in found]
            except (ProviderError, TimeoutError) as error:
                said = str(error) or f"no answer within {_PATIENCE_S:g} seconds"
            lines.append(f"{name} by {query.value}: {said} ({(time.monotonic() - began) * 1000:.0f} ms)")
    finally:
        await provider.close()
    return lines or ["none of its models is searched by the caller"]


def _exchange(one: HttpExchange, integration: Integration) -> list[str]:
    query = "&".join(f"{name}={'***' if _SECRET_NAME.search(name) else value}" for name, value in one.url.query.items())
    path = "/".join("***" if _SECRET_PART.match(part) else part for part in one.url.path.split("/"))
    address = f"{one.url.origin()}{path}{'?' if query else ''}{query}"
    began = one.body[:_SHOWN_BYTES].decode("utf-8", "replace")
    secrets = sorted(secrets_of(integration.settings), key=len, reverse=True)
    lines = [f"{one.method} {address}: {one.status} ({one.took_ms:.0f} ms)", f"  {began or 'nothing'}"]
    for secret in secrets:
        lines = [line.replace(secret, "***").replace(quote(secret, safe=""), "***") for line in lines]
    return lines


def secrets_of(settings: object) -> set[str]:
    """Return the texts that an integration's settings keep out of their `repr`: what proves who we are."""
    found = set[str]()
    for one in fields(settings) if is_dataclass(settings) else ():
        value = getattr(settings, one.name)
        found |= texts_in(value) if not one.repr else secrets_of(value)
    # Of `Bearer TOKEN` the token alone is the secret. Of an address the parts are masked, not the whole.
    words = {word for text in found if "://" not in text for word in (text, *text.split())}
    return {word for word in words if len(word) > 3 and word not in ("Bearer", "Basic", "Token")}


def texts_in(value: object) -> set[str]:
    """Return every text of a setting, however deep it lies."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1:]  # a pair: the name of a header or parameter is no secret
    if is_dataclass(value):
        value = [getattr(value, one.name) for one in fields(value)]
    return {text for one in value for text in texts_in(one)} if isinstance(value, list | tuple) else set()
