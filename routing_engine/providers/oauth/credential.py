"""A credential that is fetched, kept and renewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import aiohttp

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderRefused
from routing_engine.providers.credential import Credential
from routing_engine.providers.oauth.settings import OAuthSettings


def open_credential(
    name: str, settings: OAuthSettings, session: Callable[[], aiohttp.ClientSession], clock: Clock
) -> Credential:
    """Give the credential of the integration `name`; it asks nobody before its values are wanted."""
    return OAuthCredential(name)


class OAuthCredential:
    """Nobody is logged in yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def values(self) -> Mapping[str, str]:
        """Give `access_token` and what was captured with it."""
        raise ProviderRefused(f"{self._name}: log in first: routing-engine integrations login {self._name}")

    def refused(self, values: Mapping[str, str]) -> bool:
        """Hear that the system refused these values."""
        return False

    async def close(self) -> None:
        """Stop what is under way."""
