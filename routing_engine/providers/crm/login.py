"""A log-in by steps: a session's id, or the address of the customer's own server, captured from answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.ports import Clock
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.crm.model import AuthMethod, RequestStep
from routing_engine.providers.crm.outcome import failure, holds, outcome_of, read_body
from routing_engine.providers.crm.requests import RequestTemplate
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.templates import Scope
from routing_engine.providers.net.credential import REFUSED_S, Credential
from routing_engine.providers.net.headers import header_value
from routing_engine.providers.net.http_client import HttpAnswer
from routing_engine.providers.oauth.client import looks_like_address, may_lead_to
from routing_engine.storage.single_flight import SingleFlight

_PATIENCE_S = 10.0
#: A session that is refused within this after it began will not get better by another log-in.
_HOPELESS_S = 60.0

Send: TypeAlias = Callable[[RequestTemplate, Scope], Awaitable[HttpAnswer]]


class LoginSession:
    """Keeps the port `Credential` on top of another: its values, and what the steps of the log-in captured."""

    def __init__(
        self, name: str, settings: CrmSettings, way: AuthMethod, under: Credential, send: Send, clock: Clock
    ) -> None:
        self._name, self._settings, self._way = name, settings, way
        self._under, self._send, self._clock = under, send, clock
        self._values: Mapping[str, str] | None = None
        self._ends_at = float("inf")
        self._began_at = float("-inf")
        self._again = False
        self._leading = {slot.path[-1] for slot in settings.description.address.slots if slot.path[0] == "auth"}
        self._failure, self._again_at = "", float("-inf")
        self._entering = SingleFlight[Mapping[str, str]]()

    async def values(self) -> Mapping[str, str]:
        """Return the values; the first look-up logs in, the others wait for it."""
        if self._values is not None and self._clock() < self._ends_at:
            return self._values
        if self._clock() < self._again_at:
            raise ProviderRefused(self._failure)
        return await self._entering.run(self._enter)

    def refused(self, values: Mapping[str, str]) -> bool:
        """Drop a session that was refused, unless a newer one is here already."""
        # Refused were older values; who asks again gets the newer ones.
        if self._values is not values:
            return True
        if self._again and self._clock() < self._began_at + _HOPELESS_S:
            return False
        self._again, self._values = True, None
        return True

    async def close(self) -> None:
        """Stop a log-in under way."""
        await self._entering.close()
        await self._under.close()

    async def _enter(self) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                values = await self._enter_twice()
        except TimeoutError:
            raise ProviderUnreachable(f"{self._name}: the log-in does not answer") from None
        except _LoginRefused as error:
            self._failure, self._again_at = str(error), self._clock() + REFUSED_S
            raise
        self._values, self._began_at = values, self._clock()
        self._ends_at = self._began_at + (self._way.lifetime_s or float("inf"))
        return values

    async def _enter_twice(self) -> Mapping[str, str]:
        """Log in; once more with new values where what the log-in stands on may have run out."""
        under = await self._under.values()
        try:
            return await self._steps(under)
        except _LoginRefused:
            # Another log-in is worth it only where what it stands on can be had anew.
            if not self._under.refused(under):
                raise
        return await self._steps(await self._under.values())

    async def _steps(self, under: Mapping[str, str]) -> Mapping[str, str]:
        captured: dict[str, str] = {}
        for step in self._way.login:
            known = {**self._settings.given, **under, **captured}
            scope = {"settings": self._settings.values, "auth": known, "step": captured}
            if holds(step.when, scope):
                captured |= await self._step(step, scope)
        return {**self._settings.given, **under, **captured}

    async def _step(self, step: RequestStep, scope: Scope) -> Mapping[str, str]:
        description = self._settings.description
        answer = await self._send(step.request, scope)
        tree = read_body(answer)
        rule = outcome_of(description, step.request, answer, tree)
        if answer.status in step.fine:
            return self._captured(step, answer, tree)
        if rule.then == "login":
            raise _LoginRefused(f"{self._name}: {description.title} refused the log-in (status {answer.status})")
        if rule.then != "fine":
            raise failure(self._name, description, rule, answer, tree)
        return self._captured(step, answer, tree)

    def _captured(self, step: RequestStep, answer: HttpAnswer, tree: Json) -> Mapping[str, str]:
        found = {}
        for name, path in step.capture:
            raw = header_value(answer.headers, path) if isinstance(path, str) else path.first(tree)
            text = as_text(raw) if isinstance(raw, (str, int, float)) and not isinstance(raw, bool) else ""
            if not text or not text.isprintable():
                raise ProviderMisread(f"{self._name}: the log-in answered without '{name}'")
            # A session's id has dots too: only what the address is made of is judged by its looks.
            leads = "://" in text or (name in self._leading and looks_like_address(text))
            if leads and not may_lead_to(text, self._settings.hosts):
                raise ProviderRefused(f"{self._name}: '{name}' of the log-in leads to a host that is not allowed")
            found[name] = text
        return found


class _LoginRefused(ProviderRefused):
    """The log-in was refused: what it stands on may have run out."""
