"""What proves to a system who we are: fixed values, or ones that are fetched and run out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")

#: After a refused log-in nobody tries again for so long: with every call one more would soon lock the account.
REFUSED_S = 60.0


class Credential(Protocol):
    """Values that requests are built with: `access_token`, a session's id, the address that came with a token."""

    async def values(self) -> Mapping[str, str]:
        """Return the values that hold now; a look-up waits only when there are none.

        Raises `ProviderRefused` when an administrator must act, `ProviderUnreachable` when nobody answers.
        """

    def refused(self, values: Mapping[str, str]) -> bool:
        """Drop values that the system refused (401). Return whether asking for new ones may help."""

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
        """Return False: nothing newer can be had."""
        return False

    async def close(self) -> None:
        """Nothing is open."""


async def ask_with(
    credential: Credential, ask: Callable[[Mapping[str, str]], Awaitable[T]], is_refused: Callable[[T], bool]
) -> T:
    """Ask with the values that hold now; once more with new ones where the answer refuses them and new ones may help.

    `ask` is given the values, `is_refused` the answer. Raises what `Credential.values` and `ask` raise.
    """
    values = await credential.values()
    answer = await ask(values)
    # Once more and no further: a system that refuses fresh credentials would lock the account.
    if not is_refused(answer) or not credential.refused(values):
        return answer
    return await ask(await credential.values())
