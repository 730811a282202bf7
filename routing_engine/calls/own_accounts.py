"""The plug of a person's own account in a CRM: connected by the person, used for what the person writes, and no other.

Whoever keeps one raises the errors of `errors.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from routing_engine.calls.ports import CallLog, RecordDesk


@dataclass(frozen=True, slots=True)
class AccountState:
    """How an account is. `ended`: the person must connect it anew. `expires_at` is None while it renews itself."""

    state: Literal["connected", "ended"]
    expires_at: float | None = None


class AccountLogIn(Protocol):
    """A person on the way to the vendor's page and back."""

    @property
    def state(self) -> str:
        """What comes back with the answer: nobody can guess it."""

    def address(self) -> str:
        """Return the address of the vendor's page."""

    async def finish(self, answer: Mapping[str, str]) -> None:
        """Take what came back, and keep what it gives. Raise `ProviderError` where it is not good."""


class OwnAccount(Protocol):
    """One person's account in one system."""

    async def state(self) -> AccountState | None:
        """Return how it is; None while it is not connected."""

    async def connect(self, redirect_url: str) -> AccountLogIn:
        """Begin to connect it; the vendor sends the person back to `redirect_url`."""

    async def disconnect(self) -> None:
        """Forget it: what is kept of it is deleted."""

    def call_log(self) -> CallLog | None:
        """Return what writes calls with it."""

    def record_desk(self) -> RecordDesk | None:
        """Return what writes records with it."""


@runtime_checkable
class HasAccounts(Protocol):
    """What a provider keeps beside `Provider` when people can connect accounts of their own."""

    def account(self, person: str, mark: str) -> OwnAccount | None:
        """Return the account of a person by the key in users.yaml; None where the system has no way for people.

        Another `mark` is another person, although the key is the same.
        """
