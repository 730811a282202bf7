"""What proves to a system who we are: fixed values, or ones that are fetched and run out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

#: After a refused log-in nobody tries again for so long: with every call one more would soon lock the account.
REFUSED_S = 60.0


class Credential(Protocol):
    """Values that requests are built with: `access_token`, a session's id, the address that came with a token."""

    async def values(self) -> Mapping[str, str]:
        """Return the values that hold now; a look-up waits only when there are none.

        Raises `ProviderRefused` when an administrator must act, `ProviderUnreachable` when nobody answers.
        """

    def refused(self, values: Mapping[str, str]) -> bool:
        """Hear that the system refused these values (401). True when asking for new ones may help."""

    async def close(self) -> None:
        """Stop what is under way. Called once."""


class FixedCredential:
    """Values that never change: an API key, a user and a password."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    async def values(self) -> Mapping[str, str]:
        """Return the values."""
        return self._values

    def refused(self, values: Mapping[str, str]) -> bool:
        """Tell that nothing newer can be had."""
        return False

    async def close(self) -> None:
        """Nothing is open."""
