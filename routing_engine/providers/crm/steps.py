"""The steps of a description that write, run one after the other with the connection of the look-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread, ProviderUnreachable
from routing_engine.providers.crm.client import Attached, CrmClient
from routing_engine.providers.crm.model import RequestStep
from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.templates import Scope
from routing_engine.providers.net.headers import header_value

#: Nobody waits for a call's entry, but what never answers must not hold the next ones up.
REQUEST_S, UPLOAD_S = 30.0, 900.0


class WritingSteps:
    """Runs steps for the integration `name`; `title` is what people call the system."""

    def __init__(self, name: str, title: str, client: CrmClient) -> None:
        self._name, self._title, self._client = name, title, client

    async def run(
        self,
        steps: Sequence[RequestStep],
        scope: Scope,
        file: Attached | None = None,
        captured: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Run the steps whose conditions hold; return all that they captured, and `captured` before."""
        found = dict(captured or {})
        for step in steps:
            here = {**scope, "step": found}
            if holds(step.when, here):
                found |= await self._step(step, here, file)
        return found

    async def _step(self, step: RequestStep, scope: Scope, file: Attached | None) -> dict[str, str]:
        try:
            async with asyncio.timeout(REQUEST_S if file is None else UPLOAD_S):
                heard = await self._client.write(step, scope, file)
        except TimeoutError:
            raise ProviderUnreachable(f"{self._name}: {self._title} does not answer") from None
        found = {}
        for name, path in step.capture:
            raw = header_value(heard.headers, path) if isinstance(path, str) else path.first(heard.tree)
            raw = raw[0] if isinstance(raw, list) and raw else raw  # a system that was asked for several says so
            text = as_text(raw) if isinstance(raw, (str, int, float)) and not isinstance(raw, bool) else ""
            # An entry without an id could never be changed: better made twice than lost from sight.
            if not text:
                raise ProviderMisread(f"{self._name}: {self._title} answered without '{name}'")
            found[name] = text
        return found
